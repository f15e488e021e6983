#!/usr/bin/env bash
# The main job on a real model: fetch, inspect, cut, measure, run. Figures to compare with come from llama.cpp
# (llama-cpp-python 0.3.36's source) on the same files: llama-perplexity -c 256 -b 256 and
# llama-completion --temp 0 -n 100, both with -ctk f32 -ctv f32 -fa off.
source "$(dirname "$0")/common.sh"
model=$("$root/scripts/fetch-model.sh" 2>"$scratch/fetch") || skip "cannot fetch the model: $(tail -n 1 "$scratch/fetch")"
text=$root/tests/data/essay.txt

"$kerf" inspect "$model" --json >"$scratch/inspect.json"
check 'o["format"] == "gguf" and o["architecture"] == "llama" and o["parameters"] == 134515008' "$scratch/inspect.json"
check 'o["file_bytes"] == 98362432 and len(o["tensors"]) == 272' "$scratch/inspect.json"
"$kerf" verify "$model" >/dev/null || fail "verify finds fault with a sound file"

echo "== sizes are exact before anything is written, and bytes do not depend on threads"
for type in Q4_0 Q4_K_M Q6_K IQ4_NL; do
  "$kerf" quantize "$model" "$scratch/$type.gguf" --type $type --dry-run --json >"$scratch/plan.json" 2>/dev/null
  [ ! -e "$scratch/$type.gguf" ] || fail "a dry run wrote a file"
  "$kerf" quantize "$model" "$scratch/$type.gguf" --type $type --json >"$scratch/$type.json" 2>"$scratch/said"
  size=$(stat -c %s "$scratch/$type.gguf")
  check "o['output_bytes'] == $size" "$scratch/plan.json"
  check "o['output_bytes'] == $size" "$scratch/$type.json"
  # Three times the largest tensor in F32 and 100 MB: the bound of memory, whatever the model's size.
  check "o['peak_memory_bytes'] < 3 * 4 * 49152 * 576 + 100e6" "$scratch/$type.json"
  "$kerf" verify "$scratch/$type.gguf" >/dev/null || fail "verify finds fault with our own $type"
done
grep -q 'rows of 576' <("$kerf" quantize "$model" "$scratch/x.gguf" --type Q4_K --dry-run 2>&1) || fail "a fallback was not said"
for threads in 1 3; do
  "$kerf" quantize "$model" "$scratch/t$threads.gguf" --type Q4_0 --threads $threads -q >/dev/null
  cmp "$scratch/Q4_0.gguf" "$scratch/t$threads.gguf" || fail "the bytes depend on the number of threads"
done
"$kerf" quantize "$model" "$scratch/like.gguf" --types-like "$scratch/Q4_K_M.gguf" -q --json >"$scratch/like.json"
check "[t['got'] for t in o['tensors']] == [t['got'] for t in __import__('json').load(open('$scratch/Q4_K_M.json'))['tensors']]" "$scratch/like.json"

echo "== perplexity agrees with llama.cpp, divergence is ordered"
"$kerf" convert "$model" "$scratch/F32.gguf" --type f32 -q >/dev/null
"$kerf" eval "$scratch/F32.gguf" --text "$text" --ctx 256 --json -q >"$scratch/eval.json"
check 'abs(o["perplexity"] / 37.3873 - 1) < 5e-4 and o["tokens_scored"] == 635' "$scratch/eval.json"
check 'abs(o["perplexity_se"] - 4.316) < 0.01' "$scratch/eval.json"
for type in Q4_0 Q4_K_M Q6_K IQ4_NL; do
  "$kerf" eval "$scratch/$type.gguf" --base "$scratch/F32.gguf" --text "$text" --ctx 256 --json -q >"$scratch/$type.eval.json"
  check 'abs(o["perplexity_base"] / 37.3873 - 1) < 5e-4' "$scratch/$type.eval.json"
