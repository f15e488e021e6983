// Calibration: a model reads texts while observers watch what flows into each weight.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/calib/calibration.h"
#include "kerf/calib/texts.h"
#include "kerf/model/model.h"
#include "kerf/text/tokenizer.h"

namespace kerf {

struct CalibrationOptions {
  std::vector<const ObserverKind*> observers = {&observers::second_moment};
  std::size_t ctx = 512;      ///< tokens per window
  std::size_t n_windows = 0;  ///< at most so many windows, spread evenly over the texts; 0: all
  /// Of the windows, every n_parts-th from number `part` on. The parts, merged, are the whole to the last
  /// bit.
  std::size_t part = 0;
  std::size_t n_parts = 1;
};

struct CalibrationRun {
  Calibration calibration;    ///< sites are names of weights; the output matrix goes by the tensor that it is
  std::size_t n_windows = 0;  ///< that were read
};

/// Reads windows of ctx tokens, the first token of each replaced by BOS where the vocabulary adds one, as
/// llama.cpp's tool does. The result does not depend on the number of threads. Errors: usage (ctx beyond the
/// model's, no such part), input (texts shorter than one window), numeric (an activation that is not finite,
/// named by its weight), cancelled.
Result<CalibrationRun> calibrate(Model& model, const Tokenizer& tokenizer,
                                 const std::vector<CalibrationText>& texts, const CalibrationOptions& options,
                                 ThreadPool& pool, Progress& progress);

}  // namespace kerf
