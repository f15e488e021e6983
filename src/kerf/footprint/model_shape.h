// ModelShape: the sizes of a transformer that its memory depends on, from a model, a config.json or a name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/model/source.h"

namespace kerf {

/// One linear layer of a block, as often as there are blocks that have it.
struct LinearShape {
  std::string name;  ///< «attn_q», as GGUF calls it
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
  std::uint64_t count = 0;
};

struct ModelShape {
  std::string name;
  std::uint64_t n_layers = 0;
  std::uint64_t width = 0;      // C
  std::uint64_t ffn_width = 0;  // F
  std::uint64_t n_heads = 0;    // H
  std::uint64_t n_kv_heads = 0;
  std::uint64_t head_width = 0;      // D
  std::uint64_t n_vocabulary = 0;    // V
  std::uint64_t context_length = 0;  ///< 0: not known
  std::uint64_t n_local_layers = 0;  ///< those whose attention sees `window` tokens only
  std::uint64_t window = 0;

  std::vector<LinearShape> linears;
  std::uint64_t n_embedding =
      0;                      ///< parameters of the embedding, of positions and of an output head of its own
  std::uint64_t n_other = 0;  ///< of norms and biases

  [[nodiscard]] std::uint64_t n_linear() const noexcept;
  [[nodiscard]] std::uint64_t n_parameters() const noexcept { return n_linear() + n_embedding + n_other; }
};

/// Sizes of a model of the Llama kind: gated MLP, no biases, two norms per layer and one at the end.
struct LlamaSizes {
  std::uint64_t n_layers, width, ffn_width, n_heads, n_kv_heads, head_width, n_vocabulary, context_length;
  bool tied;  ///< the output head is the embedding
};
/// Errors: usage (a size is 0 or absurd).
Result<ModelShape> shape_of_llama(std::string name, const LlamaSizes& sizes);

/// From the tensors themselves. Errors: those of config_from_metadata().
Result<ModelShape> shape_of_source(const ModelSource& source);

/// From a config.json alone. Errors: not_found, input, unsupported.
Result<ModelShape> shape_of_config(const std::filesystem::path& file);

/// A published model by name, in any case; nothing if there is none.
[[nodiscard]] std::optional<ModelShape> published_shape(std::string_view name);
/// The published model whose number of parameters is nearest in ratio.
[[nodiscard]] ModelShape nearest_published_shape(double n_parameters);
/// «smollm2-135m, qwen2.5-0.5b, …».
[[nodiscard]] std::string published_names();

/// A shape, and the model behind it if there is more than a description.
struct FoundModel {
  ModelShape shape;
  std::shared_ptr<const ModelSource> source = {};
};
/// GGUF file, Hugging Face folder, config.json, or the name of a published model. Errors: not_found, and
/// those of ModelSource::open() and shape_of_config().
Result<FoundModel> find_model(const std::string& model);

}  // namespace kerf
