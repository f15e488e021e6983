#!/usr/bin/env python3
"""Golden vectors for src/kerf/numbers/scalar_format_test.cpp, from numpy and ml_dtypes.

  tools/golden_numbers.py OUTPUT_DIR

Made with numpy 2.4 and ml_dtypes 0.6, seed 20261123.

numbers_decode.txt: for each format its name, the number of its bit patterns, and the FNV-1a over what every
pattern stands for as little-endian binary64, with one NaN for all.

numbers_round.bin, little-endian:
  u32 n; f32 inputs[n]; u16 fp16[n]; u16 bf16[n]; u8 e4m3[n], e5m2[n], e2m3[n], e3m2[n], e2m1[n]
  u32 m; f64 inputs[m]; u32 fp32[m]; u16 fp16[m]
Roundings are to nearest even; beyond the range infinity, else NaN, else the largest number.
"""
import pathlib
import struct
import sys

import ml_dtypes
import numpy as np

SEED = 20261123
# name: dtype, patterns, mantissa bits, exponents of the smallest and of the largest number
FORMATS = {
    "fp16": (np.float16, 65536, 10, -24, 15),
    "bf16": (ml_dtypes.bfloat16, 65536, 7, -133, 127),
    "e4m3": (ml_dtypes.float8_e4m3fn, 256, 3, -9, 8),
    "e5m2": (ml_dtypes.float8_e5m2, 256, 2, -16, 15),
    "e2m3": (ml_dtypes.float6_e2m3fn, 64, 3, -3, 2),
    "e3m2": (ml_dtypes.float6_e3m2fn, 64, 2, -4, 4),
    "e2m1": (ml_dtypes.float4_e2m1fn, 16, 1, -1, 2),
    "e8m0": (ml_dtypes.float8_e8m0fnu, 256, 0, -127, 127),
}
ROUNDED = [name for name in FORMATS if name != "e8m0"]


def fnv1a(data: bytes) -> int:
    state = 0xCBF29CE484222325
    for byte in data:
        state = (state ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return state


def decode_line(name: str) -> str:
    dtype, count = FORMATS[name][:2]
    codes = np.arange(count, dtype=np.uint16 if count > 256 else np.uint8)
    values = codes.view(dtype).astype(np.float64)
    values = np.where(np.isnan(values), np.float64(np.nan), values)
    return f"{name} {count} {fnv1a(values.astype('<f8').tobytes())}\n"


def ties(rng: np.random.Generator, name: str, count: int) -> np.ndarray:
    """Midpoints between neighbours over the whole range, subnormals and the border of overflow included."""
    _, _, mantissa, least, largest = FORMATS[name]
    codes = rng.integers(0, 2**(mantissa + 1), count) + 0.5
    exponents = rng.integers(least, largest - mantissa + 1, count)
    exponents[: count // 4] = least
    exponents[-count // 8:] = largest - mantissa
    return np.ldexp(codes, exponents)


def with_neighbours(middle: np.ndarray, dtype: type) -> list[np.ndarray]:
    middle = middle.astype(dtype)
    return [middle, np.nextafter(middle, dtype(0)), np.nextafter(middle, dtype(np.inf))]


def inputs_of_32_bits(rng: np.random.Generator) -> np.ndarray:
    words = rng.integers(0, 2**32, 300, dtype=np.uint32).view(np.float32)
    usual = (rng.standard_normal(300) * 2.0**rng.integers(-16, 16, 300)).astype(np.float32)
    parts = [np.array([0.0, np.inf], dtype=np.float32), words[~np.isnan(words)], usual]
    for name in ROUNDED:
        parts += with_neighbours(ties(rng, name, 64), np.float32)
    inputs = np.concatenate(parts)
    signs = np.where(rng.integers(0, 2, len(inputs)) == 0, np.float32(1), np.float32(-1))
    return (inputs * signs).astype(np.float32)


def inputs_of_64_bits(rng: np.random.Generator) -> np.ndarray:
    """Ties of binary32 and binary16 and their neighbours in binary64: rounding twice gets these wrong."""
    halves = np.ldexp(rng.integers(2**23, 2**24, 100) + 0.5, rng.integers(-149, 104, 100))
    subnormal = np.ldexp(rng.integers(0, 2**22, 50) + 0.5, -149)
    parts = with_neighbours(np.concatenate([halves, subnormal, ties(rng, "fp16", 100)]), np.float64)
    parts.append(rng.standard_normal(100) * 10.0**rng.integers(-45, 39, 100))
    return np.concatenate(parts)


def write_roundings(path: pathlib.Path) -> None:
    rng = np.random.default_rng(SEED)
    single, double = inputs_of_32_bits(rng), inputs_of_64_bits(rng)
    with open(path, "wb") as file, np.errstate(over="ignore"):
        file.write(struct.pack("<I", len(single)) + single.tobytes())
        for name in ROUNDED:
            file.write(single.astype(FORMATS[name][0]).tobytes())
        file.write(struct.pack("<I", len(double)) + double.tobytes())
        file.write(double.astype(np.float32).tobytes() + double.astype(np.float16).tobytes())


def main(output: str) -> None:
    folder = pathlib.Path(output)
    (folder / "numbers_decode.txt").write_text("".join(decode_line(name) for name in FORMATS))
    write_roundings(folder / "numbers_round.bin")


if __name__ == "__main__":
    main(*sys.argv[1:])
