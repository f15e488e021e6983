#include "kerf/quantizers/quantizer.h"

#include <algorithm>
#include <vector>

#include "kerf/base/check.h"
#include "kerf/quantizers/block_search.h"
#include "kerf/quantizers/codebook_search.h"
#include "kerf/quantizers/float_search.h"
#include "kerf/quantizers/row_scale_search.h"
#include "kerf/quantizers/vector_search.h"

namespace kerf {
namespace {

void search_blocks(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                   std::size_t n, const QuantizeOptions& options) noexcept {
  BlockSearch search(format, options.effort, importance != nullptr);
  for (std::size_t i = 0; i < n;) {
    const std::size_t n_blocks = std::min(search.blocks_at_once(), (n - i) / format.block_size);
    search.choose_parameters(x + i, importance == nullptr ? nullptr : importance + i, n_blocks, dst);
    search.store_codes(x + i, dst);
    i += n_blocks * format.block_size;
    dst += n_blocks * format.block_bytes;
  }
}

/// A row whose last block is partly used: that block is filled up with numbers of no importance. They repeat
/// the last one, so that they do not stretch the range.
void quantize_with_tail(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                        std::size_t n, const QuantizeOptions& options) noexcept {
  const std::size_t padded = (n + format.block_size - 1) / format.block_size * format.block_size;
  std::vector<float> row(padded, x[n - 1]);
  std::vector<float> weight(padded, 0.0F);
  std::copy_n(x, n, row.begin());
  if (importance != nullptr)
    std::copy_n(importance, n, weight.begin());
  else
    std::fill_n(weight.begin(), n, 1.0F);
  quantize_row(format, row.data(), weight.data(), dst, padded, options);
}

}  // namespace

void quantize_row(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                  std::size_t n, const QuantizeOptions& options) noexcept {
  KERF_CHECK(format.writable() && format.fits(n));
  if (importance != nullptr && std::all_of(importance, importance + n, [](float w) { return w == 0.0F; }))
    importance = nullptr;
  if (has_vectors(format))
    search_vectors(format, x, importance, dst, n, options);
  else if (format.row_scale != nullptr)
    search_row_scale(format, x, importance, dst, n, options);
  else if (format.codebook != nullptr)
    search_codebook(format, x, importance, dst, n, options);
  else if (n % format.block_size != 0)
    quantize_with_tail(format, x, importance, dst, n, options);
  else if (format.floats != nullptr)
    search_floats(format, x, importance, dst, n, options);
  else if (format.encode_plain != nullptr)
    format.encode_plain(x, dst, n);
  else
    search_blocks(format, x, importance, dst, n, options);
}

void quantize_rows(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                   std::size_t n_rows, std::size_t n_cols, const QuantizeOptions& options) noexcept {
  if (importance == nullptr && format.header_bytes == 0 && n_cols % format.block_size == 0) {
    quantize_row(format, x, nullptr, dst, n_rows * n_cols, options);
    return;
  }
  const std::size_t row_bytes = format.row_bytes(n_cols);
  for (std::size_t r = 0; r < n_rows; ++r)
    quantize_row(format, x + r * n_cols, importance, dst + r * row_bytes, n_cols, options);
}

}  // namespace kerf
