#!/usr/bin/env python3
"""Writes tests/golden/activations.txt: quantized rows and integer products by numpy (2.x, seed 20).

A case is a line «type low high», then the lines x, codes, scale; floats in hexadecimal. The last line of a
case is the product with a row of int8 weights: the weight's codes, its scale, and y."""
import pathlib
import numpy as np

random = np.random.default_rng(20)
f32 = np.float32


def quantize(kind, x, low, high):
    magnitude = max(-low, high)
    if kind == "fp8-e4m3":
        import torch
        scale = f32(magnitude / 448)
        q = torch.tensor((x / scale).astype(f32)).clamp(-448, 448).to(torch.float8_e4m3fn).float().numpy() * 512
        return q.astype(np.int64), f32(scale / f32(512))
    bits = int(kind.lstrip("uint"))
    if kind.startswith("u"):
        low, high, most = min(low, 0.0), max(high, 0.0), 2**bits - 1
        scale = f32((high - low) / most)
        zero = np.clip(np.rint(f32(-low) / scale), 0, most)
        q = np.clip(np.rint(x / scale) + zero, 0, most) - zero
        return q.astype(np.int64), scale
    most = 2 ** (bits - 1) - 1
    scale = f32(magnitude / most)
    return np.clip(np.rint(x / scale), -most, most).astype(np.int64), scale


def line(values):
    return " ".join(float(v).hex() if isinstance(v, (float, np.floating)) else str(v) for v in values)


out = []
for kind in ("int8", "uint8", "int4", "uint4", "fp8-e4m3"):
    for own in (True, False):
        x = (random.standard_normal(64) * 3 + 0.5).astype(f32)
        low, high = (float(min(x.min(), 0)), float(max(x.max(), 0))) if own else (-2.5, 4.0)
        codes, scale = quantize(kind, x, low, high)
        w = random.integers(-128, 128, 64)
        w_scale = f32(random.uniform(0.001, 0.1))
        y = f32(np.float64(scale) * (np.float64(w_scale) * np.float64(int((codes * w).sum()))))
        out += [f"{kind} {low.hex()} {high.hex()}", line(x), line(codes.tolist()), line([scale]),
                line(w.tolist()), line([w_scale]), line([y])]
root = pathlib.Path(__file__).resolve().parent.parent
(root / "tests/golden/activations.txt").write_text("\n".join(out) + "\n")
