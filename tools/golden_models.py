#!/usr/bin/env python3
"""Makes tests/golden/models: one small random checkpoint per family and quirk, with the logits that
transformers computes for it in binary32.

    python tools/golden_models.py tests/golden/models [name ...]

A folder is a complete Hugging Face checkpoint (config.json, model.safetensors, tokenizer.json) with
tokens.npy (int32 [T]) and logits.npy (float32 [T, V]) beside it. Weights are rounded to bfloat16 before
anything is computed, so the file and the reference hold the same numbers; norms and biases are random too,
because ones and zeros hide mistakes. Some config.json keep the spelling of transformers 4 (rope_theta,
rope_scaling), which is what most checkpoints on disk have.

Made with transformers 5.23, torch 2.15, safetensors, numpy; seed below.
"""
import json
import pathlib
import shutil
import sys

import numpy as np
import torch
import transformers as tf

SEED = 20240607
N_TOKENS = 72
# Longrope factors for a head of 12: one per pair of elements.
SHORT = [1.0, 1.05, 1.1, 1.25, 1.5, 1.75]
LONG = [1.0, 1.3, 2.0, 3.5, 5.0, 8.0]


def vocabulary() -> tuple[dict, list]:
    """A byte-level BPE over printable ASCII, blank and newline, with a few merges and two special tokens."""
    pieces = [chr(c) for c in range(33, 127)] + ["Ġ", "Ċ"]
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("i", "n"), ("e", "r"), ("Ġ", "a"), ("o", "n"), ("in", "g"),
              ("Ġ", "in"), ("e", "n"), ("Ġ", "s"), ("o", "r"), ("a", "t"), ("1", "2")]
    pieces += [a + b for a, b in merges]
    return {piece: i for i, piece in enumerate(pieces)}, merges


def write_tokenizer(folder: pathlib.Path) -> None:
    vocab, merges = vocabulary()
    special = ["<|begin|>", "<|end|>"]
    added = [dict(id=len(vocab) + i, content=text, single_word=False, lstrip=False, rstrip=False, normalized=False,
                  special=True) for i, text in enumerate(special)]
    byte_level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    tokenizer = dict(version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=None,
                     pre_tokenizer=byte_level, post_processor=None, decoder=byte_level,
                     model=dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None,
                                end_of_word_suffix=None, fuse_unk=False, byte_fallback=False, ignore_merges=False,
                                vocab=vocab, merges=[f"{a} {b}" for a, b in merges]))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, indent=0))
    names = dict(bos_token=special[0], eos_token=special[1], tokenizer_class="PreTrainedTokenizerFast")
    (folder / "tokenizer_config.json").write_text(json.dumps(names, indent=1))


N_VOCABULARY = len(vocabulary()[0]) + 2  # 112
COMMON = dict(vocab_size=N_VOCABULARY, bos_token_id=N_VOCABULARY - 2, eos_token_id=N_VOCABULARY - 1,
              pad_token_id=None)


