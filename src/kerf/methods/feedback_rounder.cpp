#include "kerf/methods/feedback_rounder.h"

#include "kerf/quantizers/feedback.h"

namespace kerf {
namespace {

class FeedbackRounder final : public RowRounder {
 public:
  explicit FeedbackRounder(Feedback feedback) : feedback_(std::move(feedback)) {}

  void round(const Format& format, const float* w, std::uint8_t* dst, std::size_t n_rows,
             std::size_t) const override {
    feedback_.quantize_rows(format, w, dst, n_rows);
  }
  [[nodiscard]] double cost(const float* w, const float* back, std::size_t n_rows,
                            std::size_t n_cols) const override {
    if (back != nullptr) return feedback_.error(w, back, n_rows);
    const std::vector<float> zeros(n_rows * n_cols);
    return feedback_.error(w, zeros.data(), n_rows);
  }

 private:
  Feedback feedback_;
};

}  // namespace

Result<std::unique_ptr<RowRounder>> make_feedback_rounder(Gram* inputs, const MethodOptions& options,
                                                          ThreadPool& pool) {
  const FeedbackOptions how{options.damping, options.act_order, options.refinements, options.search};
  KERF_TRY(Feedback feedback, Feedback::make(inputs->second_moments(pool), inputs->n_columns(), how));
  return std::make_unique<FeedbackRounder>(std::move(feedback));
}

std::uint64_t feedback_rounder_bytes(std::size_t n_cols) {
  // H and its factor in binary32, and that in binary64 while it is made.
  return n_cols * n_cols * (4 + 4 + 8);
}

}  // namespace kerf
