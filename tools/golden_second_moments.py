#!/usr/bin/env python3
"""Writes tests/golden/models/llama/second_moments.json: the mean square of every input column of every linear layer
while transformers reads the tokens of the golden checkpoint, under the names that the weights have in GGUF files.
Made with torch 2.15 and transformers 5.23. Usage: tools/golden_second_moments.py"""
import json
import pathlib

import numpy
import torch
from transformers import AutoModelForCausalLM

FOLDER = pathlib.Path(__file__).parent.parent / "tests/golden/models/llama"
NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down"}


def gguf_name(module: str) -> str:
    if module == "lm_head":
        return "output.weight"
    _, _, layer, rest = module.split(".", 3)
    return f"blk.{layer}.{NAMES[rest]}.weight"


def main() -> None:
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float64)
    moments = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            def keep(_, inputs, name=gguf_name(name)):
                moments[name] = inputs[0].reshape(-1, inputs[0].shape[-1]).square().mean(0).tolist()
            module.register_forward_pre_hook(keep)
    tokens = numpy.load(FOLDER / "tokens.npy").reshape(1, -1)
    with torch.no_grad():
        model(torch.tensor(tokens, dtype=torch.long))
    rounded = {name: [float(f"{x:.7g}") for x in values] for name, values in sorted(moments.items())}
    (FOLDER / "second_moments.json").write_text(json.dumps(rounded, separators=(",", ":")) + "\n")


main()
