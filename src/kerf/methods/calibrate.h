// Calibration: a model reads texts while statistics of what flows into each weight are kept.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/calib/importance.h"
#include "kerf/model/model.h"
#include "kerf/text/tokenizer.h"

namespace kerf {

struct CalibrationText {
  std::string name;
  std::string text;
};

struct CalibrationOptions {
  std::size_t ctx = 512;      ///< tokens per window
  std::size_t n_windows = 0;  ///< at most so many windows, spread evenly over the texts; 0: all
};

/// Reads windows of ctx tokens, the first token of each replaced by BOS where the vocabulary adds one, as
/// llama.cpp's tool does, and returns the mean squares of every weight's input columns; those of the output
/// matrix under the name of the tensor that it is. Sums are in double precision and in an order that the
/// number of threads does not change. Errors: usage (ctx beyond the model's), input (texts shorter than one
/// window), numeric (an activation that is not finite, named by its weight), cancelled.
Result<ImportanceMatrix> calibrate_importance(Model& model, const Tokenizer& tokenizer,
                                              const std::vector<CalibrationText>& texts,
                                              const CalibrationOptions& options, ThreadPool& pool,
                                              Progress& progress);

}  // namespace kerf
