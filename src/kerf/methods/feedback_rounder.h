// Rounding with error feedback (quantizers/feedback.h), for the methods that differ in how they weigh tokens.
#pragma once

#include "kerf/methods/method.h"

namespace kerf {

/// Of full moments.
Result<std::unique_ptr<RowRounder>> make_feedback_rounder(Gram* inputs, const MethodOptions& options,
                                                          ThreadPool& pool);

/// As Method::rounder_bytes.
std::uint64_t feedback_rounder_bytes(std::size_t n_cols);

}  // namespace kerf
