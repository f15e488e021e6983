#!/usr/bin/env python3
"""Golden bytes for src/kerf/formats/conformance_test.cpp: random blocks of every GGUF tensor type and what
other programs decode them to.

  tools/golden_formats.py LIBGGML_BASE_SO OUTPUT_DIR

Made with the gguf package 0.19, ggml 0.25.3 (called through ctypes), numpy 2.4 and torch 2.15, seed 20260401.
Where gguf and ggml both know a type they must agree in every number, or this script stops.

formats.bin is a sequence of records, little-endian:
  char name[16]; u32 block_size, block_bytes, n_blocks, n_sweep;
  u8 blocks[n_blocks][block_bytes]; f32 values[n_blocks][block_size];
  u8 sweep[n_sweep][block_bytes]; u64 hash[n_sweep]       (FNV-1a over the bytes of the decoded values)

formats_grids.txt has a line for each codebook: its name in gguf, and the FNV-1a of its vectors as int8.

formats_numbers.bin, for src/kerf/numbers/numbers_test.cpp:
  u32 n; f32 inputs[n]; u16 f16[n]; u16 bf16[n]; u8 e4m3[n]; u8 e5m2[n]    (rounded by torch, 8 bits saturating)
  u64 hash[5]       (of what every bit pattern of f16 bf16 e4m3 e5m2 e8m0 decodes to, with one NaN for all)
"""
import ctypes
import pathlib
import struct
import sys

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as T

SEED = 20260401
N_BLOCKS = 2  # stored with every value, so that a failure can be read
N_SWEEP = 24  # stored with a hash per block

# Where each type keeps its binary16 factors.
FACTORS = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    "IQ4_NL": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64], "MXFP4": [], "NVFP4": [],
    "Q1_0": [0], "Q2_0": [0],
    "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0], "IQ1_S": [0], "IQ1_M": [],
}
SIZES = {t.name: s for t, s in gguf.GGML_QUANT_SIZES.items()} | {"Q2_0": (64, 18)}


def random_blocks(rng: np.random.Generator, name: str, count: int) -> np.ndarray:
    """Random bytes, but with finite binary16 factors, for the most part of usual size."""
    _, n_bytes = SIZES[name]
    blocks = rng.integers(0, 256, (count, n_bytes), dtype=np.uint8)
    for b in range(count):
        for at in FACTORS[name]:
            # every fourth block: any finite binary16, subnormals too
            exponent = rng.integers(0, 31) if b % 4 == 3 else rng.integers(3, 15)
            bits = int(rng.integers(0, 2)) << 15 | int(exponent) << 10 | int(rng.integers(0, 1024))
            blocks[b, at:at + 2] = np.frombuffer(struct.pack("<H", bits), dtype=np.uint8)
        if name == "MXFP4":
            blocks[b, 0] = rng.integers(0, 255) if b % 4 == 3 else rng.integers(110, 130)
        if name == "NVFP4":
            blocks[b, :4] = rng.integers(0, 0x7F, 4)
        if name == "IQ1_M":  # the factor's top nibble is the top nibble of byte 55
            blocks[b, 55] = (blocks[b, 55] & 0x0F) | (rng.integers(0, 7) << 4) | (rng.integers(0, 2) << 7)
    return blocks


def decode_ggml(library, name: str, blocks: np.ndarray) -> np.ndarray:
    block_size, _ = SIZES[name]
    decode = getattr(library, "dequantize_row_" + (name.lower().replace("_k", "_K")))
    decode.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    blocks = np.ascontiguousarray(blocks)
    values = np.zeros((len(blocks), block_size), dtype=np.float32)
    decode(blocks.ctypes.data, values.ctypes.data, values.size)
    return values


