#!/usr/bin/env python3
"""Golden rows for src/kerf/formats/own_formats_test.cpp: random rows of kerf's own formats and what an
independent decoder, written from the byte maps of docs/formats.md, makes of them.

  tools/golden_own_formats.py OUTPUT_FILE

Made with numpy 2.4 and ml_dtypes 0.6, seed 20260402. The file is a sequence of records, little-endian:
  char name[24]; u32 n_numbers, n_bytes; u8 row[n_bytes]; f32 first_values[4];
  u64 hash                                             (FNV-1a over the bytes of all values as binary32)
"""
import re
import struct
import sys
from fractions import Fraction
from statistics import NormalDist

import ml_dtypes
import numpy as np

SEED = 20260402
F32 = np.float32
ELEMENTS = {"E4M3": ml_dtypes.float8_e4m3fn, "E5M2": ml_dtypes.float8_e5m2,
            "E2M3": ml_dtypes.float6_e2m3fn, "E3M2": ml_dtypes.float6_e3m2fn, "E2M1": ml_dtypes.float4_e2m1fn}


# --- levels --------------------------------------------------------------------------------------

def normal_float(bits: int) -> list[float]:
    half = 2 ** (bits - 1)
    offset = 1 - (1 / (2 * (2 * half - 1)) + 1 / (4 * half)) / 2
    quantile = NormalDist().inv_cdf
    above = [quantile(p) for p in np.linspace(offset, 0.5, half + 1)[:-1]]
    below = [-quantile(p) for p in np.linspace(offset, 0.5, half)[:-1]]
    return sorted(v / max(above) for v in above + below + [0.0])


def mirrored(magnitudes) -> list[float]:
    return [-float(m) for m in reversed(magnitudes)] + [0.0] + [float(m) for m in magnitudes]


def apot(bits: int) -> list[float]:
    """Sums of two powers of two, over the largest, as the paper's own levels for 3 and 4 magnitude bits."""
    if bits == 4:
        sums = {Fraction(1, 10) * k for k in (1, 2, 3, 4, 6, 8, 10)}
    else:
        sums = {a + b for a in (0, 1, Fraction(1, 4), Fraction(1, 16))
                for b in (0, Fraction(1, 2), Fraction(1, 8), Fraction(1, 32))} - {0}
    return mirrored([s / max(sums) for s in sorted(sums)])


LEVELS = {
    "NF4": normal_float(4), "NF3": normal_float(3), "APOT4": apot(4), "APOT5": apot(5),
    "LOG4": mirrored([Fraction(1, 2 ** k) for k in range(6, -1, -1)]),
    "LOG3": mirrored([Fraction(1, 2 ** k) for k in range(2, -1, -1)]),
    "TERNARY2": [-1.0, 0.0, 1.0],
    "S3.5": mirrored([.1875, .3952, .6437, 1]),
    "K4": mirrored([.1333, .2739, .4241, .5819, .7592, 1]),
    "K4.5": mirrored([.0957, .1945, .2973, .4009, .5043, .6116, .7228, .8443, 1]),
}
BITS = {"NF4": 4, "NF3": 3, "APOT4": 4, "APOT5": 5, "LOG4": 4, "LOG3": 3, "TERNARY2": 2}


# --- pieces of a block -----------------------------------------------------------------------------

