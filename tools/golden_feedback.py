#!/usr/bin/env python3
"""Writes tests/golden/feedback.bin: error feedback (GPTQ) of small matrices on integer grids, as NumPy does it
column by column in binary64 with the inverse of H and the Cholesky factor of that inverse. (NumPy 2.4.6, seed 7)

Cases of: 4 little-endian i32 (rows, columns, damping in 1/1000, cells of eight in the order of their moments or
not); in binary32 a [columns], r [columns] and W [rows, columns], where H[i, j] = (a[i] · a[j]) · r[|i − j|]; codes
from 0 for the lowest level on [rows, columns] in bytes. Levels are −3 … 4.
"""
import pathlib

import numpy as np


def feedback(w, h, lowest, highest, damping, in_order):
    """Also how near a number came to the middle between two levels."""
    n = len(h)
    order = np.arange(n)
    if in_order:
        whole = n // 8 * 8
        cells = np.argsort(-np.diag(h)[:whole].reshape(-1, 8).sum(1), kind="stable")
        order[:whole] = (cells[:, None] * 8 + np.arange(8)).ravel()
    h = h[order][:, order] + damping * np.mean(np.diag(h)) * np.eye(n)
    u = np.linalg.cholesky(np.linalg.inv(h)).T  # upper, inverse = uᵀ·u
    w = w[:, order].copy()
    q = np.zeros_like(w)
    margin = np.inf
    for j in range(n):
        x = w[:, j]
        q[:, j] = np.clip(np.rint(x), lowest, highest)
        inside = (x > lowest) & (x < highest)
        margin = min(margin, np.min(np.abs(np.abs(x - np.rint(x)) - 0.5)[inside], initial=1.0))
        w[:, j:] -= np.outer((x - q[:, j]) / u[j, j], u[j, j:])
    codes = np.zeros_like(q)
    codes[:, order] = q - lowest
    return codes.astype(np.uint8), margin


def main():
    random = np.random.default_rng(7)
    path = pathlib.Path(__file__).parent.parent / "tests/golden/feedback.bin"
    with path.open("wb") as out:
        for rows, n, damping, in_order in [
            (5, 8, 10, 0), (33, 40, 0, 0), (7, 96, 50, 0), (4, 83, 10, 1), (5, 300, 10, 0), (5, 272, 10, 1),
        ]:
            while True:
                a = np.exp(random.normal(size=n)).astype(np.float32)
                r = (random.uniform(0.5, 0.95) ** np.arange(n)).astype(np.float32)
                h = np.outer(a, a) * r[np.abs(np.subtract.outer(np.arange(n), np.arange(n)))]
                w = (1.5 * random.normal(size=(rows, n))).astype(np.float32)
                codes, margin = feedback(w.astype(float), h.astype(float), -3, 4, damping / 1000, in_order)
                if margin > 1e-4:  # so that no rounding can tip a code
                    break
            np.array([rows, n, damping, in_order], "<i4").tofile(out)
            for numbers in (a, r, w):
                numbers.astype("<f4").tofile(out)
            codes.tofile(out)
            print(rows, n, "margin", margin)


if __name__ == "__main__":
    main()
