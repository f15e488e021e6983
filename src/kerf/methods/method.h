// Method: what is done to a model with data. Knows nothing of bytes: it makes rounders, and rounders serve
// every format.
//
// A new method is one file that defines a `const Method` and one line in methods.def.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/calib/gram.h"
#include "kerf/methods/row_rounder.h"
#include "kerf/model/source.h"

namespace kerf {

/// What the user may say about methods; each reads what concerns it.
struct MethodOptions {
  QuantizeOptions search;
  double damping = 0;      ///< of H's diagonal, as a part of its mean
  bool act_order = false;  ///< columns of large moments first
  int refinements = 1;     ///< rounds of coordinate descent after error feedback
  double smoothing = 0.5;  ///< smoothquant: how much of the outliers moves from activations into weights
};

/// Weights [R, K] that read the same inputs.
struct ScaleJob {
  const ModelSource& source;
  std::vector<const SourceTensor*> tensors;
  std::vector<const Format*> formats;  ///< that each will be rounded to
  Gram& inputs;
  const MethodOptions& options;
  ThreadPool& pool;
};

struct Method {
  /// What it wants to know of the inputs of a weight.
  enum class Needs : std::uint8_t {
    nothing,
    diagonal,
    full_moments,
    sensitivities,  ///< full moments, of tokens weighted by sensitivity.h
  };

  std::string_view name;     ///< «gptq», as people type it
  std::string_view summary;  ///< one line for tables
  Needs needs;
  double damping;  ///< where the user says nothing
  /// Memory of a rounder for n_cols columns, at its largest, while it is made.
  std::uint64_t (*rounder_bytes)(std::size_t n_cols);
  /// The rounder for weights that read the inputs that `inputs` has seen; nullptr where needs is nothing.
  /// Errors: numeric.
  Result<std::unique_ptr<RowRounder>> (*make_rounder)(Gram* inputs, const MethodOptions& options,
                                                      ThreadPool& pool);
  /// Factors [K] > 0 for the columns of the job's weights, before they are rounded; what makes their inputs
  /// (a norm, or the rows of a weight) is divided by them, so that the model computes the same. nullptr: the
  /// method leaves weights where they are. Errors: those of reading weights.
  Result<std::vector<float>> (*column_factors)(const ScaleJob& job) = nullptr;
  /// Whether rounded layers learn from the error of their outputs (tune_block.h). Needs sensitivities.
  bool learns_layers = false;
};

/// Every method, in the order of methods.def.
[[nodiscard]] std::span<const Method* const> all_methods() noexcept;
/// By name; nullptr if unknown.
[[nodiscard]] const Method* find_method(std::string_view name) noexcept;

#define KERF_METHOD(identifier) extern const Method identifier;
namespace methods {
#include "kerf/methods/methods.def"
}
#undef KERF_METHOD

}  // namespace kerf
