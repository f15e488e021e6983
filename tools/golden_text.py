#!/usr/bin/env python3
"""Golden vectors for src/kerf/text: small tokenizers trained here, with the ids that other programs give to
awkward texts, and hashes of the ids that real tokenizers give to real texts.

Usage: golden_text.py TEXT_FILE [TOKENIZERS_FOLDER DATA_FOLDER]
TEXT_FILE trains the small ones. Made with tokenizers 0.23, sentencepiece 0.2, Python 3.11. There is no seed; the
Unigram trainer orders equals anew in every run, so vocabularies and answers belong together.
Writes tests/golden/text/*.json and *.model.
"""
import gzip
import json
import os
import pathlib
import sys
import tempfile

os.environ["RAYON_NUM_THREADS"] = "1"  # the order of sums decides the last digits of scores

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/text"
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

NASTY = [
    "", " ", "  ", "\n", "a", " a", "a ", "  a  b   c", "\t\tx\n\n\ny \r\n z", "Hello, world! It's the '90s.",
    "I'LL we'Ve THEY'RE 'S 'ſ x'ſa don't''t", "1 22 333 4444 55555 3.14159 1,000,000", "½ ² ٣٤٥ Ⅷ ① 12½",
    "naïve café e\u0301 a\u0308\u0301 \u0301 x\u0301y", "Å Å Å ﬁ ﬀ ſ ẛ̣ ᵃ ™ Ω", "日本語のテキスト、全角！１２３",
    "中文 分词 测试。没有空格的句子", "한국어 문장 각 \u1112\u1161\u11ab", "مرحبا بالعالم ١٢٣ السَّلَامُ",
    "हिन्दी नमस्ते", "ไทยไม่มีช่องว่าง", "Ελληνικά Русский Українська ЁЖ", "👍🏽 👨‍👩‍👧‍👦 🇩🇪🇫🇷 ❤️ 😀😀😀",
    "\u200b\u200d\ufeff\u00ad\u2028\u2029\u0085\u00a0\u3000\u180e", "\x00\x01\x02 a\x00b \x7f", "\ufffd \uffff \U0010ffff \U0010ff41",
    "a" * 300, " " * 300, "\n" * 100 + "x", "ab" * 200, "!?" * 100, "\u0301" * 60, "😀" * 70, " \n" * 60 + "end",
    "<s></s><unk> <s> text</s>\n<|end|> x<|end|>y <0x41> ▁ ▁▁x", "[KEEP] a[KEEP]b  [KEEP]  word wordy sword word",
    "def f(x):\n    return x**2  # comment\n\n\tif x != y: pass\r\n", "http://example.com/a?b=c&d=%20#e",
    "{\"k\": [1, 2.5e-3, null]}", "𝓗𝓮𝓵𝓵𝓸 𝟙𝟚𝟛", "Ǆ ǅ ǆ İ ı ß ẞ", "\u212b \u2126 \u1e9b\u0323 \uac00\u11a8 \u0958 \ufb01 \u2260 =\u0338 \u0344 \u0f73",
    "x\u0915\u094d\u0937y", "''''' \"\"\" ``` --- ...",
]


def lines(path):
    return [line + "\n" for line in pathlib.Path(path).read_text(encoding="utf8").split("\n")[:4000]]


