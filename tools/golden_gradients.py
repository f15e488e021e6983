#!/usr/bin/env python3
"""Writes gradients.npy into each folder of tests/golden/models: what autograd finds for the loss
Σ_t −log p(token (t + 1) mod T | tokens 0 … t), in binary64, rounded to binary32.

For each parameter in the order of its name in GGUF files: a vector as it is; of a matrix G [R, K] (rows as GGUF has
them) the K numbers Σ_r sin(1 + r)·G[r, k] and then the R numbers Σ_k sin(1 + k)·G[r, k], which no wrong element leaves
alone. Made with torch 2.15 and transformers 5.23. Usage: tools/golden_gradients.py [name ...]"""
import pathlib
import re
import sys

import numpy as np
import torch
from transformers import AutoModelForCausalLM

MODELS = pathlib.Path(__file__).parent.parent / "tests/golden/models"
NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.qkv_proj": "attn_qkv", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
    "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
    "ln_1": "attn_norm", "ln_2": "ffn_norm",
}
ENDS = {"embed_tokens": "token_embd", "wte": "token_embd", "wpe": "position_embd", "norm": "output_norm",
        "ln_f": "output_norm", "lm_head": "output"}


def gguf_name(name: str, family: str) -> str:
    stem, kind = name.rsplit(".", 1)
    block = re.match(r"(?:model\.layers|transformer\.h)\.(\d+)\.(.*)", stem)
    if block is None:
        return f"{ENDS[stem.split('.')[-1]]}.{kind}"
    if block[2] == "post_attention_layernorm":
        return f"blk.{block[1]}.{'post_attention_norm' if family == 'gemma3_text' else 'ffn_norm'}.{kind}"
    return f"blk.{block[1]}.{NAMES[block[2]]}.{kind}"


def as_gguf(name: str, gradient: torch.Tensor, config) -> torch.Tensor:
    """llama's queries and keys have their halves interleaved; GPT-2 stores its matrices turned."""
    if config.model_type == "gpt2" and gradient.dim() == 2 and name.startswith("blk."):
        return gradient.T
    if config.model_type in ("llama", "mistral") and ("attn_q." in name or "attn_k." in name):
        head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return gradient.reshape(-1, 2, head // 2, *gradient.shape[1:]).transpose(1, 2).reshape(gradient.shape)
    return gradient


def fingerprint(gradient: torch.Tensor) -> torch.Tensor:
    if gradient.dim() == 1:
        return gradient
    rows, columns = (torch.sin(1 + torch.arange(n, dtype=torch.float64)) for n in gradient.shape)
    return torch.cat((rows @ gradient, gradient @ columns))


def write(folder: pathlib.Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
    tokens = torch.tensor(np.load(folder / "tokens.npy").astype(np.int64))
    logits = model(tokens[None], use_cache=False).logits[0]
    torch.nn.functional.cross_entropy(logits, tokens.roll(-1), reduction="sum").backward()
    named = {gguf_name(name, model.config.model_type): parameter.grad for name, parameter in model.named_parameters()}
    parts = [fingerprint(as_gguf(name, gradient, model.config)) for name, gradient in sorted(named.items())]
    numbers = torch.cat(parts).numpy().astype(np.float32)
    np.save(folder / "gradients.npy", numbers)
    print(f"{folder.name}: {len(named)} parameters, {numbers.size} numbers")


torch.set_num_threads(1)
for path in sorted(MODELS.iterdir()):
    if not sys.argv[1:] or path.name in sys.argv[1:]:
        write(path)
