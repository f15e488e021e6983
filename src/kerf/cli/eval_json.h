// What an evaluation measured, with the names that `kerf eval --json` and `kerf report` share.
#pragma once

#include <nlohmann/json.hpp>

#include "kerf/eval/evaluate.h"

namespace kerf::cli {

[[nodiscard]] nlohmann::json eval_as_json(const EvalResult& result);

}  // namespace kerf::cli
