// Error feedback through the columns: what a column's rounding did to the output, the columns behind it make
// good as far as their inputs are alike.
// Source: E. Frantar et al., «GPTQ» (2022).
#include "kerf/methods/feedback_rounder.h"

namespace kerf {

const Method methods::gptq{.name = "gptq",
                           .summary = "error feedback: columns make good what those before them got wrong",
                           .needs = Method::Needs::full_moments,
                           .damping = 0.01,
                           .rounder_bytes = feedback_rounder_bytes,
                           .make_rounder = make_feedback_rounder};

}  // namespace kerf
