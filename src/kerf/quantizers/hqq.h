// HQQ: scales from the range of a group, then a zero point that is free to be any number, found by
// half-quadratic splitting such that Σ |w − ŵ|^p is small. Uses no data. For comparison: the scale stays
// where the range put it, so quantize_row() leaves less by the squared error and by this norm, in less time.
//
// Source: H. Badri, A. Shaji, «Half-Quadratic Quantization of Large Machine Learning Models» (2023).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kerf/formats/format.h"

namespace kerf {

struct HqqOptions {
  double p = 0.7;        ///< of the norm; below 1 it forgives a few large errors for many small ones
  double beta = 10;      ///< weight of the splitting at first, in units of the numbers as they are
  double growth = 1.01;  ///< of beta per step
  int max_steps = 20;
};

/// ŵ = scale · code + offset, codes 0 … n_levels − 1.
struct HqqGrid {
  double scale;
  double offset;
  double mean_error;  ///< mean |w − ŵ|
};

/// The proximal operator of |x|^p / beta as HQQ has it: sign(x) · max(0, |x| − |x|^(p − 1) / beta).
[[nodiscard]] double hqq_shrink(double x, double p, double beta) noexcept;

/// The grid for one group of finite numbers. Stops at the first step that does not lower the mean error, and
/// returns what was best.
[[nodiscard]] HqqGrid hqq_grid(std::span<const float> w, std::size_t n_levels,
                               const HqqOptions& options = {}) noexcept;

/// Whether groups of this format have an offset that is free: neither a whole number of scales nor of one
/// sign.
[[nodiscard]] bool takes_hqq(const Format& format) noexcept;

/// Rounds a row of n finite numbers into `dst` (format.row_bytes(n) bytes). takes_hqq(format),
/// format.fits(n).
void quantize_row_hqq(const Format& format, const float* x, std::uint8_t* dst, std::size_t n,
                      const HqqOptions& options = {}) noexcept;

}  // namespace kerf