def models() -> dict:
    """name → (model, changes to config.json; a value of None removes the key)."""
    small = dict(hidden_size=40, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
                 num_key_value_heads=2, max_position_embeddings=256, **COMMON)
    llama, mistral = tf.LlamaForCausalLM, tf.MistralForCausalLM
    llama3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                  original_max_position_embeddings=32)
    return {
        # Rows are multiples of 32: the one that block formats can quantize.
        "llama": (llama(tf.LlamaConfig(**{**small, "hidden_size": 64, "intermediate_size": 96})), {}),
        "llama3": (llama(tf.LlamaConfig(**small, tie_word_embeddings=True,
                                        rope_parameters=dict(**llama3, rope_theta=50000.0))),
                   dict(rope_parameters=None, rope_theta=50000.0, rope_scaling=llama3)),
        "llama-linear": (llama(tf.LlamaConfig(**small, rope_parameters=dict(rope_type="linear", factor=2.5,
                                                                            rope_theta=10000.0))),
                         dict(rope_parameters=None, rope_theta=10000.0,
                              rope_scaling=dict(type="linear", factor=2.5))),
        "mistral": (mistral(tf.MistralConfig(**small, head_dim=14, sliding_window=19)), {}),
        "qwen2": (tf.Qwen2ForCausalLM(tf.Qwen2Config(**small, tie_word_embeddings=True)), {}),
        "qwen3": (tf.Qwen3ForCausalLM(tf.Qwen3Config(**small, head_dim=16)), {}),
        # Seven layers: the sixth is the global one.
        "gemma3": (tf.Gemma3ForCausalLM(tf.Gemma3TextConfig(
            **{**small, "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 7,
               "num_attention_heads": 2, "num_key_value_heads": 1}, head_dim=16, query_pre_attn_scalar=20,
            sliding_window=11, rope_parameters=dict(
                full_attention=dict(rope_type="linear", factor=2.0, rope_theta=1000000.0),
                sliding_attention=dict(rope_type="default", rope_theta=10000.0)))), {}),
        # RoPE turns only the first 6 of a head's 10 elements.
        "phi3": (tf.Phi3ForCausalLM(tf.Phi3Config(**small, sliding_window=23, rope_parameters=dict(
            rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.6))),
                 dict(rope_parameters=None, rope_theta=10000.0, partial_rotary_factor=0.6)),
        # 72 tokens: beyond the original context of 48, so the long factors apply.
        "phi3-longrope": (tf.Phi3ForCausalLM(tf.Phi3Config(
            **{**small, "hidden_size": 48}, original_max_position_embeddings=48, sliding_window=None,
            rope_parameters=dict(rope_type="longrope", short_factor=SHORT, long_factor=LONG,
                                 original_max_position_embeddings=48, rope_theta=10000.0))),
                          dict(rope_parameters=None, rope_theta=10000.0,
                               rope_scaling=dict(type="longrope", short_factor=SHORT, long_factor=LONG))),
        "gpt2": (tf.GPT2LMHeadModel(tf.GPT2Config(n_embd=36, n_layer=2, n_head=3, n_positions=96, **COMMON)), {}),
        # The part of the spectrum that YaRN interpolates begins inside of a head of 10.
        "qwen2-yarn": (tf.Qwen2ForCausalLM(tf.Qwen2Config(**small, tie_word_embeddings=True, rope_parameters=dict(
            rope_type="yarn", factor=4.0, original_max_position_embeddings=32, beta_fast=4.0, beta_slow=1.0,
            rope_theta=1000.0))), {}),
        # Mixtures of experts; rows are multiples of 32 for block formats.
        "mixtral": (tf.MixtralForCausalLM(tf.MixtralConfig(
            **{**small, "hidden_size": 32, "intermediate_size": 32}, num_local_experts=4, num_experts_per_tok=2,
            sliding_window=None)), {}),
        # transformers 4 spells the number of experts otherwise.
        "qwen3moe": (tf.Qwen3MoeForCausalLM(tf.Qwen3MoeConfig(
            **{**small, "hidden_size": 32}, head_dim=12, moe_intermediate_size=32, num_experts=6,
            num_experts_per_tok=3, norm_topk_prob=True)), dict(num_local_experts=None, num_experts=6)),
        "qwen3moe-shares": (tf.Qwen3MoeForCausalLM(tf.Qwen3MoeConfig(
            **{**small, "hidden_size": 32}, head_dim=12, moe_intermediate_size=32, num_experts=5,
            num_experts_per_tok=2, norm_topk_prob=False)), {}),
    }


def randomize(model, generator) -> None:
    """Weights ~ N(0, 0.2²), norms around one (zero for gemma), biases around zero; rounded to bfloat16."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        norm = parameter.dim() == 1 and name.endswith("weight")
        shift = 1.0 if norm and model.config.model_type != "gemma3_text" else 0.0
        parameter.data = (0.2 * noise + shift).to(torch.bfloat16).to(torch.float32)


def edit_config(path: pathlib.Path, changes: dict) -> None:
    config = json.loads(path.read_text())
    for key, value in changes.items():
        if value is None:
            config.pop(key, None)
        else:
            config[key] = value
    path.write_text(json.dumps(config, indent=1) + "\n")


def write(folder: pathlib.Path, model, changes: dict, generator) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    randomize(model, generator)
    model.to(torch.bfloat16).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    edit_config(folder / "config.json", changes)
    write_tokenizer(folder)
    # What counts is the folder as it lies there, read back.
    reread = tf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokens = torch.randint(0, N_VOCABULARY - 2, (1, N_TOKENS), generator=generator)
    with torch.no_grad():
        logits = reread(tokens, use_cache=False).logits[0]
    np.save(folder / "tokens.npy", tokens[0].numpy().astype(np.int32))
    np.save(folder / "logits.npy", logits.numpy().astype(np.float32))
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{folder.name}: {size} bytes, logits within ±{logits.abs().max():.2f}, std {logits.std():.2f}")


def main(target: pathlib.Path, names: list) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    for i, (name, (model, changes)) in enumerate(models().items()):
        if not names or name in names:
            write(target / name, model, changes, torch.Generator().manual_seed(SEED + i))  # a new one goes last


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
