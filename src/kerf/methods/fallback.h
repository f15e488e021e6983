// What a tensor gets when its rows do not fit the format that was asked for.
#pragma once

#include <vector>

#include "kerf/base/result.h"
#include "kerf/formats/format.h"
#include "kerf/model/source.h"

namespace kerf {

/// Among the block formats whose block divides the tensors' rows and that have at least the bits of `asked`
/// and at most two more per weight, the one with the smallest error per byte,
///   NMSE · 4^(bits per weight),
/// measured on sample rows: by the distortion-rate function of a Gaussian one more bit divides the squared
/// error by four, so equal scores are equally good bargains and a lower one gets more out of its bytes.
/// F16 if no block format fits. `samples` are tensors of one kind («attn_q of every layer») with rows of one
/// length that share the decision, so that a model does not become a patchwork. Errors: those of reading
/// rows.
Result<const Format*> choose_fallback(const ModelSource& source, const Format& asked,
                                      const std::vector<const SourceTensor*>& samples);

}  // namespace kerf
