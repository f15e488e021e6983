// The standard normal distribution and the levels that suit it.
#pragma once

#include <cstddef>
#include <vector>

namespace kerf {

/// The x below which a share p of the distribution lies, for 0 < p < 1; within 1e-15 relative.
[[nodiscard]] double normal_quantile(double p) noexcept;

/// The n ascending levels with the smallest mean squared error for N(0, 1). 1 ≤ n ≤ 256.
/// Source: Lloyd (1957/1982), Max (1960); solved by Newton's method from Panter and Dite's density (1951).
[[nodiscard]] std::vector<double> normal_levels(std::size_t n);

/// The levels of NF4 (bits = 4) and of what the same rule gives for 2 to 8 bits: quantiles of N(0, 1), one
/// more above zero than below, zero itself, divided by the largest, rounded to binary32. Ascending.
/// Source: Dettmers et al., «QLoRA» (2023), §3 and appendix E; the offset is that of bitsandbytes.
[[nodiscard]] std::vector<double> normal_float_levels(int bits);

}  // namespace kerf