def byte_level(text, regex, special):
    t = Tokenizer(models.BPE(ignore_merges=True))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(regex), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(text, trainers.BpeTrainer(
        vocab_size=500, special_tokens=[special], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    return t


def gpt2_like(text):
    t = byte_level(text, CL100K, "<|end|>")
    t.model.ignore_merges = False
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.add_tokens([AddedToken("[KEEP]", lstrip=True, rstrip=True, normalized=True),
                  AddedToken("word", single_word=True, normalized=False)])
    return t


def llama3_like(text):
    t = byte_level(text, CL100K, "<|end|>")
    t.post_processor = processors.TemplateProcessing(
        single="<|end|> $A", special_tokens=[("<|end|>", t.token_to_id("<|end|>"))])
    return t


def gpt4o_like(text):
    return byte_level(text, GPT4O, "<|end|>")


def falcon_like(text):
    """Steps behind ByteLevel work on its alphabet."""
    t = byte_level(text, CL100K, "<|end|>")
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")])
    return t


def llama2_like(text):
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    # Trained with words apart, used without: merges never cross a blank.
    t.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator(text, trainers.BpeTrainer(vocab_size=700, special_tokens=special, limit_alphabet=90,
                                                    show_progress=False))
    saved = json.loads(t.to_str())
    saved["pre_tokenizer"] = None
    saved["added_tokens"] = saved["added_tokens"][:3]
    t = Tokenizer.from_str(json.dumps(saved))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return t


def unigram(text):
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.StripAccents(),
                                         normalizers.Replace(Regex(" {2,}"), " "), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    t.decoder = decoders.Metaspace(prepend_scheme="first")
    t.train_from_iterator(text, trainers.UnigramTrainer(
        vocab_size=500, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>", show_progress=False))
    saved = json.loads(t.to_str())
    # Scores as other programs store them.
    for entry in saved["model"]["vocab"]:
        entry[1] = round(entry[1], 3)
    return Tokenizer.from_str(json.dumps(saved))


def expected(t):
    """Per text: ids as ordinary text, ids with special tokens, and the first decoded."""
    special = {t.token_to_id(name) for name in ("<s>", "</s>", "<|end|>")}
    result = {"plain": [], "special": [], "decoded": []}
    for text in NASTY:
        t.encode_special_tokens = True
        ids = t.encode(text, add_special_tokens=False).ids
        # A Unigram model of this library can choose special tokens by score; kerf never does.
        usable = not special & set(ids)
        result["plain"].append(ids if usable else None)
        result["decoded"].append(t.decode(ids, skip_special_tokens=True) if usable else None)
        t.encode_special_tokens = False
        result["special"].append(t.encode(text, add_special_tokens=True).ids)
    return result


def sentencepiece_model(name, path, kind):
    sentencepiece.SentencePieceTrainer.train(
        input=str(path), model_prefix=str(OUT / name), model_type=kind, vocab_size=600, byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, hard_vocab_limit=False, num_threads=1,
        input_sentence_size=2000, shuffle_input_sentence=False, minloglevel=2)
    (OUT / f"{name}.vocab").unlink()
    sp = sentencepiece.SentencePieceProcessor(model_file=str(OUT / f"{name}.model"))
    # A zero byte ends a text for SentencePiece's interface.
    return {"plain": [sp.encode(text) if "\0" not in text else None for text in NASTY]}


def fnv1a(ids):
    h = 0xCBF29CE484222325
    for i in ids:
        for byte in i.to_bytes(4, "little"):
            h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def real(tokenizers, data):
    result = {}
    for folder in sorted(p for p in pathlib.Path(tokenizers).iterdir() if p.is_dir()):
        t = Tokenizer.from_str(gzip.decompress((folder / "tokenizer.json.gz").read_bytes()).decode())
        ids = {path.name: t.encode(path.read_bytes().decode(), add_special_tokens=False).ids
               for path in sorted(pathlib.Path(data).iterdir()) if path.stat().st_size > 10000}
        result[folder.name] = {
            "files": {name: {"count": len(i), "fnv1a": fnv1a(i)} for name, i in ids.items()},
            "nasty": [fnv1a(t.encode(text, add_special_tokens=True).ids) for text in NASTY]}
    return result


def charsmap():
    """Compiled rules of a SentencePiece model with a handful of rewrites, and what it makes of texts."""
    rules = [("\ufb01", "fi"), ("\u212b", "\u00c5"), ("e\u0301", "é"), ("e", "E"), ("abc", "x"), ("ab", "yz"), ("\u200b", ""),
             ("１", "1"), ("가", "ga")]
    hexes = [f"{' '.join(f'{ord(c):X}' for c in a)}\t{' '.join(f'{ord(c):X}' for c in b)}" for a, b in rules]
    with tempfile.TemporaryDirectory() as folder:
        tsv, corpus = pathlib.Path(folder, "rules.tsv"), pathlib.Path(folder, "corpus.txt")
        tsv.write_text("\n".join(hexes) + "\n", encoding="utf8")
        corpus.write_text("\n".join(c * 3 + " " + d for c in "abcdefgh" for d in "xyz") + "\n")
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=f"{folder}/m", vocab_size=40, hard_vocab_limit=False,
            normalization_rule_tsv=str(tsv), minloglevel=2, num_threads=1)
        model = sentencepiece_model_pb2.ModelProto.FromString(pathlib.Path(folder, "m.model").read_bytes())
        return model.normalizer_spec.precompiled_charsmap


def steps():
    """Single steps: a description of the step, a text, and what it makes of it."""
    def of(kind, step, answer):
        spec = json.loads(step.__getstate__())
        return [{kind: spec, "text": text, "out": answer(text)} for text in NASTY]
    rules = charsmap()
    norms = [normalizers.NFC(), normalizers.NFD(), normalizers.NFKC(), normalizers.NFKD(), normalizers.Lowercase(),
             normalizers.Strip(), normalizers.Strip(left=False), normalizers.Strip(right=False),
             normalizers.StripAccents(), normalizers.Nmt(), normalizers.Prepend("_"), normalizers.Replace("a", "bb"),
             normalizers.Replace(Regex(r"\s+"), "_"), normalizers.Precompiled(rules)]
    behaviors = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
    pres = [pre_tokenizers.Split(Regex(r"[aeiou]|\d"), b, invert=i) for b in behaviors for i in (False, True)]
    pres += [pre_tokenizers.Split(" ", b) for b in behaviors]
    pres += [pre_tokenizers.Digits(False), pre_tokenizers.Digits(True), pre_tokenizers.Punctuation(),
             pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Whitespace(),
             pre_tokenizers.Metaspace(), pre_tokenizers.Metaspace(prepend_scheme="never", split=False),
             pre_tokenizers.Split(Regex(r"(?=(\d{3})+(?!\d))"), "isolated"),
             pre_tokenizers.Split(Regex(r"\s?\p{L}+|^x|y$"), "isolated")]
    result = []
    for norm in norms:
        result += of("normalizer", norm, norm.normalize_str)
    for pre in pres:
        result += of("pre_tokenizer", pre, lambda text, pre=pre: [w for w, _ in pre.pre_tokenize_str(text)])
    return [case for case in result if case["out"] != case["text"] and case["out"] != [case["text"]]]


def dump(name, value):
    (OUT / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")), encoding="utf8")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    text = lines(sys.argv[1])
    answers = {}
    for make in (gpt2_like, llama3_like, gpt4o_like, falcon_like, llama2_like, unigram):
        t = make(text)
        dump(f"{make.__name__}.json", json.loads(t.to_str()))
        answers[make.__name__] = expected(t)
    for name, kind in (("sp_bpe", "bpe"), ("sp_unigram", "unigram")):
        answers[name] = sentencepiece_model(name, sys.argv[1], kind)
    dump("steps.json", steps())
    dump("texts.json", NASTY)
    dump("answers.json", answers)
    if len(sys.argv) > 3:
        dump("real.json", real(sys.argv[2], sys.argv[3]))


if __name__ == "__main__":
    main()
