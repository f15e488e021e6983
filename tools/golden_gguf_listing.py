#!/usr/bin/env python3
"""Writes gguf.json beside each checkpoint of tests/golden/models: what llama.cpp's converter makes of it.

    python tools/golden_gguf_listing.py <llama.cpp source tree> tests/golden/models

gguf.json holds the keys of the converted file ({key: [type, value]}, without those of the tokenizer, which has
its own tests) and its tensors ({name: [shape, outermost first; FNV-1a 64 of the values as binary32]}); the
short vectors that are computed rather than copied are listed with their values instead.

Made with the converter of llama.cpp's package of llama_cpp_python 0.3.36, gguf 0.19, transformers 5.23.
"""
import json
import pathlib
import sys
import tempfile

import numpy as np

COMPUTED = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")


def convert(folder: pathlib.Path, target: pathlib.Path) -> None:
    from conversion import get_model_class
    from conversion.base import ModelBase, TextModel
    import gguf

    hparams = ModelBase.load_hparams(folder, False)
    # transformers 5 does not write n_ctx any more; the converter wants it.
    if hparams["model_type"] == "gpt2":
        hparams["n_ctx"] = hparams["n_positions"]
    model_class = get_model_class(hparams["architectures"][0])
    # The vocabularies are made up, so the converter could not tell their pre-tokenizer.
    model_class.set_vocab = lambda self: None
    model = model_class(folder, gguf.LlamaFileType.ALL_F32, target, hparams=hparams, eager=True)
    model.write()


def fnv1a(data: bytes) -> str:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def listing(path: pathlib.Path) -> dict:
    import gguf

    reader = gguf.GGUFReader(path)
    keys = {}
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name.startswith("tokenizer."):
            continue
        value = field.contents()
        keys[name] = [field.types[0].name.lower(), value if isinstance(value, (str, bool)) else float(value)]
    tensors = {}
    for tensor in reader.tensors:
        values = np.ascontiguousarray(tensor.data).astype(np.float32)
        shape = [int(n) for n in reversed(tensor.shape)]
        what = [float(v) for v in values] if tensor.name in COMPUTED else fnv1a(values.tobytes())
        tensors[tensor.name] = [shape, what]
    return {"keys": keys, "tensors": tensors}


def main(llama_cpp: pathlib.Path, models: pathlib.Path) -> None:
    sys.path.insert(0, str(llama_cpp))
    for folder in sorted(p for p in models.iterdir() if (p / "config.json").is_file()):
        with tempfile.TemporaryDirectory() as scratch:
            target = pathlib.Path(scratch) / "model.gguf"
            convert(folder, target)
            lines = json.dumps(listing(target), indent=0, sort_keys=True)
        (folder / "gguf.json").write_text(lines + "\n")
        print(folder.name)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
