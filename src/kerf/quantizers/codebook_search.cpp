#include "kerf/quantizers/codebook_search.h"

#include <algorithm>
#include <vector>

#include "kerf/formats/codebook.h"
#include "kerf/quantizers/kmeans1d.h"

namespace kerf {
namespace {

/// The best levels for these numbers, ascending; levels that are not needed repeat the highest.
void choose_levels(const Codebook& codebook, const float* x, const float* importance, std::size_t n,
                   const QuantizeOptions& options, float* levels) {
  const std::vector<double> numbers(x, x + n);
  std::vector<double> weights;
  if (importance != nullptr) weights.assign(importance, importance + n);
  const Clusters clusters = options.effort > 0 ? kmeans_exact(numbers, weights, codebook.n_levels)
                                               : kmeans_lloyd(numbers, weights, codebook.n_levels);
  for (std::size_t i = 0; i < codebook.n_levels; ++i)
    levels[i] = static_cast<float>(clusters.centre[std::min(i, clusters.centre.size() - 1)]);
}

/// The codes of the nearest levels, of a block that may be partly used.
void store_nearest(const Format& format, const float* levels, const float* x, std::size_t n,
                   std::uint8_t* block) {
  const Codebook& codebook = *format.codebook;
  std::vector<std::uint8_t> codes(format.block_size, 0);
  double midpoints[Codebook::kMaxLevels];
  for (std::size_t i = 0; i + 1 < codebook.n_levels; ++i)
    midpoints[i] = 0.5 * (static_cast<double>(levels[i]) + levels[i + 1]);
  for (std::size_t i = 0; i < n; ++i)
    codes[i] = static_cast<std::uint8_t>(
        std::lower_bound(midpoints, midpoints + codebook.n_levels - 1, static_cast<double>(x[i])) -
        midpoints);
  codebook.store_codes(codes.data(), block);
}

}  // namespace

void search_codebook(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                     std::size_t n, const QuantizeOptions& options) noexcept {
  const Codebook& codebook = *format.codebook;
  const std::size_t share = codebook.per_row ? n : format.block_size;  // numbers that share levels
  std::uint8_t* block = dst + format.header_bytes;
  float levels[Codebook::kMaxLevels];
  for (std::size_t i = 0; i < n; i += format.block_size, block += format.block_bytes) {
    if (i % share == 0) {
      choose_levels(codebook, x + i, importance == nullptr ? nullptr : importance + i, std::min(share, n - i),
                    options, levels);
      codebook.store_levels(levels, codebook.per_row ? dst : block);
    }
    store_nearest(format, levels, x + i, std::min<std::size_t>(format.block_size, n - i), block);
  }
}

}  // namespace kerf