done
# Below what the files of llama-quantize cost on this text: 0.00395, 0.0466 and 0.257.
check 'o["kld_mean"] < 0.00395 and o["same_top_percent"] > 95.4' "$scratch/Q6_K.eval.json"
check 'o["kld_mean"] < 0.0466 and o["same_top_percent"] > 86.4' "$scratch/Q4_K_M.eval.json"
check 'o["kld_mean"] < 0.257 and o["kld_median"] <= o["kld_p90"] <= o["kld_p99"] <= o["kld_max"]' "$scratch/Q4_0.eval.json"
"$kerf" eval "$scratch/F32.gguf" --base "$scratch/F32.gguf" --text "$text" --ctx 256 --chunks 1 --json -q >"$scratch/same.json"
check 'o["kld_max"] == 0 and o["same_top_percent"] == 100 and o["perplexity_ratio"] == 1' "$scratch/same.json"

echo "== greedy text equals llama.cpp's for 100 tokens"
"$kerf" run "$scratch/F32.gguf" -p "The history of the saw begins" -n 100 --temperature 0 -q >"$scratch/greedy.txt"
diff "$root/tests/golden/smollm2_greedy.txt" "$scratch/greedy.txt" || fail "greedy text differs"
"$kerf" run "$scratch/F32.gguf" -p "The history of the saw begins" -n 100 --temperature 0 -q --threads 1 | cmp - "$scratch/greedy.txt" ||
  fail "the text depends on the number of threads"
"$kerf" run "$scratch/Q4_0.gguf" -p "Once upon a time" -n 20 --seed 5 -q >"$scratch/a"
"$kerf" run "$scratch/Q4_0.gguf" -p "Once upon a time" -n 20 --seed 5 -q | cmp - "$scratch/a" || fail "a seed does not fix the text"
"$kerf" run "$scratch/F32.gguf" -p "The history of the saw begins" -n 100 --temperature 0 --stop "cut and" --json -q >"$scratch/stop.json"
check 'o["ended_by"] == "stop string" and o["text"].endswith("used it to ")' "$scratch/stop.json"

echo "== bench"
"$kerf" bench "$scratch/Q4_0.gguf" --prompt-tokens 64 --gen-tokens 8 --repeat 1 --json -q >"$scratch/bench.json"
check 'min(o[k] for k in ("prefill_tokens_per_s", "decode_tokens_per_s", "read_gb_per_s", "load_ms", "peak_memory_bytes")) > 0' "$scratch/bench.json"

echo "== errors leave one sentence and no file"
head -c 50000000 "$model" >"$scratch/truncated.gguf"
expect_exit 3 'truncated.gguf' "$kerf" inspect "$scratch/truncated.gguf"
expect_exit 3 'truncated.gguf' "$kerf" quantize "$scratch/truncated.gguf" "$scratch/none.gguf" --type Q4_0
expect_exit 3 'missing.gguf' "$kerf" quantize "$scratch/missing.gguf" "$scratch/none.gguf" --type Q4_0
expect_exit 2 'Q9_9' "$kerf" quantize "$model" "$scratch/none.gguf" --type Q9_9
expect_exit 2 'no-fallback' "$kerf" quantize "$model" "$scratch/none.gguf" --type Q4_K --no-fallback
expect_exit 2 'regular expression' "$kerf" quantize "$model" "$scratch/none.gguf" --type Q4_0 --tensor-type '(=Q8_0'
expect_exit 4 'none.gguf' "$kerf" quantize "$model" /proc/none.gguf --type Q4_0
expect_exit 4 'none.gguf' bash -c 'ulimit -f 1000; exec "$@"' bash "$kerf" quantize "$model" "$scratch/none.gguf" --type Q4_0
expect_exit 2 'context' "$kerf" eval "$scratch/Q4_0.gguf" --text "$text" --ctx 1000000
[ -z "$(find "$scratch" -name 'none.gguf*')" ] || fail "a failed command left a file"

echo "== Ctrl-C ends the work with code 7 and leaves no file"
"$kerf" quantize "$scratch/F32.gguf" "$scratch/none.gguf" --type Q2_K_M --effort 3 --threads 1 -q >/dev/null 2>&1 &
sleep 1
kill -INT $!
code=0
wait $! || code=$?
[ $code -eq 7 ] || fail "an interrupted quantize ended with $code"
[ -z "$(find "$scratch" -name 'none.gguf*')" ] || fail "an interrupted quantize left a file"
echo "all good"
