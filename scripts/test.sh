#!/usr/bin/env bash
# Installs, builds and runs all tests. Some need texts, tokenizers and a small model that are not part of the
# project: KERF_DATA, KERF_TOKENIZERS and KERF_MODELS name their folders, by default those beside the checkout.
# Tests that miss one say so and are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-deps.sh
cmake --preset release >/dev/null
cmake --build --preset release

# use VARIABLE FOLDER: the variable keeps its value, or becomes the folder if that is there.
use() {
  if [ -z "${!1:-}" ] && [ -d "$2" ]; then
    export "$1=$(cd "$2" && pwd)"
  fi
  [ -n "${!1:-}" ] || echo "test: $1 is not set; the tests that need it are skipped"
}
use KERF_DATA ../shared/data
use KERF_TOKENIZERS ../shared/tokenizers
use KERF_MODELS ../shared/models
ctest --preset release -j "$(nproc)"
