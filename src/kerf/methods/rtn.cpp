// Round to nearest: every block by itself, every column alike. No data.
#include "kerf/methods/method.h"

namespace kerf {

const Method methods::rtn{
    .name = "rtn",
    .summary = "round to nearest: no data, the baseline of everything else",
    .needs = Method::Needs::nothing,
    .damping = 0,
    .rounder_bytes = [](std::size_t n_cols) -> std::uint64_t { return n_cols * sizeof(float); },
    .make_rounder = [](Gram*, const MethodOptions& options,
                       ThreadPool&) -> Result<std::unique_ptr<RowRounder>> {
      return std::make_unique<ColumnRounder>(std::vector<float>(), options.search);
    }};

}  // namespace kerf
