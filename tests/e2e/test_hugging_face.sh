#!/usr/bin/env bash
# Hugging Face folders through the whole program: every golden family, and a trained model with a known text
# (stories260K, if the environment variable KERF_MODELS names the folder that holds it).
source "$(dirname "$0")/common.sh"
golden=$root/tests/golden/models
printf 'the thing in the other test, and then 12 more of them %.0s' {1..8} >"$scratch/text"

echo "== a folder and the file made from it are the same model"
for folder in "$golden"/*/; do
  name=$(basename "$folder")
  "$kerf" convert "$folder" "$scratch/$name.gguf" --type keep -q >/dev/null
  "$kerf" verify "$scratch/$name.gguf" >/dev/null || fail "verify finds fault with $name"
  "$kerf" eval "$scratch/$name.gguf" --base "$folder" --text "$scratch/text" --ctx 64 --json -q >"$scratch/eval.json"
  check 'o["kld_max"] < 1e-6 and o["same_top_percent"] == 100' "$scratch/eval.json"
  diff <("$kerf" tokenize "$folder" --file "$scratch/text") <("$kerf" tokenize "$scratch/$name.gguf" --file "$scratch/text") ||
    fail "$name: the file tokenizes otherwise"
done

echo "== errors name what is wrong"
mkdir "$scratch/broken"
cp "$golden/llama/model.safetensors" "$scratch/broken"
expect_exit 3 'config.json' "$kerf" convert "$scratch/broken" "$scratch/none.gguf"
sed 's/"LlamaForCausalLM"/"OtherForCausalLM"/' "$golden/llama/config.json" >"$scratch/broken/config.json"
expect_exit 3 'OtherForCausalLM.*LlamaForCausalLM' "$kerf" convert "$scratch/broken" "$scratch/none.gguf"
sed 's/"vocab_size": 112/"vocab_size": 113/' "$golden/llama/config.json" >"$scratch/broken/config.json"
expect_exit 3 'embed_tokens.*\[112, 64\].*\[113, 64\]' "$kerf" convert "$scratch/broken" "$scratch/none.gguf"
[ ! -e "$scratch/none.gguf" ] || fail "a failed command left a file"

original=${KERF_MODELS:-}/stories260K
if [ ! -f "$original/stories260K.bin" ]; then
  echo "== stories260K left out: KERF_MODELS does not name a folder that holds it"
  exit 0
fi
echo "== stories260K tells its story"
known='Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball.'
python3 "$root/tools/llama2c_to_hf.py" "$original/stories260K.bin" "$original/tok512.model" "$scratch/stories"
"$kerf" quantize "$scratch/stories" "$scratch/stories-q8.gguf" --type Q8_0 -q >/dev/null
for model in "$scratch/stories" "$scratch/stories-q8.gguf"; do
  "$kerf" run "$model" -p '' -n 60 --temperature 0 -q >"$scratch/story.txt"
  grep -qF "$known" "$scratch/story.txt" || fail "the story is another one: $(cat "$scratch/story.txt")"
done
"$kerf" eval "$scratch/stories-q8.gguf" --base "$scratch/stories" --text "$scratch/text" --ctx 64 --json -q >"$scratch/eval.json"
check 'o["kld_mean"] < 0.01' "$scratch/eval.json"
