#!/usr/bin/env bash
# kerf map: the worked page and its drawing, JSON, files, and what it refuses.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"
nine=0.34,3.75,5.64,1.12,2.7,-0.9,-4.7,0.68,1.43

python3 tools/worked_examples.py "$kerf" docs/map.md ||
  fail "the worked page is out of date: tools/worked_examples.py KERF docs/map.md --update"
sed 's/0.355276/0.355277/' docs/map.md >"$scratch/wrong.md"
! python3 tools/worked_examples.py "$kerf" "$scratch/wrong.md" >/dev/null || fail "a wrong page passes"
"$kerf" map --file tests/golden/npy/student.npy --bits 4 --scheme mse --svg "$scratch/map.svg" >/dev/null
cmp "$scratch/map.svg" docs/map.svg ||
  fail "the drawing is out of date: kerf map --file tests/golden/npy/student.npy --bits 4 --scheme mse --svg docs/map.svg"

"$kerf" map --values "$nine" --scheme zero-point --json >"$scratch/map"
check 'o["codes"] == [124, 208, 255, 144, 183, 94, 0, 133, 151]' "$scratch/map"
check 'o["groups"][0]["zero_point"] == 116 and abs(o["groups"][0]["scale"] - 10.34 / 255) < 1e-8' "$scratch/map"
check 'abs(o["errors"]["mean_squared"] - 1.59427e-4) < 1e-9 and o["errors"]["largest_at"] == 1' "$scratch/map"
check 'abs(o["bits_per_weight"] - (8 + 40 / 9)) < 1e-12' "$scratch/map"
check '[s["symbol"] for s in o["steps"]] == ["s", "z"]' "$scratch/map"
"$kerf" map --values "$nine" --scheme all --json >"$scratch/map"
check 'len(o["schemes"]) == 25 and o["not_possible"] == []' "$scratch/map"
"$kerf" map --values 1 --scheme all --json >"$scratch/map"
check '[s["scheme"] for s in o["not_possible"]] == ["entropy"]' "$scratch/map"
"$kerf" map --list --json >"$scratch/map"
check 'len(o["schemes"]) == 26' "$scratch/map"
# The typographic minus, and a value that begins with one.
"$kerf" map --values '−1 2' --json >"$scratch/map"
check 'o["codes"] == [-64, 127]' "$scratch/map"
"$kerf" map --values -1,2 --json >"$scratch/map"
check 'o["codes"] == [-64, 127]' "$scratch/map"
"$kerf" map --values 1,2,3,4 --importance 1,0,0,9 --scheme kmeans --bits 1 --json >"$scratch/map"
check 'o["restored"] == [1, 1, 4, 4]' "$scratch/map"

# Rows, groups and a tensor of a model; the same for any number of threads.
"$kerf" map --file tests/golden/npy/f4.npy --granularity channel --bits 8 --json >"$scratch/map"
check 'o["shape"] == [2, 3] and o["n_groups"] == 2 and o["codes"][:3] == [-127, 0, 1]' "$scratch/map"
"$kerf" map --file tests/golden/npy/f4.npy --rows 1 --json >"$scratch/map"
check 'o["shape"] == [1, 3]' "$scratch/map"
for threads in 1 3; do
  "$kerf" map --file tests/golden/io_v3.gguf --tensor token_embd.weight --granularity group:16 --bits 3 \
    --rounding stochastic --seed 5 --scheme mse -t $threads --json >"$scratch/map$threads"
done
check 'o["shape"] == [5, 64] and o["n_groups"] == 20 and o["seed"] == 5' "$scratch/map1"
cmp "$scratch/map1" "$scratch/map3" || fail "the number of threads shows"

expect_exit 2 'give either' "$kerf" map
expect_exit 2 'no numbers' "$kerf" map --values ' , '
expect_exit 2 '«three» is not a number' "$kerf" map --values 1,three
expect_exit 2 'no scheme «magic»' "$kerf" map --values 1 --scheme magic
expect_exit 2 'fp8-e4m3 or fp8-e5m2' "$kerf" map --values 1 --scheme fp8
expect_exit 2 'cannot map to 8 bits' "$kerf" map --values 1 --scheme ternary --bits 8
expect_exit 2 'cannot map to 99 bits' "$kerf" map --values 1 --bits 99
expect_exit 2 'is symmetric by nature' "$kerf" map --values 1 --scheme absmax --asymmetric
expect_exit 2 'groups of 2 do not divide a row of 3' "$kerf" map --values 1,2,3 --granularity group:2
expect_exit 2 'group:N' "$kerf" map --values 1 --granularity group:-1
expect_exit 2 'nearest-even' "$kerf" map --values 1 --rounding up
expect_exit 2 'f64, f32' "$kerf" map --values 1 --parameters f8
expect_exit 2 'percentile of 0' "$kerf" map --values 1 --scheme percentile --percentile 0
expect_exit 2 'was given none' "$kerf" map --values 1 --scheme weighted-mse
expect_exit 2 'draws one scheme' "$kerf" map --values 1 --scheme all --svg "$scratch/x.svg"
expect_exit 2 'name one of its tensors' "$kerf" map --file tests/golden/io_v3.gguf
expect_exit 2 'has no tensor «x»' "$kerf" map --file tests/golden/io_v3.gguf --tensor x
expect_exit 2 'without names' "$kerf" map --file tests/golden/npy/f4.npy --tensor x
expect_exit 3 'number 1 is nan' "$kerf" map --values 1,nan
expect_exit 3 'beyond binary32' "$kerf" map --values 1e39
expect_exit 3 'at least 2 numbers' "$kerf" map --values 1 --scheme entropy
expect_exit 3 '3 weights for 2 columns' "$kerf" map --values 1,2 --importance 1,2,3
expect_exit 3 'does not fit f16' "$kerf" map --values 1e30 --parameters f16
expect_exit 3 'no numbers to map' "$kerf" map --file tests/golden/npy/empty.npy
expect_exit 3 'pickled' "$kerf" map --file tests/golden/npy/object.npy
expect_exit 3 'No such file' "$kerf" map --file "$scratch/none.npy"
expect_exit 4 'cannot create' "$kerf" map --values 1 --svg "$scratch/none/x.svg"
[ ! -e "$scratch/x.svg" ] || fail "a refused drawing was written"
echo "map: ok"
