// The tensors of a model, checked and ready to be computed with.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/model/config.h"
#include "kerf/model/linear.h"
#include "kerf/model/norm.h"
#include "kerf/model/source.h"

namespace kerf {

struct ExpertWeights {
  std::vector<Linear> mlp_input;  // gate, up, each [F, C]
  Linear mlp_output;              // [C, F]
};

struct LayerWeights {
  Norm attention_norm;         // [C]
  std::vector<Linear> qkv;     // together [(H + 2·H_kv)·D, C]: q, k, v, or one matrix of all three
  std::optional<Norm> q_norm;  // [D]
  std::optional<Norm> k_norm;  // [D]
  Linear attention_output;     // [C, H·D]
  std::optional<Norm> attention_post_norm;  // [C]
  Norm mlp_norm;                            // [C]
  std::vector<Linear> mlp_input;       // together [2F, C]: gate, up, or both in one; [F, C] without a gate
  Linear mlp_output;                   // [C, F]
  std::optional<Norm> mlp_post_norm;   // [C]
  Linear router;                       // [E, C]; the experts instead of mlp_input and mlp_output
  std::vector<ExpertWeights> experts;  // [E], or empty
};

/// What lies before the first layer and behind the last.
struct ModelEnds {
  Linear embedding;                      // [V, C]
  std::vector<float> positions;          // [context_length, C], or empty
  Norm output_norm;                      // [C]
  Linear output;                         // [V, C]; the embedding where the file has no output.weight
  std::vector<float> rope_factors;       // [W/2], or empty: llama3, and longrope's short ones
  std::vector<float> rope_long_factors;  // [W/2], or empty
};

struct ModelWeights {
  ModelEnds ends;
  std::vector<LayerWeights> layers;
  std::vector<std::string> unused;  // names of tensors that the model has no place for
};

/// Finds and checks every tensor that `config` asks for. Matrices stay in the source's mapping unless the
/// file has their rows in another order; vectors are decoded. Sets config.n_vocabulary from the embedding,
/// and longrope's attention factor where the metadata do not give it. Errors: not_found and input (missing
/// tensor, wrong shape; both name it), numeric (NaN or infinity in a vector).
Result<ModelWeights> load_weights(const ModelSource& source, ModelConfig& config);

/// The parts of load_weights(), for those who cannot hold a whole model.
Result<ModelEnds> load_ends(const ModelSource& source, ModelConfig& config);
Result<LayerWeights> load_layer(const ModelSource& source, const ModelConfig& config, std::size_t index);

}  // namespace kerf
