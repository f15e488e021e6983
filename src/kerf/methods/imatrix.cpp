// Columns weighted by the mean square of their inputs: what an error costs if inputs were uncorrelated.
// Source: I. Kawrakow's importance matrix in llama.cpp; here measured behind the already quantized layers.
#include "kerf/methods/method.h"

namespace kerf {

const Method methods::imatrix{
    .name = "imatrix",
    .summary = "columns weighted by the mean square of their inputs",
    .needs = Method::Needs::diagonal,
    .damping = 0,
    .rounder_bytes = [](std::size_t n_cols) -> std::uint64_t { return n_cols * sizeof(float); },
    .make_rounder = [](Gram* inputs, const MethodOptions& options,
                       ThreadPool&) -> Result<std::unique_ptr<RowRounder>> {
      return std::make_unique<ColumnRounder>(inputs->mean_square(), options.search);
    }};

}  // namespace kerf
