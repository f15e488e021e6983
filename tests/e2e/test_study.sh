#!/usr/bin/env bash
# kerf study: what it prints and writes, that it repeats, and how it refuses.
source "$(dirname "$0")/common.sh"

# A matrix of 24 rows of 96 numbers, one column of which is large; the same with a NaN; and only a vector.
python3 - "$scratch" <<'PY'
import json, math, struct, sys
def write(name, shape, values):
    head = json.dumps({"blk.0.ffn_up.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * len(values)]}}).encode()
    with open(f"{sys.argv[1]}/{name}.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(head)) + head + struct.pack(f"<{len(values)}f", *values))
x = [math.sin(0.7 * i) * (9 if i % 96 == 41 else 1) for i in range(24 * 96)]
write("model", [24, 96], x)
x[5 * 96 + 3] = math.nan
write("broken", [24, 96], x)
write("vector", [96], [1.0] * 96)
PY
model=$scratch/model.safetensors

"$kerf" study "$model" --source gaussian,uniform --samples 4 --no-speed --json >"$scratch/study.json"
check 'o["sources"][0]["source"] == "model" and [s["source"] for s in o["sources"][1:]] == ["gaussian", "uniform"]' "$scratch/study.json"
check 'o["model"]["heaviest_columns"][0]["column"] == 41' "$scratch/study.json"
check 'not any(f["below_bound"] for s in o["sources"] for f in s["formats"])' "$scratch/study.json"
check '"Q4_K" in o["sources"][0]["do_not_fit"]' "$scratch/study.json"
check 'not any("encode_gb_s" in f for s in o["sources"] for f in s["formats"])' "$scratch/study.json"

"$kerf" study --source gaussian --samples 2 --format Q4_0 --json >"$scratch/speed.json"
check 'o["sources"][0]["formats"][0]["encode_gb_s"] > 0 and o["sources"][0]["formats"][0]["decode_gb_s"] > 0' "$scratch/speed.json"

# The same bytes for any number of threads.
"$kerf" study "$model" --no-speed --samples 4 -t 1 --html "$scratch/one.html" >"$scratch/one"
"$kerf" study "$model" --no-speed --samples 4 -t 4 --html "$scratch/four.html" >"$scratch/four"
cmp "$scratch/one" "$scratch/four" || fail "the text depends on the threads"
cmp "$scratch/one.html" "$scratch/four.html" || fail "the page depends on the threads"
grep -q "<svg" "$scratch/one.html" || fail "the page has no chart"

expect_exit 2 'no distribution «cauchy»; there are gaussian' "$kerf" study --source cauchy
expect_exit 2 'finite variance only above 2' "$kerf" study --source student-t --nu 2
expect_exit 2 'no format «Q9_Z»' "$kerf" study --format Q9_Z
expect_exit 2 'F64 can be read but not written' "$kerf" study --format f64
expect_exit 2 'nf4 has 4 to 4 bits, not 5' "$kerf" study --format nf4:5/64
expect_exit 2 'group:N or channel' "$kerf" study --mappings tensor
expect_exit 2 'leaves nothing to study' "$kerf" study --format none
expect_exit 2 'nothing to study' "$kerf" study --source none
expect_exit 2 'not among the formats' "$kerf" study --format Q4_0 --levels Q8_0
expect_exit 2 'not a regular expression' "$kerf" study "$model" --tensor '('
expect_exit 2 'no whole number of blocks' "$kerf" study --format Q4_0 --row-length 33
expect_exit 3 'no tensor whose name matches «attn»' "$kerf" study "$model" --tensor attn
expect_exit 3 'NaN at row 5, column 3' "$kerf" study "$scratch/broken.safetensors"
expect_exit 3 'has no matrices' "$kerf" study "$scratch/vector.safetensors"
expect_exit 3 'none.gguf' "$kerf" study "$scratch/none.gguf"
expect_exit 3 'test_study.sh' "$kerf" study "$0"
expect_exit 4 'nowhere' "$kerf" study --source uniform --samples 1 --no-speed --html "$scratch/nowhere/page.html"
