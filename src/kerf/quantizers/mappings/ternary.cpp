// Ternary and binary: s · {−1, 0, 1} and s · {−1, 1}.
//   Binary, for fixed signs:   s = Σ w |x| / Σ w                          (Rastegari et al., XNOR-Net, 2016)
//   Ternary, least squares:    s = Σ w |x| / Σ w over the kept numbers, which are the largest; their number
//   is
//                              the one that makes (Σ w |x|)² / Σ w largest: one pass over the sorted
//                              magnitudes
//   Ternary by the mean:       s = mean |x|, as BitNet b1.58 does         (Ma et al., 2024)
#include <algorithm>
#include <cmath>

#include "kerf/quantizers/mappings/grid.h"

namespace kerf {
namespace {

using mapping_grid::explain;

struct Sums {
  double w = 0, wx = 0;  ///< Σ w, Σ w |x|
  std::size_t n = 0;
};

Sums sums_of(const Numbers& numbers) {
  Sums sums;
  for (std::size_t i = 0; i < numbers.x.size(); ++i) {
    sums.w += numbers.weight(i);
    sums.wx += numbers.weight(i) * std::abs(numbers.x[i]);
  }
  sums.n = numbers.x.size();
  return sums;
}

/// With s for the kept numbers and zero for the others, Σ w (x − x̂)² = Σ w x² − (Σ w |x|)² / Σ w.
Sums best_kept(const Numbers& numbers) {
  std::vector<std::pair<double, double>> sorted;  // |x|, w
  for (std::size_t i = 0; i < numbers.x.size(); ++i)
    sorted.emplace_back(std::abs(numbers.x[i]), numbers.weight(i));
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  Sums sums;
  Sums best;
  double most = 0;
  for (const auto& [magnitude, w] : sorted) {
    sums.w += w;
    sums.wx += w * magnitude;
    ++sums.n;
    const double gain = sums.w > 0 ? sums.wx * sums.wx / sums.w : 0;
    if (gain > most) {
      most = gain;
      best = sums;
    }
  }
  return best;
}

std::shared_ptr<const LevelTable> ternary_levels() {
  return mapping_grid::integer_levels(-1, 1);
}

std::shared_ptr<const LevelTable> binary_levels() {
  static const auto levels = mapping_grid::table_of({-1.0, 1.0}, 0);
  return levels;
}

Result<MappedGroup> on_levels(const Numbers& numbers, const MappingOptions& options, const Sums& kept,
                              std::shared_ptr<const LevelTable> levels) {
  MappedGroup group;
  group.levels = std::move(levels);
  group.parameter_bits = bits_of(options.parameters);
  group.scale = 0;
  if (kept.wx > 0) {
    KERF_TRY(group.scale, mapping_grid::stored_scale(kept.wx / kept.w, options.parameters));
  }
  mapping_grid::choose_codes(group, numbers.x, options);
  return group;
}

Result<MappedGroup> fit_ternary(const Numbers& numbers, const MappingOptions& options,
                                std::vector<Step>* steps) {
  const Sums kept = best_kept(numbers);
  KERF_TRY(MappedGroup group, on_levels(numbers, options, kept, ternary_levels()));
  explain(steps, "s", "Σ w|x| / Σ w over the k largest, k by least squares", group.scale,
          "{:.6g} / {:.6g}, k = {}", kept.wx, kept.w, kept.n);
  return group;
}

Result<MappedGroup> fit_ternary_mean(const Numbers& numbers, const MappingOptions& options,
                                     std::vector<Step>* steps) {
  const Sums all = sums_of({numbers.x, {}});
  KERF_TRY(MappedGroup group, on_levels(numbers, options, all, ternary_levels()));
  explain(steps, "s", "mean of |x|", group.scale, "{:.6g} / {}", all.wx, all.n);
  return group;
}

Result<MappedGroup> fit_binary(const Numbers& numbers, const MappingOptions& options,
                               std::vector<Step>* steps) {
  const Sums all = sums_of(numbers);
  KERF_TRY(MappedGroup group, on_levels(numbers, options, all, binary_levels()));
  explain(steps, "s", "Σ w|x| / Σ w", group.scale, "{:.6g} / {:.6g}", all.wx, all.w);
  return group;
}

}  // namespace

const Mapping mappings::ternary{.name = "ternary",
                                .summary = "−1, 0, 1 times the scale of least squares, exact optimum",
                                .bits_min = 2,
                                .bits_max = 2,
                                .bits_default = 2,
                                .symmetry = Mapping::Symmetry::symmetric,
                                .fit = fit_ternary};

const Mapping mappings::ternary_mean{.name = "ternary-mean",
                                     .summary = "−1, 0, 1 times the mean magnitude (BitNet b1.58)",
                                     .bits_min = 2,
                                     .bits_max = 2,
                                     .bits_default = 2,
                                     .symmetry = Mapping::Symmetry::symmetric,
                                     .fit = fit_ternary_mean};

const Mapping mappings::binary{.name = "binary",
                               .summary = "the sign times the mean magnitude (least squares)",
                               .bits_min = 1,
                               .bits_max = 1,
                               .bits_default = 1,
                               .symmetry = Mapping::Symmetry::symmetric,
                               .fit = fit_binary};

}  // namespace kerf
