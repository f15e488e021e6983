#!/usr/bin/env python3
"""Turns a model of llama2.c (one .bin file and its SentencePiece .model) into a Hugging Face folder.

    python3 tools/llama2c_to_hf.py stories260K.bin tok512.model target_folder

Layout of the .bin: 7 int32 (C, F, layers, H, Hkv, V, context; a negative V says that the output head is a
matrix of its own), then binary32: embedding [V, C]; for all layers together the attention norms [C], q [C, C],
k and v [Hkv·D, C], o [C, C], feed-forward norms [C], gate [F, C], down [C, F], up [F, C]; the final norm [C];
two RoPE tables [context, D/2] that nobody reads; the output head. RoPE turns neighbours (2j, 2j + 1) of a head
there and halves (j, j + D/2) in Hugging Face checkpoints, so the rows of q and k are put in that order.

Needs nothing but Python's standard library.
"""
import array
import json
import pathlib
import shutil
import struct
import sys

HEADER = struct.Struct("<7i")


class Floats:
    """A file of binary32 numbers, taken from front to back."""

    def __init__(self, data: bytes):
        self.values = array.array("f", data)
        self.place = 0

    def take(self, *shape: int) -> tuple[list[int], array.array]:
        n = 1
        for extent in shape:
            n *= extent
        if self.place + n > len(self.values):
            raise SystemExit(f"the file ends {self.place + n - len(self.values)} numbers too early")
        self.place += n
        return list(shape), self.values[self.place - n:self.place]


def neighbours_to_halves(matrix: array.array, columns: int, head: int) -> array.array:
    rows = [matrix[i:i + columns] for i in range(0, len(matrix), columns)]
    out = array.array("f")
    for first in range(0, len(rows), head):
        for part in (0, 1):
            for j in range(head // 2):
                out.extend(rows[first + 2 * j + part])
    return out


def read_tensors(data: bytes) -> tuple[dict, dict]:
    """(config, {name: (shape, values)})"""
    width, ffn, layers, heads, kv_heads, vocabulary, context = HEADER.unpack_from(data)
    tied, vocabulary = vocabulary > 0, abs(vocabulary)
    head = width // heads
    source = Floats(data[HEADER.size:])
    tensors = {"model.embed_tokens.weight": source.take(vocabulary, width)}
    per_layer = [("input_layernorm", (width,)), ("self_attn.q_proj", (width, width)),
                 ("self_attn.k_proj", (kv_heads * head, width)), ("self_attn.v_proj", (kv_heads * head, width)),
                 ("self_attn.o_proj", (width, width)), ("post_attention_layernorm", (width,)),
                 ("mlp.gate_proj", (ffn, width)), ("mlp.down_proj", (width, ffn)), ("mlp.up_proj", (ffn, width))]
    for name, shape in per_layer:
        for layer in range(layers):
            stored, values = source.take(*shape)
            if name in ("self_attn.q_proj", "self_attn.k_proj"):
                values = neighbours_to_halves(values, width, head)
            tensors[f"model.layers.{layer}.{name}.weight"] = (stored, values)
    tensors["model.norm.weight"] = source.take(width)
    source.take(2, context, head // 2)
    if not tied:
        tensors["lm_head.weight"] = source.take(vocabulary, width)
    if source.place != len(source.values):
        raise SystemExit(f"{len(source.values) - source.place} numbers are left over; not a llama2.c model?")
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
              "hidden_size": width, "intermediate_size": ffn, "num_hidden_layers": layers,
              "num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": head,
              "vocab_size": vocabulary, "max_position_embeddings": context, "rms_norm_eps": 1e-5,
              "rope_theta": 10000.0, "tie_word_embeddings": tied, "bos_token_id": 1, "eos_token_id": 2,
              "torch_dtype": "float32"}
    return config, tensors


def write_safetensors(path: pathlib.Path, tensors: dict) -> None:
    header, offset = {}, 0
    for name, (shape, values) in tensors.items():
        n_bytes = 4 * len(values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + n_bytes]}
        offset += n_bytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, values in tensors.values():
            values.tofile(file)


def main(model: pathlib.Path, tokenizer: pathlib.Path, target: pathlib.Path) -> None:
    config, tensors = read_tensors(model.read_bytes())
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    write_safetensors(target / "model.safetensors", tensors)
    shutil.copyfile(tokenizer, target / "tokenizer.model")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    if sys.byteorder != "little":
        raise SystemExit("both formats are little-endian; run this on such a machine")
    main(*map(pathlib.Path, sys.argv[1:]))
