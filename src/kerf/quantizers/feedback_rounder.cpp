#include "kerf/quantizers/feedback_rounder.h"

#include <vector>

#include "kerf/base/bits.h"
#include "kerf/quantizers/feedback_grid.h"

namespace kerf {
namespace {

/// Numbers that are stored one by one.
class PlainRounder final : public PieceRounder {
 public:
  PlainRounder(const Format& format, std::size_t n_cols)
      : format_(format), n_cols_(n_cols), back_(n_cols), bytes_(format.row_bytes(kPieceRows)) {}

  void begin(const std::uint8_t*, std::size_t, std::size_t) override {}
  void choose_parameters(std::size_t, const Column*, const float*) override {}

  void round(std::size_t u, const Column* x, const float* /*w*/, Column* back) override {
    format_.encode_plain(x[0].lane, bytes_.data(), kPieceRows);
    format_.decode(bytes_.data(), back[0].lane, kPieceRows);
    back_[u] = back[0];
  }

  void store(std::size_t row, std::uint8_t* dst) const override {
    std::vector<float> numbers(round_up(n_cols_, format_.block_size), 0.0F);
    for (std::size_t j = 0; j < n_cols_; ++j) numbers[j] = back_[j][row];
    format_.encode_plain(numbers.data(), dst, numbers.size());
  }

 private:
  const Format& format_;
  const std::size_t n_cols_;
  std::vector<Column> back_;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace

std::unique_ptr<PieceRounder> make_piece_rounder(const Format& format, std::size_t n_cols,
                                                 const QuantizeOptions& options) {
  const bool behind_row_scale = format.row_scale != nullptr;
  const Format& blocks = behind_row_scale ? *format.row_scale->inner : format;
  if (blocks.grid != nullptr) return std::make_unique<GridRounder>(blocks, n_cols, options);
  if (blocks.encode_plain != nullptr && (behind_row_scale || blocks.plain()))
    return std::make_unique<PlainRounder>(blocks, n_cols);
  return nullptr;
}

}  // namespace kerf
