#!/usr/bin/env bash
# Installs, builds and runs all tests. KERF_DATA names a folder with evaluation texts; tests that need it say
# so when they skip.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-deps.sh
cmake --preset release >/dev/null
cmake --build --preset release
if [ -z "${KERF_DATA:-}" ] && [ -d ../shared/data ]; then
  KERF_DATA=$(cd ../shared/data && pwd)
fi
export KERF_DATA="${KERF_DATA:-}"
[ -n "$KERF_DATA" ] || echo "test: KERF_DATA is not set; tests on real texts are skipped"
ctest --preset release --output-on-failure
