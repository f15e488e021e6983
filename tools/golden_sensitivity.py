#!/usr/bin/env python3
"""Writes sensitivity.npy into tests/golden/models/{llama,llama3}: per weight in the order of GGUF names, what autograd
gives for labels drawn from the model with kerf's counter-based numbers (seed 5, two windows of 36 tokens): the mean
squared gradient at the weight's output for each token [72] (not for an embedding that is no output matrix), and
then Σ_t g_t·x[t, j]² / 72 for each column, the embedding's own part included.
Made with torch 2.15 and transformers 5.23. Usage: tools/golden_sensitivity.py"""
import pathlib

import numpy as np
import torch
from transformers import AutoModelForCausalLM

MODELS = pathlib.Path(__file__).parent.parent / "tests/golden/models"
NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down"}
SEED, CTX, MASK = 5, 36, (1 << 64) - 1


def mix64(x: int) -> int:
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def uniform(token: int) -> float:
    key = mix64((mix64(SEED) + token) & MASK)
    return (mix64(key ^ mix64(0)) >> 11) * 2.0 ** -53


def gguf_name(module: str, tied: bool) -> str:
    if module == "lm_head":
        return "token_embd.weight" if tied else "output.weight"
    _, _, layer, rest = module.split(".", 3)
    return f"blk.{layer}.{NAMES[rest]}.weight"


def measure(folder: pathlib.Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
    tied, n_vocabulary = model.config.tie_word_embeddings, model.config.vocab_size
    tokens = torch.tensor(np.load(folder / "tokens.npy").astype(np.int64))
    inputs, gradients = {}, {}
    for module_name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            name = gguf_name(module_name, tied)
            module.register_forward_pre_hook(lambda _, x, name=name: inputs.setdefault(name, []).append(x[0][0].detach()))
            module.register_full_backward_hook(lambda _, __, g, name=name: gradients.setdefault(name, []).append(g[0][0]))
    embedded = []
    def keep(_, __, output):
        output.retain_grad()
        embedded.append(output)
    model.get_input_embeddings().register_forward_hook(keep)
    for first in range(0, len(tokens), CTX):
        logits = model(tokens[None, first:first + CTX], use_cache=False).logits[0]
        cumulated = logits.detach().softmax(-1).cumsum(-1)
        labels = torch.tensor([int((cumulated[t] <= uniform(first + t)).sum()) for t in range(CTX)])
        torch.nn.functional.cross_entropy(logits, labels, reduction="sum").backward()
    of_tokens = {name: torch.cat(parts).square().mean(-1) for name, parts in gradients.items()}
    columns = {name: (g[:, None] * torch.cat(inputs[name]).square()).mean(0) for name, g in of_tokens.items()}
    of_embedding = torch.cat([e.grad[0] for e in embedded]).square().mean(0) / n_vocabulary
    columns["token_embd.weight"] = columns.get("token_embd.weight", 0) + of_embedding
    parts = [p for name in sorted(columns) for p in (of_tokens.get(name), columns[name]) if p is not None]
    numbers = torch.cat(parts).numpy().astype(np.float32)
    np.save(folder / "sensitivity.npy", numbers)
    print(f"{folder.name}: {len(columns)} weights, {numbers.size} numbers")


torch.set_num_threads(1)
for model_name in ("llama", "llama3"):
    measure(MODELS / model_name)
