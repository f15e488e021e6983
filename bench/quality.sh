#!/usr/bin/env bash
# What calibrated quantization is worth at equal bytes: KL divergence from BASE on TEXT of kerf's files and, if
# llama.cpp is there, of its own with its own importance matrix made of the same texts.
#
#   bench/quality.sh BASE.gguf TEXT CALIB_TEXT...
#
# TYPES    types that llama.cpp and kerf both write, kerf with --types-like its file (Q2_K Q4_0 IQ4_XS Q4_K_M)
# SIZES    file sizes at which kerf chooses types (60MB 88MB)
# TOKENS   calibration tokens (32768);  CHUNKS  windows of 512 tokens of TEXT (6);  DISTILL windows (0: none)
# WORK     folder for the files;  environment of llama_cpp.sh
set -euo pipefail
source "$(dirname "$0")/llama_cpp.sh"
[ $# -ge 3 ] || die "usage: bench/quality.sh BASE.gguf TEXT CALIB_TEXT..."
base=$1 text=$2
shift 2
tokens=${TOKENS:-32768} chunks=${CHUNKS:-6} distill=${DISTILL:-0}
types=${TYPES:-Q2_K Q4_0 IQ4_XS Q4_K_M} sizes=${SIZES:-60MB 88MB}
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
find_llama_cpp llama-quantize llama-imatrix
llama() { LD_LIBRARY_PATH=$llama_libraries "$llama_bin/$@"; }

row() { # NAME FILE SECONDS
  "$kerf" eval "$2" --base "$base" --text "$text" --chunks "$chunks" --threads "$threads" --json --quiet |
    python3 -c 'import json, sys
e = json.load(sys.stdin)
name, size, seconds = sys.argv[1:]
print("%-26s %7.1f MB  KLD %.4f  same top %5.1f %%  perplexity %.3f  %s s" % (
    name, int(size) / 1e6, e["kld_mean"], e["same_top_percent"], e["perplexity"], seconds), flush=True)' \
      "$1" "$(stat -c %s "$2")" "$3"
}
ours() { # NAME FILE OPTIONS…
  local name=$1 file=$2 begin=$SECONDS
  shift 2
  "$kerf" quantize "$base" "$file" --calib "${calibration[@]}" --calib-tokens "$tokens" --threads "$threads" --quiet "$@" >/dev/null
  row "$name" "$file" $((SECONDS - begin))
  [ "$distill" -gt 0 ] || return 0
  begin=$SECONDS
  "$kerf" distill "$file" "$file.learned" --base "$base" --text "${calibration[@]}" --windows "$distill" --threads "$threads" --quiet >/dev/null
  row "$name, distilled" "$file.learned" $((SECONDS - begin))
}

calibration=("$@")
cat "${calibration[@]}" >"$work/calibration.txt"
begin=$SECONDS
[ -f "$work/imatrix.gguf" ] ||
  llama llama-imatrix -m "$base" -f "$work/calibration.txt" -o "$work/imatrix.gguf" -c 512 --chunks $((tokens / 512)) -t "$threads" >/dev/null 2>&1
echo "llama.cpp's importance matrix: $((SECONDS - begin)) s"
for type in $types; do
  begin=$SECONDS
  llama llama-quantize --imatrix "$work/imatrix.gguf" "$base" "$work/llama-$type.gguf" "$type" "$threads" >/dev/null 2>&1
  row "llama.cpp $type" "$work/llama-$type.gguf" $((SECONDS - begin))
  ours "kerf, the same types" "$work/kerf-$type.gguf" --types-like "$work/llama-$type.gguf"
done
for size in $sizes; do ours "kerf $size" "$work/kerf-$size.gguf" --target-size "$size"; done
