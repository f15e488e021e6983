#!/usr/bin/env bash
# A real model cut to a file size, held back by the gate, and improved by distillation.
source "$(dirname "$0")/common.sh"
model=$("$root/scripts/fetch-model.sh" 2>"$scratch/fetch") || skip "cannot fetch the model: $(tail -n 1 "$scratch/fetch")"
text=$root/tests/data/essay.txt

echo "== guided importance, a plan, and the file that it promises"
"$kerf" calibrate "$model" "$scratch/guided.gguf" --guided --text "$text" --ctx 128 --windows 2 -q >/dev/null
"$kerf" plan "$model" --imatrix "$scratch/guided.gguf" --target-size 80MB --only-gguf --effort 0 \
  --at-least 'token_embd=Q5_0' --recipe "$scratch/recipe.txt" --json -q >"$scratch/plan.json"
check "0.98 * 80e6 <= o['file_bytes'] <= 80e6 and o['lower_bound'] <= o['loss'] <= 1.02 * o['lower_bound']" "$scratch/plan.json"
"$kerf" quantize "$model" "$scratch/planned.gguf" --recipe "$scratch/recipe.txt" --imatrix "$scratch/guided.gguf" \
  --effort 0 --json -q >"$scratch/planned.json"
check "abs(o['output_bytes'] - $(json "$scratch/plan.json" "o['file_bytes']")) < 1024" "$scratch/planned.json"
check "all(t['got'] == t['asked'] for t in o['tensors'])" "$scratch/planned.json"
"$kerf" verify "$scratch/planned.gguf" >/dev/null || fail "verify finds fault with the file"
"$kerf" plan "$model" --imatrix "$scratch/guided.gguf" --curve 3 --only-gguf --effort 0 --json -q >"$scratch/curve.json"
check "[p['loss'] for p in o['points']] == sorted((p['loss'] for p in o['points']), reverse=True)" "$scratch/curve.json"
expect_exit 2 'too few' "$kerf" plan "$model" --imatrix "$scratch/guided.gguf" --target-size 1MB --only-gguf --effort 0
expect_exit 2 'not a size' "$kerf" plan "$model" --imatrix "$scratch/guided.gguf" --target-size 6parsecs
expect_exit 3 'line|REGEX' "$kerf" quantize "$model" "$scratch/none.gguf" --recipe "$text"

echo "== the gate"
gated() { "$kerf" quantize "$model" "$scratch/gated.gguf" --type Q3_K --pure --gate "$@" --gate-text "$text" --gate-chunks 1 -q; }
expect_exit 5 'not put in place' gated kld=0.00001
[ -z "$(find "$scratch" -name 'gated.gguf*')" ] || fail "a file that did not pass is there"
gated kld=20,top=1 >/dev/null
[ -f "$scratch/gated.gguf" ] || fail "a file that passed is not there"
expect_exit 2 'not a limit' gated size=3
expect_exit 2 'another text' "$kerf" quantize "$model" "$scratch/none.gguf" --type Q4_0 --calib "$text" --gate kld=1 --gate-text "$text"

echo "== distillation in the same bytes"
"$kerf" quantize "$model" "$scratch/q3.gguf" --type Q4_0 --effort 0 -q >/dev/null
"$kerf" distill "$scratch/q3.gguf" "$scratch/better.gguf" --base "$model" --text "$text" --ctx 64 --windows 4 --json -q >"$scratch/distill.json"
check "o['kld_after'] <= o['kld_before'] and o['learned'] > 200" "$scratch/distill.json"
[ "$(stat -c %s "$scratch/better.gguf")" -eq "$(stat -c %s "$scratch/q3.gguf")" ] || fail "the size changed"
"$kerf" verify "$scratch/better.gguf" >/dev/null || fail "verify finds fault with the file"
expect_exit 3 'window' "$kerf" distill "$scratch/q3.gguf" "$scratch/none.gguf" --base "$model" --text "$root/tests/data/essay.txt" --ctx 2048
