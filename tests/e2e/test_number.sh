#!/usr/bin/env bash
# kerf number and kerf memory: the worked pages, JSON, and what they refuse.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

python3 "$root/tools/worked_examples.py" "$kerf" "$root/docs/numbers.md" "$root/docs/memory.md" ||
  fail "a worked page is out of date: tools/worked_examples.py KERF PAGE --update"
# The comparison is not blind: a page with one wrong digit is refused.
sed 's/1.5703125/1.5703126/; s/0x5D/0x5C/' "$root/docs/numbers.md" >"$scratch/wrong.md"
! python3 "$root/tools/worked_examples.py" "$kerf" "$scratch/wrong.md" >/dev/null || fail "a wrong page passes"

"$kerf" number 25.125 --format fp32,UQ5.3 --json >"$scratch/number"
check 'o["formats"][0]["hex"] == "0x41C90000" and o["formats"][0]["biased_exponent"] == 131' "$scratch/number"
check 'o["formats"][1]["bits"] == "11001001" and o["formats"][1]["highest"] == "31.875"' "$scratch/number"
check 'all(f["exact"] and f["steps"] for f in o["formats"])' "$scratch/number"
"$kerf" number 0.1 --format fp16 --json >"$scratch/number"
check 'o["formats"][0]["value"] == "0.0999755859375" and not o["formats"][0]["exact"]' "$scratch/number"
"$kerf" number -inf --format e5m2 --json >"$scratch/number"
check 'o["formats"][0]["value"] == "-57344" and o["formats"][0]["fate"] == "saturated"' "$scratch/number"
"$kerf" number --bits 0x7F --format e4m3 --json >"$scratch/number"
check 'o["formats"][0]["value"] == "nan" and o["formats"][0]["value_number"] is None' "$scratch/number"

expect_exit 2 'abc» is not a number' "$kerf" number abc
expect_exit 2 'which number' "$kerf" number ""
expect_exit 2 'which number' "$kerf" number
expect_exit 2 'exponents beyond' "$kerf" number 1e999999
expect_exit 2 'exponents beyond' "$kerf" number -1e-999999
expect_exit 2 'a number of 5000 characters' "$kerf" number "$(printf '1%.0s' {1..5000})"
expect_exit 2 'is 199 bits wide' "$kerf" number 1 --format q99.99
expect_exit 2 'no number format «fp7»' "$kerf" number 1 --format fp7
expect_exit 2 'does not fit the 8 bits' "$kerf" number --bits 0x1FF --format e4m3
expect_exit 2 'wrong digit' "$kerf" number --bits 0xZZ
expect_exit 2 'no format of the list has 20 bits' "$kerf" number --bits 0x12345
expect_exit 2 'not both' "$kerf" number 1 --bits 0x1
expect_exit 2 'finite number above 0' "$kerf" number 1 --scale 0
expect_exit 2 'nearest-even' "$kerf" number 1 --rounding up

"$kerf" memory --params 70B --json >"$scratch/memory"
check 'any(w["type"] == "4 bits" and w["bytes"] == 35e9 for w in o["weights_by_type"])' "$scratch/memory"
"$kerf" memory llama-65b --mode qlora --rank 64 --json >"$scratch/memory"
check '44.65e9 < o["total_bytes"] < 44.75e9 and sum(t["bytes"] for t in o["terms"]) == o["total_bytes"]' "$scratch/memory"
"$kerf" memory "$root/tests/golden/models/llama" --json >"$scratch/folder"
"$kerf" memory "$root/tests/golden/models/llama/config.json" --json >"$scratch/config"
check "o['parameters'] == $(json "$scratch/folder" 'o["parameters"]')" "$scratch/config"
"$kerf" inspect "$root/tests/golden/models/llama" --json >"$scratch/inspect"
check "o['tensor_bytes'] == $(json "$scratch/folder" 'o["terms"][0]["bytes"]')" "$scratch/inspect"

expect_exit 2 'which model' "$kerf" memory
expect_exit 3 'no such file' "$kerf" memory no-such-model
expect_exit 2 'not a number of parameters' "$kerf" memory --params -70e9
expect_exit 2 'not a number of parameters' "$kerf" memory --params 70e99
expect_exit 2 'no format «Q9»' "$kerf" memory llama-7b --type Q9
expect_exit 2 'has its own' "$kerf" memory llama-7b --type Q4_K --group 32
expect_exit 2 'tokens in' "$kerf" memory llama-7b --context 0 --batch 0
expect_exit 2 'all are needed' "$kerf" memory --layers 80
echo "number and memory: ok"
