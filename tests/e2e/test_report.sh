#!/usr/bin/env bash
# kerf report: two files of a real model side by side; page, JSON and card belong together.
source "$(dirname "$0")/common.sh"
model=$("$root/scripts/fetch-model.sh" 2>"$scratch/fetch") || skip "cannot fetch the model: $(tail -n 1 "$scratch/fetch")"
text=$root/tests/data/essay.txt

"$kerf" quantize "$model" "$scratch/a.gguf" --type Q3_K --pure --effort 0 -q >/dev/null
cp "$model" "$scratch/same.gguf"
report() { "$kerf" report "$@" --base "$model" --text "$text" --ctx 64 --chunks 1 -q; }

echo "== page, JSON and card"
report "$scratch/a.gguf" "$scratch/same.gguf" -o "$scratch/page.html" --json >"$scratch/stdout.json"
cmp "$scratch/page.json" "$scratch/stdout.json" || fail "the JSON beside the page is not the one on stdout"
check "set(o) == {'base', 'text', 'files'} and len(o['files']) == 2" "$scratch/page.json"
check "all(f['on_frontier'] for f in o['files'])" "$scratch/page.json"
check "o['files'][0]['eval']['kld_mean'] > 0 and abs(o['files'][1]['eval']['kld_mean']) < 1e-9" "$scratch/page.json"
check "all(t['relative_error'] == 0 and t['before'] == t['after'] for t in o['files'][1]['tensors'])" "$scratch/page.json"
check "all(1e-5 < t['relative_error'] < 0.2 for t in o['files'][0]['tensors'] if t['type'] == 'Q3_K')" "$scratch/page.json"
check "'--type Q3_K' in o['files'][0]['command'] and o['files'][1]['command'] is None" "$scratch/page.json"
tail='o["files"][0]["eval"]["kld_tail"]'
check "$tail[-1]['kld'] == o['files'][0]['eval']['kld_max'] and $tail == sorted($tail, key=lambda p: p['kld'])" "$scratch/page.json"
sum=$(sha256sum "$scratch/a.gguf" | cut -d' ' -f1)
check "o['files'][0]['sha256'] == '$sum'" "$scratch/page.json"
check "o['files'][0]['bytes'] == $(stat -c %s "$scratch/a.gguf")" "$scratch/page.json"
grep -q "$sum" "$scratch/page.md" || fail "the card has no checksum"
grep -q "$sum" "$scratch/page.html" || fail "the page has no checksum"
grep -q "<script" "$scratch/page.html" && fail "the page has a script"

echo "== the evaluation is that of kerf eval"
"$kerf" eval "$scratch/a.gguf" --base "$model" --text "$text" --ctx 64 --chunks 1 --json -q >"$scratch/eval.json"
check "o['kld_mean'] == $(json "$scratch/page.json" "o['files'][0]['eval']['kld_mean']")" "$scratch/eval.json"

echo "== the same page for any number of threads"
report "$scratch/a.gguf" "$scratch/same.gguf" -o "$scratch/one.html" --card "$scratch/card.txt" -t 1 >/dev/null
cmp "$scratch/page.html" "$scratch/one.html" || fail "the page depends on the threads"
cmp "$scratch/page.md" "$scratch/card.txt" || fail "the card depends on its name"

echo "== refusals leave nothing behind"
expect_exit 2 'three names' report "$scratch/a.gguf" -o "$scratch/none.json"
expect_exit 3 'none.gguf' report "$scratch/none.gguf" -o "$scratch/none.html"
expect_exit 4 'nowhere' report "$scratch/a.gguf" -o "$scratch/nowhere/page.html"
[ -z "$(find "$scratch" -name 'none*')" ] || fail "something was left behind"
