#!/usr/bin/env python3
"""Writes tests/golden/quantize_error.{f16,txt}: what ggml's quantizers leave of some rows of a real model.

    golden_quantize_error.py MODEL.gguf libggml-base.so OUTPUT_FOLDER

quantize_error.f16: kRows rows of kColumns numbers as binary16, then one row of importance, log-normal with
sigma 1.2 from a fixed seed. The rows are the beginnings of 2-D tensors, evenly spaced through the file,
of SmolLM2-135M-Instruct (Apache 2.0) as F16.
quantize_error.txt: a line per type: name, then sums over all rows of (x - y)^2 without importance and of
w (x - y)^2 with it. Types that insist on importance get ones in the first case.

Made with ggml of llama.cpp as vendored by llama-cpp-python 0.3.36, gguf 0.19, numpy, on x86-64.
"""
import ctypes
import sys
from pathlib import Path

import gguf
import numpy as np

ROWS, COLUMNS = 8, 2048
N_TYPES = 43  # GGML_TYPE_COUNT
TYPES = """Q8_0 Q6_K Q5_1 Q5_0 Q5_K Q4_1 Q4_0 Q4_K IQ4_NL NVFP4 IQ4_XS MXFP4 Q3_K IQ3_S IQ3_XXS Q2_K IQ2_S IQ2_XS
IQ2_XXS Q2_0 TQ2_0 TQ1_0 IQ1_M IQ1_S Q1_0""".split()


class TypeTraits(ctypes.Structure):
    _fields_ = [
        ("type_name", ctypes.c_char_p),
        ("blck_size", ctypes.c_int64),
        ("blck_size_interleave", ctypes.c_int64),
        ("type_size", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
        ("from_float_ref", ctypes.c_void_p),
    ]


def load_ggml(path: str) -> tuple[ctypes.CDLL, dict[str, int]]:
    ggml = ctypes.CDLL(path)
    ggml.ggml_get_type_traits.restype = ctypes.POINTER(TypeTraits)
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    ggml.ggml_quantize_requires_imatrix.restype = ctypes.c_bool
    numbers = {}
    for number in range(N_TYPES):
        traits = ggml.ggml_get_type_traits(number)
        if traits and traits.contents.type_name:
            numbers[traits.contents.type_name.decode().upper()] = number
    return ggml, numbers


def round_trip(ggml: ctypes.CDLL, number: int, x: np.ndarray, importance: np.ndarray | None) -> np.ndarray:
    traits = ggml.ggml_get_type_traits(number).contents
    n_bytes = x.size // traits.blck_size * traits.type_size
    encoded = np.zeros(n_bytes, np.uint8)
    if importance is None and ggml.ggml_quantize_requires_imatrix(number):
        importance = np.ones(x.shape[1], np.float32)
    pointer = None if importance is None else ctypes.c_void_p(importance.ctypes.data)
    ggml.ggml_quantize_chunk(
        ctypes.c_int(number), ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(encoded.ctypes.data),
        ctypes.c_int64(0), ctypes.c_int64(x.shape[0]), ctypes.c_int64(x.shape[1]), pointer)
    decoded = np.empty_like(x)
    traits.to_float(encoded.ctypes.data, decoded.ctypes.data, x.size)
    return decoded


def sample(model: str) -> np.ndarray:
    tensors = [t for t in gguf.GGUFReader(model).tensors if len(t.shape) == 2]
    chosen = [tensors[i * len(tensors) // ROWS] for i in range(ROWS)]
    return np.stack([np.asarray(t.data).reshape(-1)[:COLUMNS].astype(np.float16) for t in chosen])


def main() -> None:
    model, library, folder = sys.argv[1:]
    ggml, numbers = load_ggml(library)
    rows = sample(model)
    importance = np.exp(1.2 * np.random.default_rng(20).standard_normal(COLUMNS)).astype(np.float16)
    (Path(folder) / "quantize_error.f16").write_bytes(rows.tobytes() + importance.tobytes())
    x = np.ascontiguousarray(rows.astype(np.float32))
    w = np.ascontiguousarray(importance.astype(np.float32))
    lines = []
    for name in TYPES:
        plain = (round_trip(ggml, numbers[name], x, None).astype(np.float64) - x) ** 2
        weighted = (round_trip(ggml, numbers[name], x, w).astype(np.float64) - x) ** 2 * w
        lines.append(f"{name} {plain.sum():.9e} {weighted.sum():.9e}\n")
    (Path(folder) / "quantize_error.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
