// How much memory a model takes: weights, keys and values, activations, gradients, optimizer.
// Source: Dettmers et al., «QLoRA» (2023), §3 and appendix G; Hu et al., «LoRA» (2021); Chen et al.,
// «Training Deep Nets with Sublinear Memory Cost» (2016) for checkpointing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/footprint/model_shape.h"
#include "kerf/footprint/storage_cost.h"

namespace kerf {

/// One summand: what, how many bytes, and the formula with the numbers put in.
struct Term {
  std::string name;
  double bytes = 0;
  std::string formula;
};

enum class Mode : std::uint8_t { inference, full, lora, qlora };
enum class Optimizer : std::uint8_t { adam32, adam8, momentum, sgd };
/// Which linear layers get adapters.
enum class LoraTargets : std::uint8_t { all, attention, qv };

/// Bytes of state that an optimizer keeps per trained parameter.
[[nodiscard]] double optimizer_bytes(Optimizer optimizer) noexcept;

struct FootprintRequest {
  Mode mode = Mode::inference;
  StorageCost linear;     ///< of the linear layers of blocks
  StorageCost embedding;  ///< of everything else
  StorageCost kv;
  std::uint64_t context = 4096;  ///< tokens of a sequence
  std::uint64_t batch = 1;       ///< sequences
  std::uint64_t chunk = 512;     ///< tokens that inference takes at a time
  Optimizer optimizer = Optimizer::adam32;
  std::uint64_t rank = 64;  ///< of adapters
  LoraTargets targets = LoraTargets::all;
  bool master_weights = false;       ///< binary32 copies of trained 16-bit weights
  bool checkpointing = true;         ///< keep the inputs of blocks only and compute the rest again
  std::optional<Term> weights = {};  ///< if they are known better than from the types, as those of a file
  /// If set, the model has so many parameters, all of one kind; the shape serves for the rest.
  double n_parameters = 0;
};

struct Footprint {
  std::vector<Term> terms;    ///< held all the time
  std::vector<Term> moments;  ///< on top, for moments of each step
  [[nodiscard]] double total() const noexcept;
};

/// Errors: usage (absurd sizes).
Result<Footprint> footprint_of(const ModelShape& shape, const FootprintRequest& request);

/// Parameters of LoRA adapters: rank · Σ (rows + columns).
[[nodiscard]] double n_adapter_parameters(const ModelShape& shape, std::uint64_t rank, LoraTargets targets);

/// Matrices of the shape's blocks whose rows the format cannot store; it is no good for them.
[[nodiscard]] std::uint64_t n_misfits(const ModelShape& shape, const Format& format) noexcept;

/// Bytes of keys and values of `context` tokens in one sequence.
[[nodiscard]] double kv_bytes(const ModelShape& shape, std::uint64_t context, double bits);

}  // namespace kerf
