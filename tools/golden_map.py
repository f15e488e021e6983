#!/usr/bin/env python3
"""Writes tests/golden/npy/*.npy and tests/golden/map.txt: what other programs make of the mappings.

map.txt holds cases, one value per word:
  numbers NAME x…            the input of the cases that follow (repr of binary64, so nothing is lost)
  case MAPPING OPTIONS…      options as key=value
  codes …                    one per number
  scale V / zero V / levels … / cost V / clip V
Programs: numpy (quantiles, histograms), torch (fake quantization), kmeans1d (the exact optimum, SMAWK, unlike
kerf's divide and conquer), scipy (entropy, normal quantiles).
"""
import argparse
import pathlib

import kmeans1d
import numpy as np
import scipy
import scipy.stats
import torch


def write_npy(folder):
    folder.mkdir(parents=True, exist_ok=True)
    small = np.array([[-100, 0, 1], [2, 64, 127]])
    for t in ("f8", "f4", "f2", "i8", "i4", "i2", "i1"):
        np.save(folder / f"{t}.npy", small.astype("<" + t))
    for t in ("u8", "u4", "u2", "u1"):
        np.save(folder / f"{t}.npy", np.array([0, 1, 2, 200]).astype("<" + t))
    np.save(folder / "bool.npy", np.array([True, False, True]))
    np.save(folder / "scalar.npy", np.float64(2.5))
    np.save(folder / "empty.npy", np.zeros((0, 7), "<f4"))
    two = np.array([0.5, -1.5], "<f4")
    for version in (2, 3):
        with open(folder / f"version{version}.npy", "wb") as f:
            np.lib.format.write_array(f, two, version=(version, 0))
    np.save(folder / "big_endian.npy", two.astype(">f4"))
    np.save(folder / "fortran.npy", np.asfortranarray(small.astype("<f4")))
    np.save(folder / "object.npy", np.array([1, "a"], dtype=object), allow_pickle=True)
    np.save(folder / "record.npy", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
    np.save(folder / "complex.npy", np.zeros(2, "<c8"))
    # For docs/map.md: long-tailed, as activations are.
    np.save(folder / "student.npy", np.random.default_rng(4).standard_t(4, 4000).astype("<f4"))


def numbers():
    rng = np.random.default_rng(20260101)
    return {
        "nine": np.array([0.34, 3.75, 5.64, 1.12, 2.7, -0.9, -4.7, 0.68, 1.43]),
        "normal": rng.standard_normal(200),
        "student": rng.standard_t(3, 500),
        "positive": rng.exponential(1.0, 120) + 0.5,
    }


def words(values):
    return " ".join(repr(float(v)) for v in values)


def torch_affine(x, bits, scale, zero, first, last):
    """Codes by torch: rounds to nearest even and clips, in binary32. None where binary32 may decide a tie
    otherwise than binary64: 4.7 / (5.64 / 3) is one."""
    if (np.abs(np.abs(x / scale) % 1 - 0.5) < 1e-5).any():
        return None
    t = torch.tensor(x, dtype=torch.float32)
    dequantized = torch.fake_quantize_per_tensor_affine(t, float(scale), int(zero), first, last)
    return np.rint(dequantized.double().numpy() / scale).astype(int) + int(zero)


def affine_cases(x):
    for bits in (2, 3, 4, 6, 8):
        top = 2 ** (bits - 1) - 1
        scale = np.abs(x).max() / top
        yield f"case absmax bits={bits}", torch_affine(x, bits, scale, 0, -top, top), {"scale": scale}
        low, high = min(x.min(), 0.0), max(x.max(), 0.0)
        scale = (high - low) / (2**bits - 1)
        zero = int(np.clip(np.rint(-low / scale), 0, 2**bits - 1))
        yield (f"case zero-point bits={bits}", torch_affine(x, bits, scale, zero, 0, 2**bits - 1),
               {"scale": scale, "zero": zero})


def percentile_cases(x):
    for p in (90.0, 99.0, 99.9):
        clip = np.quantile(np.abs(x), p / 100, method="inverted_cdf")
        yield f"case percentile bits=4 percentile={p}", None, {"scale": clip / 7}


def kmeans_cases(x, rng):
    for bits in (1, 2, 3, 4):
        result = kmeans1d.cluster(x.tolist(), 2**bits)
        centre = np.array(result.centroids)
        cost = sum((v - centre[c]) ** 2 for v, c in zip(x, result.clusters))
        yield f"case kmeans bits={bits}", None, {"cost": cost, "levels": np.sort(centre)}
    # Whole weights are repetitions.
    weights = rng.integers(1, 6, len(x))
    repeated = np.repeat(x, weights)
    result = kmeans1d.cluster(repeated.tolist(), 8)
    cost = ((repeated - np.array(result.centroids)[result.clusters]) ** 2).sum()
    yield f"case kmeans bits=3 weights={','.join(map(str, weights))}", None, {"cost": cost}


def smoothed(p, epsilon=1e-4):
    empty = p == 0
    n0, n1 = empty.sum(), (~empty).sum()
    if n1 == 0 or epsilon * n0 / n1 >= 1:
        return None
    return np.where(empty, epsilon, p - epsilon * n0 / n1)


def entropy_clip(x, bits, n_bins=2048):
    """TensorRT's threshold, dense and slow, with scipy's entropy: unlike kerf's, which skips empty bins."""
    largest = np.abs(x).max()
    hist, _ = np.histogram(np.abs(x), bins=n_bins, range=(0, largest))
    levels = 2 ** (bits - 1)
    best, best_kept = np.inf, n_bins
    for kept in range(levels, n_bins + 1):
        s = hist[:kept].astype(float)
        p = s.copy()
        p[-1] += hist[kept:].sum()
        q = np.zeros(kept)
        of = np.arange(kept) * levels // kept
        for level in range(levels):
            inside = (of == level) & (s > 0)
            if inside.any():
                q[inside] = s[of == level].sum() / inside.sum()
        p, q = smoothed(p), smoothed(q)
        if p is None or q is None:
            continue
        kl = scipy.stats.entropy(p, q)
        if kl < best:
            best, best_kept = kl, kept
    return min((best_kept + 0.5) * largest / n_bins, largest)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=pathlib.Path(__file__).parent.parent / "tests/golden", type=pathlib.Path)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    write_npy(out / "npy")
    rng = np.random.default_rng(7)
    lines = [f"# numpy {np.__version__}, scipy {scipy.__version__}, torch {torch.__version__}, kmeans1d; seeds 20260101, 7"]
    for name, x in numbers().items():
        lines.append(f"numbers {name} {words(x)}")
        cases = list(affine_cases(x)) + list(percentile_cases(x)) + list(kmeans_cases(x, rng))
        for bits in (3, 4, 8):
            top = 2 ** (bits - 1) - 1
            cases.append((f"case entropy bits={bits}", None, {"scale": entropy_clip(x, bits) / top}))
        for head, codes, facts in cases:
            lines.append(head)
            if codes is not None:
                lines.append("codes " + " ".join(map(str, codes)))
            for key, value in facts.items():
                lines.append(f"{key} {words(np.atleast_1d(value))}")
    (out / "map.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
