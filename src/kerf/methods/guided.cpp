// Error feedback where each token counts as much as the model's own distribution minds errors at it: the
// plain squared error of a layer's output is ruled by a few huge tokens that nobody misses.
// Source: J. Kim et al., «GuidedQuant» (2025), with one group of outputs; methods/sensitivity.h.
#include "kerf/methods/feedback_rounder.h"

namespace kerf {

const Method methods::guided{
    .name = "guided",
    .summary = "error feedback, tokens weighted by the end-to-end gradient of the model at them",
    .needs = Method::Needs::sensitivities,
    .damping = 0.05,
    .rounder_bytes = feedback_rounder_bytes,
    .make_rounder = make_feedback_rounder};

}  // namespace kerf