def decode(library, name: str, blocks: np.ndarray) -> np.ndarray:
    values = decode_ggml(library, name, blocks)
    try:
        other = gguf.quants.dequantize(blocks, T[name]).astype(np.float32).reshape(values.shape)
    except (KeyError, NotImplementedError):
        print(f"{name}: ggml alone")
        return values
    # == instead of the same bits: gguf's order of operations may give another sign of zero
    if not np.array_equal(values, other):
        sys.exit(f"{name}: gguf and ggml disagree")
    return values


def fnv1a(data: bytes) -> int:
    state = 0xCBF29CE484222325
    for byte in data:
        state = (state ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return state


def number_inputs(rng: np.random.Generator) -> np.ndarray:
    """Any binary32, numbers of usual size, and ties of each format with their neighbours; no NaN."""
    words = rng.integers(0, 2**32, 512, dtype=np.uint32).view(np.float32)
    usual = (rng.standard_normal(512) * 2.0 ** rng.integers(-20, 20, 512)).astype(np.float32)
    ties = []
    for mantissa_bits in (10, 7, 3, 2):
        codes = rng.integers(2**mantissa_bits, 2**(mantissa_bits + 1), 86)
        middle = ((codes + 0.5) * 2.0 ** rng.integers(-24, 12, 86)).astype(np.float32)
        ties += [middle, np.nextafter(middle, np.float32(0)), np.nextafter(middle, np.float32(np.inf))]
    inputs = np.concatenate([words, usual, *ties])
    inputs = np.where(np.isnan(inputs), np.float32(np.inf), inputs)
    return np.concatenate([inputs, -inputs])[:2048].astype(np.float32)


def decode_all(dtype: torch.dtype) -> bytes:
    bits = 8 * dtype.itemsize
    integers = torch.from_numpy(np.arange(2**bits).astype(f"uint{bits}").view(f"int{bits}"))
    values = integers.view(dtype).to(torch.float32).numpy()
    return np.where(np.isnan(values), np.float32(np.nan), values).astype("<f4").tobytes()


def write_numbers(path: pathlib.Path) -> None:
    inputs = number_inputs(np.random.default_rng(SEED + 1))
    tensor = torch.from_numpy(inputs)
    with open(path, "wb") as file:
        file.write(struct.pack("<I", len(inputs)) + inputs.tobytes())
        for dtype in (torch.float16, torch.bfloat16):
            file.write(tensor.to(dtype).view(torch.int16).numpy().tobytes())
        for dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
            largest = torch.finfo(dtype).max
            file.write(tensor.clamp(-largest, largest).to(dtype).view(torch.uint8).numpy().tobytes())
        for dtype in (torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2,
                      torch.float8_e8m0fnu):
            file.write(struct.pack("<Q", fnv1a(decode_all(dtype))))


def write_grids(path: pathlib.Path) -> None:
    lines = []
    for name in ("IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_S", "IQ3_XXS", "IQ3_S"):
        quant = getattr(gguf.quants, name)
        quant.init_grid()
        lines.append(f"{name} {fnv1a(quant.grid.astype(np.int8).tobytes())}\n")
    path.write_text("".join(lines))


def main(library_path: str, output: str) -> None:
    write_numbers(pathlib.Path(output) / "formats_numbers.bin")
    write_grids(pathlib.Path(output) / "formats_grids.txt")
    library = ctypes.CDLL(library_path)
    rng = np.random.default_rng(SEED)
    with open(pathlib.Path(output) / "formats.bin", "wb") as file:
        for name in FACTORS:
            block_size, block_bytes = SIZES[name]
            blocks = random_blocks(rng, name, N_BLOCKS)
            sweep = random_blocks(rng, name, N_SWEEP)
            file.write(name.encode().ljust(16, b"\0"))
            file.write(struct.pack("<4I", block_size, block_bytes, N_BLOCKS, N_SWEEP))
            file.write(blocks.tobytes() + decode(library, name, blocks).tobytes() + sweep.tobytes())
            for values in decode(library, name, sweep):
                file.write(struct.pack("<Q", fnv1a(values.tobytes())))


if __name__ == "__main__":
    main(*sys.argv[1:])
