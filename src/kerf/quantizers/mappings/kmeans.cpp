// k-means: each group has levels of its own, the 2^b centres with the smallest Σ w (x − x̂)². No scalar
// quantizer with as many levels has a smaller error than the exact optimum.
// Source: SqueezeLLM, Kim et al. (2023) (weights from the Fisher diagonal); kmeans1d.h for the algorithms.
#include "kerf/quantizers/kmeans1d.h"
#include "kerf/quantizers/mappings/grid.h"

namespace kerf {
namespace {

Result<MappedGroup> on_centres(const Numbers& numbers, const MappingOptions& options, Clusters clusters,
                               const char* formula, std::vector<Step>* steps) {
  for (double& centre : clusters.centre) {
    KERF_TRY(centre, mapping_grid::stored(centre, options.parameters, "level"));
  }
  MappedGroup group;
  // Every group stores all 2^b, used or not.
  group.parameter_bits = (1 << options.bits) * bits_of(options.parameters);
  mapping_grid::explain(steps, "cost", formula, clusters.cost, "");
  group.levels = mapping_grid::table_of(std::move(clusters.centre), 0);
  mapping_grid::choose_codes(group, numbers.x, options);
  return group;
}

Result<MappedGroup> fit_exact(const Numbers& numbers, const MappingOptions& options,
                              std::vector<Step>* steps) {
  return on_centres(numbers, options,
                    kmeans_exact(numbers.x, numbers.importance, std::size_t{1} << options.bits),
                    "min Σ w (x − nearest c)², the global optimum", steps);
}

Result<MappedGroup> fit_lloyd(const Numbers& numbers, const MappingOptions& options,
                              std::vector<Step>* steps) {
  return on_centres(numbers, options,
                    kmeans_lloyd(numbers.x, numbers.importance, std::size_t{1} << options.bits),
                    "Σ w (x − nearest c)² where Lloyd's alternation ends", steps);
}

}  // namespace

const Mapping mappings::kmeans{.name = "kmeans",
                               .summary = "levels of the group's own, the global optimum",
                               .bits_min = 1,
                               .bits_max = 8,
                               .bits_default = 4,
                               .symmetry = Mapping::Symmetry::asymmetric,
                               .fit = fit_exact};

const Mapping mappings::lloyd{
    .name = "lloyd",
    .summary = "levels of the group's own, by Lloyd's alternation from the quantiles",
    .bits_min = 1,
    .bits_max = 8,
    .bits_default = 4,
    .symmetry = Mapping::Symmetry::asymmetric,
    .fit = fit_lloyd};

}  // namespace kerf
