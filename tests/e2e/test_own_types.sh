#!/usr/bin/env bash
# kerf's own types on a real model: calibrated, quantized, listed, verified, measured.
source "$(dirname "$0")/common.sh"
model=$("$root/scripts/fetch-model.sh" 2>"$scratch/fetch") || skip "cannot fetch the model: $(tail -n 1 "$scratch/fetch")"
text=$root/tests/data/essay.txt
"$kerf" convert "$model" "$scratch/F16.gguf" --type f16 -q >/dev/null

cost() { # FILE: divergence from the base
  "$kerf" eval "$1" --base "$scratch/F16.gguf" --text "$text" --ctx 256 --json -q >"$1.json"
  json "$1.json" 'o["kld_mean"]'
}

echo "== calibration: parts merge to the same bytes as the whole, and what it finds counts"
"$kerf" calibrate "$scratch/F16.gguf" "$scratch/whole.gguf" --text "$text" --ctx 128 --state "$scratch/whole.state" -q >/dev/null
for part in 1 2; do
  "$kerf" calibrate "$scratch/F16.gguf" "$scratch/part.gguf" --text "$text" --ctx 128 --part $part/2 --state "$scratch/part$part.state" -q >/dev/null
done
"$kerf" calibrate "$scratch/F16.gguf" "$scratch/merged.gguf" --ctx 128 --merge "$scratch/part2.state" "$scratch/part1.state" \
  --state "$scratch/merged.state" -q >/dev/null
cmp "$scratch/whole.state" "$scratch/merged.state" || fail "merged parts are not the whole"
"$kerf" quantize "$scratch/F16.gguf" "$scratch/plain.gguf" --type IQ4_NL -q >/dev/null
"$kerf" quantize "$scratch/F16.gguf" "$scratch/weighted.gguf" --type IQ4_NL --imatrix "$scratch/whole.gguf" -q >/dev/null
python3 -c "import sys; sys.exit(not $(cost "$scratch/weighted.gguf") < 0.8 * $(cost "$scratch/plain.gguf"))" ||
  fail "weighing columns does not help: $(cost "$scratch/weighted.gguf"), $(cost "$scratch/plain.gguf") without"

echo "== types of kerf's own: smaller costs more, and every file is sound"
last=0
for type in UINT6_G32_F8 K4.5 NF4_DQ; do
  "$kerf" quantize "$scratch/F16.gguf" "$scratch/own.gguf" --type $type --imatrix "$scratch/whole.gguf" --json -q >"$scratch/own.json"
  check "all(t['got'] in ('$type', 'F32', 'UINT6_G32_F8') and t['asked'] == t['got'] for t in o['tensors'])" "$scratch/own.json"
  "$kerf" verify "$scratch/own.gguf" >/dev/null || fail "verify finds fault with our own $type"
  "$kerf" inspect "$scratch/own.gguf" --json >"$scratch/inspect.json"
  check "sum(t['type'] == '$type' for t in o['tensors']) in (210, 211)" "$scratch/inspect.json"
  now=$(cost "$scratch/own.gguf")
  python3 -c "import sys; sys.exit(not $last < $now < 0.5)" || fail "$type costs $now, the wider type before it $last"
  last=$now
done
"$kerf" quantize "$scratch/F16.gguf" "$scratch/threads.gguf" --type NF4_DQ --imatrix "$scratch/whole.gguf" --threads 1 -q >/dev/null
cmp "$scratch/own.gguf" "$scratch/threads.gguf" || fail "the bytes depend on the number of threads"
"$kerf" run "$scratch/own.gguf" -p "The saw is" -n 5 -q >/dev/null || fail "a file of own types does not run"
"$kerf" convert "$scratch/own.gguf" "$scratch/back.gguf" --type f16 -q >/dev/null
"$kerf" inspect "$scratch/back.gguf" --json >"$scratch/inspect.json"
check "all(t['type'] in ('F16', 'F32') for t in o['tensors'])" "$scratch/inspect.json"

echo "== quantized activations"
"$kerf" calibrate "$scratch/F16.gguf" "$scratch/ranges.gguf" --text "$text" --windows 2 --ctx 128 --observe min-max --state "$scratch/ranges.state" -q >/dev/null
"$kerf" eval "$scratch/F16.gguf" --text "$text" --ctx 128 --chunks 2 --weights int8:row --activations int8:static --calibration "$scratch/ranges.state" --base "$scratch/F16.gguf" --json -q >"$scratch/act.json"
check '0 < o["kld_mean"] < 1.5 and o["activations"]["range"] == "min-max"' "$scratch/act.json"
expect_exit 3 'weights int8:row' "$kerf" eval "$scratch/F16.gguf" --text "$text" --ctx 128 --chunks 2 --activations int8:token
expect_exit 2 'TYPE:SCOPE' "$kerf" eval "$scratch/F16.gguf" --text "$text" --activations int7:token
expect_exit 3 'F16.gguf' "$kerf" eval "$scratch/F16.gguf" --text "$text" --weights int8:row --activations int8:static --calibration "$scratch/F16.gguf"

echo "== bad input"
expect_exit 2 'K9' "$kerf" quantize "$scratch/F16.gguf" "$scratch/none.gguf" --type K9
expect_exit 3 'not an importance matrix' "$kerf" quantize "$scratch/F16.gguf" "$scratch/none.gguf" --type K4 --imatrix "$scratch/F16.gguf"
expect_exit 3 'missing.gguf' "$kerf" quantize "$scratch/F16.gguf" "$scratch/none.gguf" --type K4 --imatrix "$scratch/missing.gguf"
expect_exit 2 'effort' "$kerf" quantize "$scratch/F16.gguf" "$scratch/none.gguf" --type K4 --effort 9
expect_exit 2 'state' "$kerf" calibrate "$scratch/F16.gguf" "$scratch/none.gguf" --text "$text" --observe histogram
expect_exit 2 'observer' "$kerf" calibrate "$scratch/F16.gguf" "$scratch/none.gguf" --text "$text" --observe minmax --state "$scratch/none.state"
expect_exit 2 'part' "$kerf" calibrate "$scratch/F16.gguf" "$scratch/none.gguf" --text "$text" --part 3/2
expect_exit 3 'tokens' "$kerf" calibrate "$scratch/F16.gguf" "$scratch/none.gguf" --text /dev/null
[ -z "$(find "$scratch" -name 'none*')" ] || fail "a failed command left a file"
echo "all good"
