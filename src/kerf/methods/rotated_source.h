// The same model in a turned basis: what runs through the layers, and what runs between value and output of
// each head, is multiplied by random rotations, and the weights before and behind by their inverses. Outliers
// are spread over all channels; the model computes the same, and is a model of its architecture like any.
//
// Sources: S. Ashkboos et al., «QuaRot» (2024), §4 (stage 1a, 1b without the online transforms); Z. Liu et
// al., «SpinQuant» (2024), R1 and R2.
#pragma once

#include <cstdint>
#include <memory>

#include "kerf/model/source.h"

namespace kerf {

/// Norms give their weights to the matrices behind them and become ones, so a model whose output matrix is
/// its embedding gets one of its own. All tensors are F32. Errors: unsupported (LayerNorm, norms behind
/// blocks, learned positions, experts), those of the description.
Result<std::shared_ptr<const ModelSource>> rotated(std::shared_ptr<const ModelSource> source,
                                                   std::uint64_t seed);

}  // namespace kerf
