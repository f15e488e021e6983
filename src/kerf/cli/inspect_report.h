// What `kerf inspect` shows of a model, computed once for people (inspect_text.cpp) and for programs
// (cmd_inspect.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kerf/cli/model_file.h"

namespace kerf::cli {

/// The tensors of one type or one role together.
struct Share {
  std::string name;
  std::size_t n_tensors = 0;
  std::uint64_t n_parameters = 0;
  std::uint64_t n_bytes = 0;
};

struct SpecialToken {
  std::string name;  ///< «bos», «eos» …
  std::int64_t id = 0;
  std::string piece;  ///< empty if the id is beyond the vocabulary
};

struct InspectReport {
  ModelFile model;
  std::string architecture;  ///< empty if unknown
  std::uint64_t n_parameters = 0;
  std::uint64_t n_tensor_bytes = 0;
  double bits_per_weight = 0;
  std::vector<Share> types;  ///< most bytes first
  std::vector<Share> roles;  ///< in the order of kTensorRoles, those that occur
  std::string tokenizer;     ///< tokenizer.ggml.model; empty without one
  std::size_t n_tokens = 0;
  std::vector<SpecialToken> special;
};

[[nodiscard]] InspectReport inspect(ModelFile model);

struct TextOptions {
  bool tensors = false;
  bool metadata = false;
  std::size_t columns = 100;
};

/// The report for people; no line is wider than options.columns, unless that is below 60.
[[nodiscard]] std::string inspect_text(const InspectReport& report, const TextOptions& options);

}  // namespace kerf::cli
