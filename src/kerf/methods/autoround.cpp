// Learned rounding: from the start that error feedback gives, codes, scales and offsets of each layer follow
// the gradient of the layer's output error, tokens weighted as for `guided`.
// Source: Cheng et al., «Optimize weight rounding via signed gradient descent for the quantization of LLMs»
// (2023); methods/tune_block.h says what differs.
#include "kerf/methods/feedback_rounder.h"

namespace kerf {

const Method methods::autoround{
    .name = "autoround",
    .summary = "guided, then codes and scales learn from the error of each layer's output",
    .needs = Method::Needs::sensitivities,
    .damping = 0.05,
    .rounder_bytes = feedback_rounder_bytes,
    .make_rounder = make_feedback_rounder,
    .learns_layers = true};

}  // namespace kerf
