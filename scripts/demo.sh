#!/usr/bin/env bash
# From nothing to a measured, speaking 4-bit model: installs what is missing, builds kerf, fetches a small real
# model, cuts it three times, measures what each cut cost and lets the result speak.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n== %s\n' "$*"; }

say "Packages and build"
scripts/install-deps.sh
cmake --preset release -DKERF_TESTS=OFF >/dev/null
cmake --build --preset release --target kerf_cli
kerf=$PWD/build/release/bin/kerf

say "A real model: SmolLM2-135M-Instruct"
model=$(scripts/fetch-model.sh)
work=${KERF_CACHE:-$HOME/.cache/kerf}/demo
mkdir -p "$work"
"$kerf" inspect "$model"

say "The base to measure against, and three cuts"
base=$work/SmolLM2-135M-F16.gguf
"$kerf" convert "$model" "$base" --type f16
types=(Q8_0 Q4_K_M IQ4_NL)
for type in "${types[@]}"; do
  "$kerf" quantize "$base" "$work/SmolLM2-135M-$type.gguf" --type "$type"
done

say "What the cuts cost, on a text of 1300 tokens"
text=tests/data/essay.txt
for type in F16 "${types[@]}"; do
  file=$work/SmolLM2-135M-$type.gguf
  "$kerf" eval "$file" --base "$base" --text "$text" --ctx 256 --json >"$work/$type.eval.json"
  "$kerf" bench "$file" --prompt-tokens 256 --gen-tokens 32 --json >"$work/$type.bench.json"
done
python3 - "$work" F16 "${types[@]}" <<'EOF'
import json, os, sys
work, *types = sys.argv[1:]
print(f"{'type':<8} {'MB':>7} {'bits/w':>7} {'perplexity':>11} {'KLD':>9} {'same top':>9} {'prompt t/s':>11} {'write t/s':>10}")
for name in types:
    size = os.path.getsize(f"{work}/SmolLM2-135M-{name}.gguf")
    with open(f"{work}/{name}.eval.json") as a, open(f"{work}/{name}.bench.json") as b:
        cost, speed = json.load(a), json.load(b)
    print(f"{name:<8} {size / 1e6:>7.1f} {8 * size / 134515008:>7.3f} {cost['perplexity']:>11.3f} {cost['kld_mean']:>9.5f} "
          f"{cost['same_top_percent']:>7.2f} % {speed['prefill_tokens_per_s']:>11.0f} {speed['decode_tokens_per_s']:>10.0f}")
print("\nThe model is published as a 4-bit (Q4_1) file, so the base lies on a 4-bit grid already: types that can hold "
      "\nthis grid look better here, and others worse, than on an original of 16 bits.")
EOF

say "The mixture speaks"
prompt=$'<|im_start|>user\nExplain in two sentences what a saw does.<|im_end|>\n<|im_start|>assistant\n'
"$kerf" run "$work/SmolLM2-135M-Q4_K_M.gguf" --special -p "$prompt" -n 80 --temperature 0
