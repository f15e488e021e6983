#!/usr/bin/env bash
# How fast is kerf beside llama.cpp, on this machine and the same file? Reads a prompt of 512 tokens and
# generates 64 after it, in turns, so that whatever else the machine does hits both; prints the best of each.
#
#   bench/llama_cpp_pair.sh MODEL.gguf [MODEL.gguf ...]
#
# LLAMA_CPP_BIN  folder with llama-bench; without it llama.cpp is built for this CPU, once, in the cache
# LLAMA_CPP_SRC  its source; without it the source comes with the package llama-cpp-python $VERSION, through pip
# KERF           the program (build/release/bin/kerf)
# THREADS        threads of both (2);  ROUNDS  turns (3)
set -euo pipefail
VERSION=0.3.36
root=$(cd "$(dirname "$0")/.." && pwd)
kerf=${KERF:-$root/build/release/bin/kerf}
threads=${THREADS:-2}
rounds=${ROUNDS:-3}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kerf/llama-cpp-$VERSION

die() {
  echo "llama_cpp_pair: $*" >&2
  exit 2
}

fetch_source() {
  mkdir -p "$cache"
  if [ ! -d "$cache/source" ]; then
    python3 -m pip download --quiet --no-deps --no-binary llama-cpp-python --dest "$cache" \
      "llama-cpp-python==$VERSION" >&2 || die "pip could not fetch the source; set LLAMA_CPP_SRC"
    tar -xzf "$cache/llama_cpp_python-$VERSION.tar.gz" -C "$cache"
    mv "$cache/llama_cpp_python-$VERSION/vendor/llama.cpp" "$cache/source"
  fi
  echo "$cache/source"
}

build_llama_cpp() {
  local source
  source=${LLAMA_CPP_SRC:-$(fetch_source)}
  if [ ! -x "$cache/build/bin/llama-bench" ]; then
    echo "building llama.cpp in $cache/build, which takes a while" >&2
    cmake -S "$source" -B "$cache/build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF \
      -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF >&2
    cmake --build "$cache/build" --target llama-bench --parallel "$threads" >&2
  fi
  echo "$cache/build/bin"
}

# llama_rate MODEL ARGUMENTS...: tokens per second
llama_rate() {
  local model=$1
  shift
  LD_LIBRARY_PATH=$llama_bin${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
    "$llama_bin/llama-bench" -m "$model" -t "$threads" -r 1 -o jsonl "$@" 2>/dev/null |
    python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["avg_ts"])'
}

[ $# -gt 0 ] || die "usage: bench/llama_cpp_pair.sh MODEL.gguf [MODEL.gguf ...]"
[ -x "$kerf" ] || die "no program at $kerf; build it or set KERF"
llama_bin=${LLAMA_CPP_BIN:-$(build_llama_cpp)}
[ -x "$llama_bin/llama-bench" ] || die "no llama-bench in $llama_bin"

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
