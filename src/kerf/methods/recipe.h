// Recipe: which format every tensor of a model is asked to take, and which one it gets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/formats/format.h"
#include "kerf/model/source.h"

namespace kerf {

struct Method;

/// What the user asked for.
struct RecipeOptions {
  std::string type = {};  ///< a format, a mixture («Q4_K_M») or «keep»; any case
  /// (regular expression, format); the first that matches a tensor's name wins.
  std::vector<std::pair<std::string, std::string>> tensor_types = {};
  std::string embedding_type = {};  ///< for token_embd.weight; empty: as the type says
  /// For output.weight, or for token_embd.weight where it makes the logits too; empty: as the type says.
  std::string output_type = {};
  /// Give the output matrix the type too; otherwise it gets at least Q6_K, because every logit passes through
  /// it and no later layer averages its error.
  bool pure = false;
  std::string importance_file = {};  ///< an importance matrix for weighted rounding; empty: none
  const Method* method = nullptr;    ///< one that needs no data; nullptr: rtn
  int effort = 1;                    ///< QuantizeOptions::effort
  bool allow_fallback = true;        ///< otherwise a row that does not fit its type is an error
  /// Formats by tensor name, from another file; goes before every other rule.
  std::unordered_map<std::string, const Format*> like = {};
};

/// A tensor's fate.
struct Assignment {
  const Format* asked = nullptr;
  const Format* got = nullptr;
  std::string reason;  ///< why got differs from asked, or why the tensor is not quantized; else empty
};

/// One assignment per tensor of the source, in its order. Vectors and position tables stay as they are
/// (F32, or what a GGUF holds). Rows that do not fit a type get the format that choose_fallback() finds.
/// Errors: usage (unknown type, bad expression, a row that does not fit and no fallback allowed).
Result<std::vector<Assignment>> assign_formats(const ModelSource& source, const RecipeOptions& options);

/// The number that GGUF's general.file_type gives a type or mixture, or nothing if it has none.
[[nodiscard]] std::optional<std::uint32_t> gguf_file_type(std::string_view type);

}  // namespace kerf
