// APoT: every level is a sum of powers of two, one from each of several small sets, so that a product is a
// few shifts and the levels do not pile up at zero as plain powers do. The exponents 1, 2, 3 … are dealt to
// the sets in turn, three to a set of two bits; an odd number of bits leaves one set with a single power.
//   3 bits of magnitude: {0, ½, ¼, 1/16} + {0, ⅛};  4 bits: {0, ½, ⅛, 1/32} + {0, ¼, 1/16, 1/64}
// Sums are divided by the largest.
// Source: Li, Dong, Wang, «Additive Powers-of-Two Quantization» (2020), §2.
#include <algorithm>
#include <cmath>

#include "kerf/quantizers/mappings/grid.h"

namespace kerf {
namespace {

/// The exponents of each set, for `bits` bits of magnitude.
std::vector<std::vector<int>> dealt_exponents(int bits) {
  const int n_pairs = bits / 2;
  std::vector<std::vector<int>> sets(static_cast<std::size_t>(n_pairs + bits % 2));
  int exponent = 1;
  for (int round = 0; round < 3; ++round)
    for (std::size_t set = 0; set < sets.size(); ++set) {
      // The single power of an odd number of bits lies in the middle, between the second and the third round.
      const bool single = bits % 2 == 1 && set + 1 == sets.size();
      if (!single || round == 1) sets[set].push_back(exponent++);
    }
  return sets;
}

std::vector<double> magnitudes(int bits) {
  std::vector<double> sums{0.0};
  for (const auto& set : dealt_exponents(bits)) {
    const std::vector<double> before = sums;
    for (const int exponent : set)
      for (const double v : before) sums.push_back(v + std::ldexp(1.0, -exponent));
  }
  std::sort(sums.begin(), sums.end());
  const double largest = sums.back();
  for (double& v : sums) v /= largest;
  sums.erase(sums.begin());  // the zero belongs to both signs
  return sums;
}

std::shared_ptr<const LevelTable> table(int bits) {
  static const auto tables = [] {
    std::vector<std::shared_ptr<const LevelTable>> out(2);
    for (int b = 2; b <= 8; ++b) out.push_back(mapping_grid::mirrored_levels(magnitudes(b - 1)));
    return out;
  }();
  return tables[static_cast<std::size_t>(bits)];
}

Result<MappedGroup> fit(const Numbers& numbers, const MappingOptions& options, std::vector<Step>* steps) {
  return mapping_grid::fit_absmax(numbers, options, table(options.bits), 1.0, "max|x|", steps);
}

}  // namespace

const Mapping mappings::apot{.name = "apot",
                             .summary = "sums of powers of two, one from each of several sets (APoT)",
                             .bits_min = 2,
                             .bits_max = 8,
                             .bits_default = 4,
                             .symmetry = Mapping::Symmetry::symmetric,
                             .fit = fit};

}  // namespace kerf