class Bytes:
    """Random sound bytes, taken field by field; keeps what it gave."""

    def __init__(self, rng):
        self.rng, self.data = rng, b""

    def take(self, value: bytes) -> bytes:
        self.data += value
        return value

    def number(self, kind: str, signed: bool = True) -> F32:
        """A finite parameter of usual size."""
        value = float(2 ** self.rng.uniform(-6, 3)) * (-1 if signed and self.rng.integers(2) else 1)
        if kind == "f16":
            return F32(np.frombuffer(self.take(np.float16(value).tobytes()), np.float16)[0])
        if kind == "bf16":
            return F32(np.frombuffer(self.take(ml_dtypes.bfloat16(value).tobytes()), ml_dtypes.bfloat16)[0])
        if kind == "f32":
            return np.frombuffer(self.take(F32(value).tobytes()), F32)[0]
        if kind == "e4m3":
            return F32(np.frombuffer(self.take(ELEMENTS["E4M3"](value).tobytes()), ELEMENTS["E4M3"])[0])
        if kind == "e8m0":
            return F32(2.0 ** (self.take(bytes([int(self.rng.integers(110, 140))]))[0] - 127))
        if kind == "u8/64":
            return F32(self.take(bytes([int(self.rng.integers(0, 256))]))[0] / 64)
        raise KeyError(kind)

    def bit_string(self, n_codes: int, bits: int, most: int) -> np.ndarray:
        codes = self.rng.integers(0, most, n_codes)
        self.take(sum(int(c) << (bits * i) for i, c in enumerate(codes)).to_bytes(n_codes * bits // 8, "little"))
        return codes


def integers(rng, row, name):
    signed, bits, group, scale_type, offset_type = re.fullmatch(
        r"(U?)INT(\d)_G(\d+)(_BF16|_F8)?(_F16Z)?", name).groups()
    bits, group = int(bits), int(group)
    row_scale = row.number("f32") if scale_type == "_F8" else None
    kind = {"_BF16": "bf16", "_F8": "e4m3"}.get(scale_type, "f16")
    while True:
        scale = row.number(kind, signed=not signed or offset_type is not None)
        offset = F32(0)
        if offset_type:
            offset = row.number("f16")
        elif signed:
            stored = int(rng.integers(-128, 128))
            row.take(struct.pack("<b", stored))
            offset = -scale * F32(stored + 2 ** (bits - 1))
        codes = row.bit_string(group, bits, 2 ** bits)
        levels = codes if signed else (2 * codes - 1 if bits == 1 else codes - 2 ** (bits - 1))
        values = scale * levels.astype(F32) + offset
        yield values if row_scale is None else values * row_scale


def of_table(rng, row, name):
    base, suffix = name.split("_")
    levels = np.array(LEVELS[base], dtype=F32)
    row_scale = row.number("f32") if suffix in ("DQ", "ROW") else None
    while True:
        group = {"DQ": 64, "ROW": 8}.get(suffix) or int(suffix[1:])
        scale = {"DQ": lambda: row.number("u8/64"), "ROW": lambda: F32(1)}.get(suffix, lambda: row.number("f16"))()
        values = scale * levels[row.bit_string(group, BITS[base], len(levels))]
        yield values if row_scale is None else values * row_scale


def integer_rows(rng, row, name):
    bits = int(name[3])
    row_scale = row.number("f32")
    while True:
        codes = row.bit_string(8, bits, 2 ** bits)
        yield (2 * codes - 1 if bits == 1 else codes - 2 ** (bits - 1)).astype(F32) * row_scale


def unsigned_rows(rng, row, name):
    bits = int(name[4])
    row_scale, row_offset = row.number("f32"), row.number("f32")
    while True:
        yield row.bit_string(8, bits, 2 ** bits).astype(F32) * row_scale + row_offset


def ternary5(rng, row, name):
    suffix = name.split("_")[1]
    group = 80 if suffix == "ROW" else int(suffix[1:])
    row_scale = row.number("f32") if suffix == "ROW" else None
    width = -(-group // 5)
    while True:
        scale = F32(1) if suffix == "ROW" else row.number("f16")
        digits = rng.integers(0, 3, group)
        spelled = np.concatenate([digits, np.zeros(5 * width - group, dtype=int)]).reshape(5, width)
        numbers = (spelled * np.array([81, 27, 9, 3, 1])[:, None]).sum(0)
        row.take(bytes((int(v) * 256 + 242) // 243 for v in numbers))
        values = (digits - 1).astype(F32) * scale
        yield values if row_scale is None else values * row_scale


def floats(rng, row, name):
    mx = name.startswith("MX")
    element = name.split("_")[1]
    dtype = ELEMENTS[element]
    row_scale = row.number("f32") if name.endswith("_ROW") else None
    group = 8 if row_scale is not None else 32 if mx else int(name.split("_")[2][1:])
    kind = "e8m0" if mx else {"BF16": "bf16", "F32": "f32"}.get(name.split("_")[-1], "f16")
    six = element in ("E2M3", "E3M2")
    while True:
        scale = F32(1) if row_scale is not None else row.number(kind, signed=False)
        if six:
            codes = row.bit_string(group, 6, 64)
        else:
            codes = rng.integers(0, {"E4M3": 0x7F, "E5M2": 0x7C}[element], group) | rng.integers(0, 2, group) << 7
            row.take(bytes(codes.astype(np.uint8)))
        values = scale * codes.astype(np.uint8).view(dtype).astype(F32)
        yield values if row_scale is None else values * row_scale


def codebooks(rng, row, name):
    n_levels = int(re.match(r"CB(\d+)", name).group(1))
    kind = "bf16" if name.endswith("_BF16") else "f16"
    bits = n_levels.bit_length() - 1
    per_row = "_ROW" in name
    levels = None
    while True:
        if levels is None or not per_row:
            levels = np.array([row.number(kind) for _ in range(n_levels)], dtype=F32)
        yield levels[row.bit_string(32 if per_row else 256, bits, n_levels)]


def half_bits(rng, row, name):
    levels = np.array(LEVELS[name], dtype=F32)
    word_bits = {"S3.5": 13, "K4": 15, "K4.5": 17}[name]
    row_scale = row.number("bf16")
    while True:
        code = int(rng.integers(0, 16))
        digits = rng.integers(0, len(levels), (4, 4))  # [digit d, word k] is number 4·d + k
        bits = code
        for k in range(4):
            bits |= sum(int(digits[d, k]) * len(levels) ** d for d in range(4)) << (4 + word_bits * k)
        row.take(bits.to_bytes((4 + 4 * word_bits) // 8, "little"))
        yield (F32((code + 2) / 8) * levels[digits.ravel()]) * row_scale


def decoder_of(name):
    for pattern, decoder in [(r"INT\d_ROW", integer_rows), (r"UINT\d_ROW", unsigned_rows), (r"U?INT\d_G.*", integers),
                             (r"(NF|APOT|LOG|TERNARY2).*", of_table), (r"TERNARY5_.*", ternary5),
                             (r"(F8|MXFP[68])_.*", floats), (r"CB\d+_.*", codebooks), (r"(K4|S3).*", half_bits)]:
        if re.fullmatch(pattern, name):
            return decoder
    raise KeyError(name)


def names():
    for bits in range(8, 0, -1):
        yield f"INT{bits}_ROW"
        yield f"UINT{bits}_ROW"
        for group in (16, 32, 64, 128):
            for scale in ("", "_BF16", "_F8"):
                yield f"INT{bits}_G{group}{scale}"
                yield f"UINT{bits}_G{group}{scale}"
            yield f"UINT{bits}_G{group}_F16Z"
            yield f"UINT{bits}_G{group}_BF16_F16Z"
    for base in BITS:
        for group in (32, 64, 128, 256):
            yield f"{base}_G{group}"
    yield from ("NF4_DQ", "NF3_DQ", "TERNARY2_ROW", "TERNARY5_ROW")
    yield from (f"TERNARY5_G{group}" for group in (32, 64, 128, 256))
    yield from ("MXFP8_E4M3", "MXFP8_E5M2", "MXFP6_E2M3", "MXFP6_E3M2", "F8_E4M3_ROW", "F8_E5M2_ROW")
    for element in ("E4M3", "E5M2"):
        yield from (f"F8_{element}_G{group}{scale}" for group in (32, 128) for scale in ("", "_BF16", "_F32"))
    for n in (16, 8, 4):
        yield from (f"CB{n}_{share}{kind}" for share in ("ROW", "G256") for kind in ("", "_BF16"))
    yield from ("S3.5", "K4", "K4.5")


def fnv1a(data: bytes) -> int:
    state = 0xCBF29CE484222325
    for byte in data:
        state = (state ^ byte) * 0x100000001B3 % 2 ** 64
    return state


def main():
    with open(sys.argv[1], "wb") as out:
        for index, name in enumerate(names()):
            rng = np.random.default_rng([SEED, index])
            row = Bytes(rng)
            blocks = decoder_of(name)(rng, row, name)
            first, second = next(blocks), next(blocks)
            values = np.concatenate([first, second])
            n = len(first) + (len(first) + 1) // 2 + 1  # ends within the second block
            values = values[:n].astype("<f4") + F32(0)  # the sign of a zero is nobody's business
            out.write(struct.pack("<24sII", name.encode(), n, len(row.data)) + row.data +
                      values[:4].tobytes() + struct.pack("<Q", fnv1a(values.tobytes())))


if __name__ == "__main__":
    main()
