// Absmax: the largest magnitude becomes the last level. Four conventions are in use for the same b bits; they
// give four different scales, and papers seldom say which one they mean.
// Source: Jacob et al. (2018), Krishnamoorthi (2018); GPTQ's symmetric quantizer; Q4_0 of ggml.
#include <cmath>

#include "kerf/quantizers/mappings/grid.h"

namespace kerf {
namespace {

using mapping_grid::explain;

/// The codes from −2^(b−1) (or one more) to 2^(b−1) − 1, with `scale` for a group that is not all zero.
Result<MappedGroup> on_integers(const Numbers& numbers, const MappingOptions& options, int first, int last,
                                double scale) {
  MappedGroup group;
  group.levels = mapping_grid::integer_levels(first, last);
  group.parameter_bits = bits_of(options.parameters);
  if (scale != 0) {
    KERF_TRY(group.scale, mapping_grid::stored_scale(scale, options.parameters));
  }
  mapping_grid::choose_codes(group, numbers.x, options);
  return group;
}

int half_range(const MappingOptions& options) noexcept {
  return 1 << (options.bits - 1);
}

Result<MappedGroup> fit_restricted(const Numbers& numbers, const MappingOptions& options,
                                   std::vector<Step>* steps) {
  const int top = half_range(options) - 1;
  const double a = mapping_grid::absmax(numbers.x);
  KERF_TRY(MappedGroup group, on_integers(numbers, options, -top, top, a / top));
  explain(steps, "s", "max|x| / (2^(b−1) − 1)", group.scale, "{:.6g} / {}", a, top);
  return group;
}

Result<MappedGroup> fit_full(const Numbers& numbers, const MappingOptions& options,
                             std::vector<Step>* steps) {
  const int half = half_range(options);
  double extreme = 0;
  for (const double v : numbers.x)
    if (std::abs(v) > std::abs(extreme)) extreme = v;
  KERF_TRY(MappedGroup group, on_integers(numbers, options, -half, half - 1, extreme / -half));
  explain(steps, "s", "(x of largest magnitude) / −2^(b−1)", group.scale, "{:.6g} / −{}", extreme, half);
  return group;
}

Result<MappedGroup> fit_gptq(const Numbers& numbers, const MappingOptions& options,
                             std::vector<Step>* steps) {
  const int half = half_range(options);
  const double a = mapping_grid::absmax(numbers.x);
  KERF_TRY(MappedGroup group, on_integers(numbers, options, -half, half - 1, 2 * a / (2 * half - 1)));
  explain(steps, "s", "2 max|x| / (2^b − 1)", group.scale, "2 · {:.6g} / {}", a, 2 * half - 1);
  return group;
}

Result<MappedGroup> fit_clipped(const Numbers& numbers, const MappingOptions& options,
                                std::vector<Step>* steps) {
  const int half = half_range(options);
  const double a = mapping_grid::absmax(numbers.x);
  KERF_TRY(MappedGroup group, on_integers(numbers, options, -half, half - 1, a / half));
  explain(steps, "s", "max|x| / 2^(b−1)", group.scale, "{:.6g} / {}", a, half);
  return group;
}

}  // namespace

const Mapping mappings::absmax{
    .name = "absmax",
    .summary = "symmetric, ±(2^(b−1) − 1), the largest magnitude on the last level",
    .bits_min = 2,
    .bits_max = 8,
    .bits_default = 8,
    .symmetry = Mapping::Symmetry::symmetric,
    .fit = fit_restricted};

const Mapping mappings::absmax_full{
    .name = "absmax-full",
    .summary = "the number of largest magnitude on −2^(b−1), whatever its sign",
    .bits_min = 2,
    .bits_max = 8,
    .bits_default = 8,
    .symmetry = Mapping::Symmetry::symmetric,
    .fit = fit_full};

const Mapping mappings::absmax_gptq{.name = "absmax-gptq",
                                    .summary = "symmetric with step 2 max|x| / (2^b − 1), as GPTQ does it",
                                    .bits_min = 2,
                                    .bits_max = 8,
                                    .bits_default = 8,
                                    .symmetry = Mapping::Symmetry::symmetric,
                                    .fit = fit_gptq};

const Mapping mappings::absmax_clipped{.name = "absmax-clipped",
                                       .summary = "symmetric with step max|x| / 2^(b−1), clipped at the top",
                                       .bits_min = 2,
                                       .bits_max = 8,
                                       .bits_default = 8,
                                       .symmetry = Mapping::Symmetry::symmetric,
                                       .fit = fit_clipped};

}  // namespace kerf
