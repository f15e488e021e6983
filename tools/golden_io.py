#!/usr/bin/env python3
"""Writes tests/golden/io_*: small model files made by other programs, and io_expected.json with what is in them.

Made with Python 3.11, numpy 2.4, torch 2.15, gguf 0.19.0, safetensors 0.8.0; the numbers are
numpy's default_rng(7). Usage: tools/golden_io.py
"""
import json
import pathlib

import gguf
import numpy as np
import torch
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).parent.parent / "tests/golden"
rng = np.random.default_rng(7)
DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int8: "I8",
          torch.int16: "I16", torch.int32: "I32", torch.int64: "I64", torch.uint8: "U8", torch.uint16: "U16",
          torch.uint32: "U32", torch.uint64: "U64", torch.bool: "BOOL", torch.float8_e4m3fn: "F8_E4M3",
          torch.float8_e5m2: "F8_E5M2"}
EXPECTED: dict[str, dict] = {}


def fnv1a(data: bytes) -> str:
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return f"{h:016x}"


def describe(file: str, tensors: dict, metadata: dict) -> None:
    EXPECTED[file] = {"metadata": metadata, "tensors": [
        {"name": name, "format": form, "shape": list(shape), "fnv1a": fnv1a(data)} for name, (form, shape, data) in tensors.items()]}


def tensors_to_write() -> dict[str, tuple[str, tuple, np.ndarray]]:
    """name → (format, shape, array as gguf-py wants it)"""
    values = {"scalar": np.float32(1.5).reshape(()), "token_embd.weight": rng.normal(size=(5, 64)),
              "blk.0.attn_norm.weight": rng.normal(size=64), "cube": rng.normal(size=(2, 3, 32)),
              "four": rng.normal(size=(2, 1, 3, 32))}
    kinds = {"scalar": "F32", "token_embd.weight": "F16", "blk.0.attn_norm.weight": "F32", "cube": "Q8_0", "four": "Q4_0"}
    out = {}
    for name, value in values.items():
        kind = kinds[name]
        value = np.asarray(value, dtype=np.float32)
        array = value.astype(np.float16) if kind == "F16" else value
        if kind.startswith("Q"):
            array = gguf.quants.quantize(value, gguf.GGMLQuantizationType[kind])
        out[name] = (kind, value.shape, array)
    return out


METADATA = {
    "a.u8": ("uint8", 255), "a.i8": ("int8", -128), "a.u16": ("uint16", 65535), "a.i16": ("int16", -32768),
    "a.u32": ("uint32", 2**32 - 1), "a.i32": ("int32", -(2**31)), "a.u64": ("uint64", 2**64 - 1),
    "a.i64": ("int64", -(2**63)), "a.f32": ("float32", 0.1), "a.f64": ("float64", 0.1), "a.bool": ("bool", True),
    "a.string": ("string", "Größe 模型"), "z.before.y": ("string", "order is kept"), "y.last": ("bool", False),
}
ARRAYS = {"a.strings": ["", "one", "Ġtwo"], "a.ints": [-1, 0, 2**31 - 1], "a.floats": [0.5, -1.25], "a.bools": [True, False, True]}
NAMES = {"uint8": "u8", "int8": "i8", "uint16": "u16", "int16": "i16", "uint32": "u32", "int32": "i32", "uint64": "u64",
         "int64": "i64", "float32": "f32", "float64": "f64", "bool": "bool", "string": "string"}


def gguf_files() -> None:
    writer = gguf.GGUFWriter(ROOT / "io_v3.gguf", "llama")
    expected = {"general.architecture": ["string", "llama"]}
    for name, (kind, value) in METADATA.items():
        getattr(writer, f"add_{kind}")(name, value)
        expected[name] = [NAMES[kind], float(np.float32(value)) if kind == "float32" else value]
    for name, value in ARRAYS.items():
        writer.add_array(name, value)
        kind = {str: "string", bool: "bool", int: "i32", float: "f32"}[type(value[0])]
        expected[name] = [kind, value]
    written = write(writer)
    describe("io_v3.gguf", written, expected)
    # Version 2 has the same layout as a little-endian version 3.
    v3 = (ROOT / "io_v3.gguf").read_bytes()
    (ROOT / "io_v2.gguf").write_bytes(v3[:4] + b"\2" + v3[5:])
    describe("io_v2.gguf", written, expected)
    aligned = gguf.GGUFWriter(ROOT / "io_alignment_128.gguf", "llama")
    aligned.add_custom_alignment(128)
    describe("io_alignment_128.gguf", write(aligned),
             {"general.architecture": ["string", "llama"], "general.alignment": ["u32", 128]})
    shards = gguf.GGUFWriter(ROOT / "io_split.gguf", "llama", split_max_tensors=2)
    shards.add_string("a.string", "in the first shard")
    describe("io_split-00002-of-00003.gguf", write(shards),
             {"general.architecture": ["string", "llama"], "a.string": ["string", "in the first shard"]})


def write(writer: gguf.GGUFWriter) -> dict:
    written = {}
    for name, (kind, shape, array) in tensors_to_write().items():
        raw = gguf.GGMLQuantizationType[kind] if kind.startswith("Q") else None
        writer.add_tensor(name, array, raw_dtype=raw)
        written[name] = (kind, shape, array.tobytes())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return written


def bytes_of(tensor: torch.Tensor) -> bytes:
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def save(file: str, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    save_file(tensors, ROOT / file, metadata=metadata)
    describe(file, {n: (DTYPES[t.dtype], t.shape, bytes_of(t)) for n, t in tensors.items()},
             {k: ["string", v] for k, v in metadata.items()})


def safetensors_files() -> None:
    numbers = torch.from_numpy(100 * rng.normal(size=(3, 5)))
    arrays = {f"t.{name}": numbers.to(dtype) for dtype, name in DTYPES.items()}
    save("io_dtypes.safetensors", arrays, {})
    save("io.safetensors", {"a": arrays["t.F32"], "b": arrays["t.F16"], "c": arrays["t.BF16"], "scalar": torch.tensor(2.5),
                            "nothing": torch.zeros((0, 7))}, {"format": "pt", "note": "Größe"})
    folder = ROOT / "io_folder"
    folder.mkdir(exist_ok=True)
    parts = {"model-00001-of-00002.safetensors": {"a": arrays["t.F32"]}, "model-00002-of-00002.safetensors": {"b": arrays["t.F16"]}}
    for name, tensors in parts.items():
        save_file(tensors, folder / name, metadata={"format": "pt"})
    index = {"metadata": {"total_size": 90}, "weight_map": {t: name for name, tensors in parts.items() for t in tensors}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    describe("io_folder", {n: (DTYPES[a.dtype], a.shape, bytes_of(a)) for p in parts.values() for n, a in p.items()},
             {"format": ["string", "pt"]})


def main() -> None:
    for old in ROOT.glob("io_split*.gguf"):
        old.unlink()
    gguf_files()
    safetensors_files()
    (ROOT / "io_expected.json").write_text(json.dumps(EXPECTED, indent=1, ensure_ascii=False))


main()
