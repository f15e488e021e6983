// How much each token of a calibration counts for each weight, measured once and kept with the unfinished
// output: measuring takes longer than reading.
#pragma once

#include <string_view>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/calib/texts.h"
#include "kerf/methods/part_file.h"
#include "kerf/model/config.h"
#include "kerf/model/source.h"

namespace kerf {

/// Measures sensitivities and stores them in `part`, unless it has them. Errors: those of
/// measure_sensitivity() and of writing.
Result<void> prepare_token_weights(const ModelSource& source, const TokenWindows& windows, PartFile& part,
                                   ThreadPool& pool, Progress& progress);

/// Of the inputs of a weight, in the order of the windows: sensitivities divided by their mean, and no larger
/// than kLargestTokenWeight, for a few tokens must not be all that counts.
Result<std::vector<float>> token_weights(PartFile& part, std::string_view weight);
inline constexpr float kLargestTokenWeight = 100.0F;

/// The diagonal of weighted second moments [K], of the embedding too.
Result<std::vector<float>> sensitive_columns(PartFile& part, std::string_view weight);

/// Memory of measuring, and then of nothing.
[[nodiscard]] std::uint64_t token_weights_bytes(const ModelSource& source, const ModelConfig& config,
                                                std::size_t n_windows, std::size_t ctx);

}  // namespace kerf
