#!/usr/bin/env python3
"""Golden rows for src/kerf/formats/vector_grid_test.cpp: random bytes of the K1.5 … K3.5 formats and what a
decoder written from their description (docs/formats.md) makes of them. It shares no code with kerf.

  tools/golden_vector_formats.py OUTPUT_DIR

Made with numpy 2.4, seed 20260707. vector_formats.bin is a sequence of records, little-endian:
  char name[16]; u32 n_numbers, n_bytes; u8 row[n_bytes]; f32 values[n_numbers]
"""
import itertools
import pathlib
import struct
import sys

import numpy as np

SEED = 20260707
#        cells per block, points, coordinates, levels enumerated, scale bits
TYPES = {
    "K1.5": (4, 16, 8, 2, 0),
    "K2": (2, 256, 8, 3, 0),
    "K2.5": (4, 2048, 8, 4, 4),
    "K3": (2, 128, 4, 8, 4),
    "K3.5": (2, 512, 4, 8, 4),
}


def points(count: int, width: int, levels: int) -> np.ndarray:
    """Shortest vectors of odd halves; ties in the order of (number · 2654435761) mod 2^32."""
    vectors = np.array(list(itertools.product(range(levels), repeat=width)), dtype=np.int64) + 0.5
    tie = (np.arange(len(vectors), dtype=np.uint64) * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
    chosen = vectors[np.lexsort((tie, (vectors**2).sum(axis=1)))][:count].copy()
    odd = chosen.sum(axis=1) % 2 == 1
    chosen[odd, -1] *= -1
    return chosen


def decode(name: str, row: bytes, n: int) -> np.ndarray:
    cells, count, width, levels, scale_bits = TYPES[name]
    book = points(count, width, levels)
    index_bits = count.bit_length() - 1
    cell_bits = 8 + 8 // width * index_bits
    block_bytes = (cells * cell_bits + scale_bits) // 8
    row_scale = np.frombuffer(b"\0\0" + row[:2], dtype=np.float32)[0]
    values = []
    for at in range(2, len(row), block_bytes):
        bits = int.from_bytes(row[at:at + block_bytes], "little")
        code = bits >> cells * cell_bits
        multiplier = round(16 * 2 ** (code / 6)) if scale_bits else 1
        for c in range(cells):
            cell = bits >> c * cell_bits & (1 << cell_bits) - 1
            signs = [cell >> 1 + i & 1 for i in range(7)]
            signs.append(sum(signs) % 2)
            indices = [cell >> 8 + p * index_bits & count - 1 for p in range(8 // width)]
            v = np.concatenate([book[i] for i in indices]) * (1 - 2 * np.array(signs))
            inner = np.float32(multiplier) * (4 * v + (-1 if cell & 1 else 1)).astype(np.float32)
            values.append(inner * row_scale)
    return np.concatenate(values)[:n].astype(np.float32)


def main() -> None:
    rng = np.random.default_rng(SEED)
    out = bytearray()
    for name, (cells, _, _, _, scale_bits) in TYPES.items():
        cell_bits = 8 + 8 // TYPES[name][2] * (TYPES[name][1].bit_length() - 1)
        block_bytes = (cells * cell_bits + scale_bits) // 8
        for n in (8 * cells * 20, 8 * cells * 20 - 5):
            row = bytearray(rng.integers(0, 256, 2 + block_bytes * 20, dtype=np.uint8).tobytes())
            row[:2] = struct.pack("<H", int(rng.integers(0x3000, 0x4000)))
            out += name.encode().ljust(16, b"\0") + struct.pack("<II", n, len(row)) + row
            out += decode(name, bytes(row), n).tobytes()
    pathlib.Path(sys.argv[1], "vector_formats.bin").write_bytes(out)


main()
