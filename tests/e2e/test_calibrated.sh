#!/usr/bin/env bash
# Calibrated quantization of a real model: killed at random moments and resumed, within a memory limit, stopped
# by Ctrl-C, better than plain rounding, and clear about what it cannot do.
source "$(dirname "$0")/common.sh"
model=$("$root/scripts/fetch-model.sh" 2>"$scratch/fetch") || skip "cannot fetch the model: $(tail -n 1 "$scratch/fetch")"
text=$root/tests/data/essay.txt
"$kerf" convert "$model" "$scratch/F16.gguf" --type f16 -q >/dev/null
# Of the weights of the first layers, and the embedding.
options=(--type keep --embedding-type Q8_0 --tensor-type 'blk\.[0-4]\..*_(q|k|v|output|gate|up|down)\.=Q4_0'
  --calib "$text" --calib-tokens 1024 --calib-ctx 128)
quantize() { # OUTPUT OPTIONS…
  "$kerf" quantize "$scratch/F16.gguf" "$@" "${options[@]}"
}
seconds() { python3 -c 'import random; print(round(random.uniform(0.05, 0.9), 2))'; }

echo "== within a limit of memory, and better than plain rounding"
quantize "$scratch/whole.gguf" --method gptq --max-ram 180M --json -q >"$scratch/whole.json"
check "o['peak_memory_bytes'] < 180 * 2**20" "$scratch/whole.json"
check "all(t['output_error'] <= 1.02 * t['plain_output_error'] for t in o['tensors'] if t['got'] == 'Q4_0')" "$scratch/whole.json"
check "o['method'] == 'gptq' and o['calibration']['tokens'] == 1024" "$scratch/whole.json"
"$kerf" verify "$scratch/whole.gguf" >/dev/null || fail "verify finds fault with the file"

echo "== killed at 20 random moments, and still the same bytes"
kills=0
until [ -f "$scratch/killed.gguf" ]; do
  if [ "$kills" -lt 20 ]; then
    # Not the function, or $! would be a shell around the program.
    "$kerf" quantize "$scratch/F16.gguf" "$scratch/killed.gguf" --method gptq --resume -q "${options[@]}" >/dev/null 2>&1 &
    sleep "$(seconds)"
    kill -9 $! 2>/dev/null && kills=$((kills + 1))
    wait $! 2>/dev/null || true
  else
    quantize "$scratch/killed.gguf" --method gptq --resume -q >/dev/null
  fi
done
echo "   ($kills kills)"
cmp "$scratch/killed.gguf" "$scratch/whole.gguf" || fail "the resumed run made other bytes"
[ ! -e "$scratch/killed.gguf.part" ] || fail "the part file is still there"

echo "== Ctrl-C ends in code 7, and --resume goes on"
"$kerf" quantize "$scratch/F16.gguf" "$scratch/stopped.gguf" --method gptq -q "${options[@]}" >/dev/null 2>"$scratch/stderr" &
for _ in $(seq 600); do # until more than the embedding (30 MB) is finished
  [ "$(stat -c %s "$scratch/stopped.gguf.part" 2>/dev/null || echo 0)" -lt 31000000 ] || break
  sleep 0.05
done
kill -TERM $!
code=0
wait $! || code=$?
if [ "$code" -ne 0 ]; then
  [ "$code" -eq 7 ] || fail "Ctrl-C ended in $code: $(cat "$scratch/stderr")"
  grep -q -- "--resume" "$scratch/stderr" || fail "it is not said how to go on: $(cat "$scratch/stderr")"
  expect_exit 2 'stopped.gguf.part.*--resume' quantize "$scratch/stopped.gguf" --method gptq
  expect_exit 2 '--calib-seed has changed: it was 0, now it is 3' quantize "$scratch/stopped.gguf" --method gptq --calib-seed 3 --resume
  quantize "$scratch/stopped.gguf" --method gptq --threads 1 --resume -q >/dev/null
fi
cmp "$scratch/stopped.gguf" "$scratch/whole.gguf" || fail "the resumed run made other bytes"

echo "== a dry run writes nothing and knows size, memory and time"
quantize "$scratch/none.gguf" --method gptq --max-ram 180M --dry-run --json -q >"$scratch/dry.json"
check "o['output_bytes'] == $(stat -c %s "$scratch/whole.gguf")" "$scratch/dry.json"
check "o['peak_memory_bytes'] <= 180 * 2**20 and o['seconds'] > 0" "$scratch/dry.json"

echo "== auto says what it picks, and a turned model is the same model"
"$kerf" quantize "$scratch/F16.gguf" "$scratch/none.gguf" "${options[@]}" --method auto --dry-run >/dev/null 2>"$scratch/stderr"
grep -q 'auto picks guided' "$scratch/stderr" || fail "what did auto pick? $(cat "$scratch/stderr")"
"$kerf" quantize "$scratch/F16.gguf" "$scratch/turned.gguf" --type F16 --pure --rotate 3 -q >/dev/null
"$kerf" eval "$scratch/turned.gguf" --base "$scratch/F16.gguf" --text "$text" --chunks 1 --json -q >"$scratch/turned.json"
check "o['kld_mean'] < 1e-4" "$scratch/turned.json"

echo "== bad input"
printf 'One.' >"$scratch/short.txt"
printf '{"text": "a"}\n{"body": "b"}\n' >"$scratch/fields.jsonl"
bad() { "$kerf" quantize "$scratch/F16.gguf" "$scratch/none.gguf" --type Q4_0 "$@"; }
expect_exit 2 'gptq needs texts' bad --method gptq
expect_exit 2 'hqq reads no texts' bad --method hqq --calib "$text"
expect_exit 2 'unknown method .magic.; there are rtn' bad --method magic
expect_exit 3 'short.txt.*tokens, less than one window' bad --calib "$scratch/short.txt"
expect_exit 3 'null: the calibration texts have 0 tokens' bad --calib /dev/null
expect_exit 3 'fields.jsonl: line 2' bad --calib "$scratch/fields.jsonl"
expect_exit 3 'missing.txt' bad --calib "$scratch/missing.txt"
expect_exit 4 'max-ram: 20M is not enough.*takes [0-9]+M' bad --calib "$text" --max-ram 20M
expect_exit 2 'max-ram' bad --calib "$text" --max-ram lots
[ -z "$(find "$scratch" -name 'none*')" ] || fail "a failed command left a file"
echo "all good"
