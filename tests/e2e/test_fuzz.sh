#!/usr/bin/env bash
# Fuzzes every parser for a short time with libFuzzer, sanitizers on. Needs clang; without it the deterministic
# mutations (ctest -R ^fuzz) are all there is.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v clang++ >/dev/null || { echo "skipped: clang++ is not installed"; exit 77; }
if ! echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
     clang++ -fsanitize=fuzzer,address -x c++ -o /dev/null - 2>/dev/null; then
  echo "skipped: clang++ comes without libFuzzer (Debian: libclang-rt-14-dev)"
  exit 77
fi
nice scripts/fuzz.sh "${KERF_FUZZ_SECONDS:-10}"
