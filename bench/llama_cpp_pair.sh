#!/usr/bin/env bash
# How fast is kerf beside llama.cpp, on this machine and the same file? Reads a prompt of 512 tokens and
# generates 64 after it, in turns, so that whatever else the machine does hits both; prints the best of each.
#
#   bench/llama_cpp_pair.sh MODEL.gguf [MODEL.gguf ...]
#
# ROUNDS  turns (3); the rest of the environment is that of llama_cpp.sh
set -euo pipefail
source "$(dirname "$0")/llama_cpp.sh"
rounds=${ROUNDS:-3}

# llama_rate MODEL ARGUMENTS...: tokens per second
llama_rate() {
  local model=$1
  shift
  LD_LIBRARY_PATH=$llama_libraries \
    "$llama_bin/llama-bench" -m "$model" -t "$threads" -r 1 -o jsonl "$@" 2>/dev/null |
    python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["avg_ts"])'
}

[ $# -gt 0 ] || die "usage: bench/llama_cpp_pair.sh MODEL.gguf [MODEL.gguf ...]"
find_llama_cpp llama-bench

for model in "$@"; do
  [ -r "$model" ] || die "cannot read $model"
  measured=""
  for ((round = 0; round < rounds; ++round)); do
    ours=$("$kerf" bench "$model" --prompt-tokens 512 --gen-tokens 64 --repeat 1 --threads "$threads" \
      --json --quiet)
    prefill=$(llama_rate "$model" -p 512 -n 0)
    decode=$(llama_rate "$model" -p 0 -n 64 -d 512)
    measured+="{\"kerf\": $ours, \"prefill\": $prefill, \"decode\": $decode}"$'\n'
  done
  python3 - "$model" "$threads" <<'PRINT' 3<<<"$measured"
import json
import os
import sys

text = os.fdopen(3).read()
decoder, rounds, at = json.JSONDecoder(), [], 0
while text[at:].strip():
    at += len(text[at:]) - len(text[at:].lstrip())
    value, at = decoder.raw_decode(text, at)
    rounds.append(value)
print(f"{sys.argv[1]}, {sys.argv[2]} threads, best of {len(rounds)}")
for phase in ("prefill", "decode"):
    ours = max(r["kerf"][f"{phase}_tokens_per_s"] for r in rounds)
    theirs = max(r[phase] for r in rounds)
    print(f"  {phase:8} kerf {ours:8.1f}   llama.cpp {theirs:8.1f} tokens/s   ratio {ours / theirs:.2f}")
PRINT
done
