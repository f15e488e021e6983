#include "kerf/quantizers/quantizer.h"

#include <algorithm>

#include "kerf/base/check.h"
#include "kerf/quantizers/block_search.h"

namespace kerf {

void quantize_row(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                  std::size_t n) noexcept {
  KERF_CHECK(format.writable() && n % format.block_size == 0);
  if (format.encode_plain != nullptr) {
    format.encode_plain(x, dst, n);
    return;
  }
  BlockSearch search(format);
  for (std::size_t i = 0; i < n;) {
    const std::size_t n_blocks = std::min(search.blocks_at_once(), (n - i) / format.block_size);
    search.choose_parameters(x + i, importance == nullptr ? nullptr : importance + i, n_blocks, dst);
    search.store_codes(x + i, dst);
    i += n_blocks * format.block_size;
    dst += n_blocks * format.block_bytes;
  }
}

}  // namespace kerf
