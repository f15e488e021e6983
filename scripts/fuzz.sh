#!/usr/bin/env bash
# Builds the fuzz targets with clang and libFuzzer and runs each for some seconds, from the files in tests/hostile
# and tests/golden. What is found lands in build/fuzz/findings.
#   scripts/fuzz.sh [SECONDS [TARGET …]]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for source in fuzz/fuzz_*.cpp; do targets+=("$(basename "$source" .cpp)"); done
fi
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "${targets[@]}"
mkdir -p build/fuzz/findings
for target in "${targets[@]}"; do
  ending=$(sed -n 's/^const char\* const kCorpusEnding = "\(.*\)";/\1/p' "fuzz/$target.cpp")
  corpus=build/fuzz/corpus/$target
  mkdir -p "$corpus"
  find tests/hostile tests/golden -name "*$ending" -size -64k | while read -r seed; do
    cp "$seed" "$corpus/$(echo "$seed" | tr / _)"
  done
  echo "== $target: $seconds s from $(find "$corpus" -type f | wc -l) files"
  # A header of some kilobytes has no business with 512 MB, nor with ten seconds.
  "build/fuzz/fuzz/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=512 \
    -max_len=65536 -print_final_stats=1 -artifact_prefix=build/fuzz/findings/ "$corpus" \
    >"build/fuzz/$target.log" 2>&1 || { tail -n 60 "build/fuzz/$target.log"; exit 1; }
  grep -E 'number_of_executed_units|peak_rss' "build/fuzz/$target.log"
done
echo "fuzz: ${#targets[@]} targets, nothing found"
