// Keys of the tokenizer in a GGUF file that two files must spell alike.
#pragma once

#include <string_view>

namespace kerf::text {

/// A string: tokenizer.json without vocabulary and merges, and «end_token_ids».
constexpr std::string_view kDescriptionKey = "kerf.tokenizer.json";

}  // namespace kerf::text
