// Error feedback through the columns: what a column's rounding did to the output, the columns behind it make
// good as far as their inputs are alike.
// Source: E. Frantar et al., «GPTQ» (2022); quantizers/feedback.h.
#include "kerf/methods/method.h"
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

Result<std::unique_ptr<RowRounder>> make_rounder(Gram* inputs, const MethodOptions& options,
                                                 ThreadPool& pool) {
  const FeedbackOptions how{options.damping, options.act_order, options.refinements, options.search};
  KERF_TRY(Feedback feedback, Feedback::make(inputs->second_moments(pool), inputs->n_columns(), how));
  return std::make_unique<FeedbackRounder>(std::move(feedback));
}

}  // namespace

const Method methods::gptq{
    .name = "gptq",
    .summary = "error feedback: columns make good what those before them got wrong",
    .needs = Method::Needs::full_moments,
    // H in binary32, its factor, and that in binary64 while it is made.
    .rounder_bytes = [](std::size_t n_cols) -> std::uint64_t { return n_cols * n_cols * 16; },
    .make_rounder = make_rounder};

}  // namespace kerf
