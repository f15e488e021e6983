// HQQ where it helps: formats whose groups have a free offset are rounded by half-quadratic splitting and by
// kerf's own search, and each block keeps what leaves less of HQQ's aim, Σ |w − ŵ|^0.7. No data.
// Source: H. Badri, A. Shaji, «Half-Quadratic Quantization of Large Machine Learning Models» (2023).
#include "kerf/quantizers/hqq.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kerf/methods/method.h"

namespace kerf {
namespace {

class HqqRounder final : public RowRounder {
 public:
  explicit HqqRounder(const QuantizeOptions& search) : search_(search) {}

  void round(const Format& format, const float* w, std::uint8_t* dst, std::size_t n_rows,
             std::size_t n_cols) const override {
    quantize_rows(format, w, nullptr, dst, n_rows, n_cols, search_);
    if (!takes_hqq(format)) return;
    const std::size_t row_bytes = format.row_bytes(n_cols);
    for (std::size_t r = 0; r < n_rows; ++r)
      better_blocks(format, w + r * n_cols, dst + r * row_bytes, n_cols);
  }

  [[nodiscard]] double cost(const float* w, const float* back, std::size_t n_rows,
                            std::size_t n_cols) const override {
    double sum = 0;
    for (std::size_t i = 0; i < n_rows * n_cols; ++i)
      sum += std::pow(std::fabs(double{w[i]} - (back == nullptr ? 0.0F : back[i])), HqqOptions{}.p);
    return sum;
  }

 private:
  /// Replaces the blocks of a row that splitting rounds better.
  void better_blocks(const Format& format, const float* w, std::uint8_t* dst, std::size_t n) const {
    std::vector<std::uint8_t> split(format.row_bytes(n));
    std::vector<float> back(n), split_back(n);
    quantize_row_hqq(format, w, split.data(), n);
    decode_rows(format, split.data(), 1, n, split_back.data());
    decode_rows(format, dst, 1, n, back.data());
    for (std::size_t i = 0, block = 0; i < n; i += format.block_size, ++block) {
      const std::size_t size = std::min<std::size_t>(format.block_size, n - i);
      if (cost(w + i, split_back.data() + i, 1, size) < cost(w + i, back.data() + i, 1, size))
        std::copy_n(split.data() + block * format.block_bytes, format.block_bytes,
                    dst + block * format.block_bytes);
    }
  }

  QuantizeOptions search_;
};

}  // namespace

const Method methods::hqq{
    .name = "hqq",
    .summary = "zero points by half-quadratic splitting where that leaves less of Σ |w − ŵ|^0.7; no data",
    .needs = Method::Needs::nothing,
    .damping = 0,
    .rounder_bytes = [](std::size_t n_cols) -> std::uint64_t { return n_cols * 2 * sizeof(float); },
    .make_rounder = [](Gram*, const MethodOptions& options, ThreadPool&)
        -> Result<std::unique_ptr<RowRounder>> { return std::make_unique<HqqRounder>(options.search); }};

}  // namespace kerf
