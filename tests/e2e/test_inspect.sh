#!/usr/bin/env bash
# kerf inspect and kerf verify: what they print, what they find, and their exit codes.
set -euo pipefail
kerf=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
model=$root/tests/golden/io_v3.gguf
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
die() { echo "FAILED: $*"; exit 1; }

"$kerf" inspect "$model" --json >"$scratch/inspect.json"
python3 - "$scratch/inspect.json" <<'PY' || die "inspect --json"
import json, sys
m = json.load(open(sys.argv[1]))
assert m["format"] == "gguf" and m["architecture"] == "llama", m
assert m["parameters"] == 1 + 5 * 64 + 64 + 2 * (2 * 3 * 32), m["parameters"]
assert sum(t["bytes"] for t in m["tensors"]) == m["tensor_bytes"] < m["file_bytes"]
assert abs(m["bpw"] - 8 * m["tensor_bytes"] / m["parameters"]) < 1e-9
embedding = {"name": "token_embd.weight", "type": "F16", "shape": [5, 64], "bytes": 640, "bpw": 16.0, "role": "embedding"}
assert embedding in m["tensors"], m["tensors"]
assert m["metadata"]["a.u64"] == 2**64 - 1 and m["metadata"]["a.bool"] is True and m["metadata"]["a.i64"] == -(2**63)
PY
"$kerf" inspect "$model" --tensors --metadata >"$scratch/text"
grep -q "Größe 模型" "$scratch/text" || die "metadata is not shown"
grep -q "blk.0.attn_norm.weight" "$scratch/text" || die "tensors are not shown"
"$kerf" inspect "$root/tests/golden/io_dtypes.safetensors" | grep -q "F8_E4M3" || die "safetensors"
"$kerf" inspect "$root/tests/golden/io_split-00003-of-00003.gguf" | grep -q "in 5 tensors" || die "shards"

code=0; "$kerf" inspect "$root/tests/hostile/gguf/dims_wrap_to_zero.gguf" 2>"$scratch/error" || code=$?
[ $code -eq 3 ] || die "a broken file gives exit code $code"
grep -q "wraps 64 bits" "$scratch/error" || die "the reason is not told"
code=0; "$kerf" inspect "$scratch/none.gguf" 2>/dev/null || code=$?
[ $code -eq 3 ] || die "a missing file gives exit code $code"

"$kerf" verify "$model" >/dev/null || die "a sound file is called broken"
"$kerf" verify --help >/dev/null || die "verify --help"
# The 5th number of the norm becomes NaN. The scalar, 1.5, comes first in the data, then the embedding.
python3 - "$model" "$scratch/broken.gguf" <<'PY'
import struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.rfind(struct.pack("<f", 1.5) + bytes(28)) + 32 + 640 + 4 * 4
data[at:at + 4] = struct.pack("<f", float("nan"))
open(sys.argv[2], "wb").write(data)
open(sys.argv[2] + ".at", "w").write(str(at))
PY
code=0; "$kerf" verify "$scratch/broken.gguf" --json >"$scratch/report" || code=$?
[ $code -eq 3 ] || die "a NaN gives exit code $code"
python3 - "$scratch/report" "$(cat "$scratch/broken.gguf.at")" <<'PY' || die "the NaN is not located"
import json, sys
report = json.load(open(sys.argv[1]))
(bad,) = report["bad_tensors"]
assert bad["name"] == "blk.0.attn_norm.weight" and bad["bad_blocks"] == 1 and bad["first_bad_block"] == 4, bad
assert bad["offset"] == int(sys.argv[2]) and not report["sound"], bad
PY
echo "inspect and verify: ok"
