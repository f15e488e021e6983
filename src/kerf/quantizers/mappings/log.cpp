// Logarithmic levels: zero and ± powers of two, so that a product is a shift; or μ-law, which is nearly
// linear around zero. Fine near zero, coarse at the ends, where a bit more does not help.
// Source: Miyashita, Lee, Murmann (2016); Zhou et al., INQ (2017); ITU-T G.711 for μ-law.
#include <cmath>

#include "kerf/quantizers/mappings/grid.h"

namespace kerf {
namespace {

/// Tables for 2 to 8 bits, made once.
using Tables = std::vector<std::shared_ptr<const LevelTable>>;

template <class Magnitudes>
Tables tables(const Magnitudes& magnitudes_of) {
  Tables out(2);
  for (int bits = 2; bits <= 8; ++bits) out.push_back(mapping_grid::mirrored_levels(magnitudes_of(bits)));
  return out;
}

/// Zero, and 2^(b−1) − 1 powers of two up to 1 on each side.
std::shared_ptr<const LevelTable> powers_of_two(int bits) {
  static const Tables all = tables([](int b) {
    const int n = (1 << (b - 1)) - 1;
    std::vector<double> magnitudes;
    for (int i = 0; i < n; ++i) magnitudes.push_back(std::ldexp(1.0, i - n + 1));
    return magnitudes;
  });
  return all[static_cast<std::size_t>(bits)];
}

constexpr double kMu = 255;

std::shared_ptr<const LevelTable> mu_law_levels(int bits) {
  static const Tables all = tables([](int b) {
    const int n = (1 << (b - 1)) - 1;
    std::vector<double> magnitudes;
    for (int i = 1; i <= n; ++i) magnitudes.push_back(std::expm1(std::log1p(kMu) * i / n) / kMu);
    return magnitudes;
  });
  return all[static_cast<std::size_t>(bits)];
}

Result<MappedGroup> fit_log2(const Numbers& numbers, const MappingOptions& options,
                             std::vector<Step>* steps) {
  return mapping_grid::fit_absmax(numbers, options, powers_of_two(options.bits), 1.0, "max|x|", steps);
}

/// The code of the exponent nearest to log2|t|; what is below the smallest power by more than half a step of
/// the exponent becomes zero.
std::uint8_t geometric_code(const LevelTable& levels, double t, RoundingMode rounding, double u) noexcept {
  const int n = static_cast<int>(levels.size() / 2);
  const double exponent = t == 0 ? -2.0 * n : round_by(rounding, std::log2(std::abs(t)), u);
  const int magnitude = std::clamp(static_cast<int>(exponent) + n, 0, n);
  return static_cast<std::uint8_t>(t < 0 ? n - magnitude : n + magnitude);
}

Result<MappedGroup> fit_geometric(const Numbers& numbers, const MappingOptions& options,
                                  std::vector<Step>* steps) {
  KERF_TRY(MappedGroup group,
           mapping_grid::fit_absmax(numbers, options, powers_of_two(options.bits), 1.0, "max|x|", steps));
  for (std::size_t i = 0; i < numbers.x.size(); ++i)
    group.codes[i] = geometric_code(*group.levels, numbers.x[i] / group.scale, options.rounding,
                                    uniform_at(options.seed, options.first_index + i));
  return group;
}

Result<MappedGroup> fit_mu_law(const Numbers& numbers, const MappingOptions& options,
                               std::vector<Step>* steps) {
  return mapping_grid::fit_absmax(numbers, options, mu_law_levels(options.bits), 1.0, "max|x|", steps);
}

}  // namespace

const Mapping mappings::log2{.name = "log2",
                             .summary = "zero and ± powers of two, the nearest (switching at 1.5 · 2^k)",
                             .bits_min = 2,
                             .bits_max = 8,
                             .bits_default = 4,
                             .symmetry = Mapping::Symmetry::symmetric,
                             .fit = fit_log2};

const Mapping mappings::log2_geometric{.name = "log2-geometric",
                                       .summary = "the same, the exponent rounded (switching at √2 · 2^k)",
                                       .bits_min = 2,
                                       .bits_max = 8,
                                       .bits_default = 4,
                                       .symmetry = Mapping::Symmetry::symmetric,
                                       .nearest = false,
                                       .fit = fit_geometric};

const Mapping mappings::mu_law{.name = "mu-law",
                               .summary = "levels even in ln(1 + 255 |x| / max|x|)",
                               .bits_min = 2,
                               .bits_max = 8,
                               .bits_default = 4,
                               .symmetry = Mapping::Symmetry::symmetric,
                               .fit = fit_mu_law};

}  // namespace kerf
