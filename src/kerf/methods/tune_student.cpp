#include "kerf/methods/tune_student.h"

#include <fmt/format.h>

#include "kerf/io/gguf.h"
#include "kerf/methods/learned_rounding.h"
#include "kerf/model/block_gradient.h"

namespace kerf {

namespace {

/// Calls body(name, norm) for every norm.
template <class Body>
void for_norms(ModelWeights& weights, const Body& body) {
  const auto show = [&body](const std::string& prefix, const char* name, std::optional<Norm>& norm) {
    if (norm) body(prefix + name, *norm);
  };
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    LayerWeights& layer = weights.layers[i];
    const std::string prefix = fmt::format("blk.{}.", i);
    body(prefix + "attn_norm.weight", layer.attention_norm);
    show(prefix, "attn_q_norm.weight", layer.q_norm);
    show(prefix, "attn_k_norm.weight", layer.k_norm);
    show(prefix, "post_attention_norm.weight", layer.attention_post_norm);
    body(prefix + "ffn_norm.weight", layer.mlp_norm);
    show(prefix, "post_ffw_norm.weight", layer.mlp_post_norm);
  }
  body("output_norm.weight", weights.ends.output_norm);
}

}  // namespace

void Student::own(Linear& layer) {
  if (!layer.storage.empty() || !LearnedWeight::can_learn(*layer.weight.format)) return;
  const std::size_t n = layer.weight.format->row_bytes(layer.n_cols()) * layer.n_rows();
  const auto [place, is_new] = owned_.try_emplace(layer.name);
  Owned& owned = place->second;
  if (is_new) owned = {layer.weight.format, {layer.weight.bytes, layer.weight.bytes + n}};
  layer.weight.bytes = owned.bytes.data();
}

Result<std::unique_ptr<Student>> Student::load(std::shared_ptr<const ModelSource> source) {
  std::unique_ptr<Student> student(new Student(std::move(source)));
  KERF_TRY(student->config_, config_from_metadata(student->source_->metadata()));
  KERF_CHECK_OK(check_differentiable(student->config_));
  KERF_TRY(student->weights_, load_weights(*student->source_, student->config_));
  for_linears(student->weights_, [&](Linear& layer) { student->own(layer); });
  for_norms(student->weights_,
            [&](const std::string& name, Norm& norm) { student->norms_.emplace(name, &norm); });
  if (student->owned_.empty())
    return fail(ErrorKind::input, student->source_->path().string(),
                "no weight has codes on a scalar grid that could be learned; quantize the model first, to "
                "Q4_K, say");
  return student;
}

Result<void> Student::save(const std::filesystem::path& target) const {
  std::vector<PlannedTensor> plan;
  for (const SourceTensor& tensor : source_->tensors())
    plan.push_back({tensor.name, tensor.format, tensor.shape});
  KERF_TRY(GgufWriter writer, GgufWriter::create(target, source_->metadata(), plan));
  for (const SourceTensor& tensor : source_->tensors()) {
    const auto owned = owned_.find(tensor.name);
    const auto norm = norms_.find(tensor.name);
    if (owned != owned_.end()) {
      KERF_CHECK_OK(writer.write(owned->second.bytes));
    } else if (norm != norms_.end() && tensor.format->encode_plain != nullptr) {
      const std::vector<float>& gains = norm->second->weight;
      std::vector<std::uint8_t> bytes(tensor.format->row_bytes(gains.size()));
      tensor.format->encode_plain(gains.data(), bytes.data(), gains.size());
      KERF_CHECK_OK(writer.write(bytes));
    } else {
      const std::optional<Bytes> raw = source_->raw(tensor);
      if (!raw)
        return fail(ErrorKind::unsupported, source_->path().string(),
                    fmt::format("tensor {} is not stored as a GGUF file has it; convert the model first",
                                tensor.name));
      KERF_CHECK_OK(writer.write(*raw));
    }
  }
  return writer.commit();
}

}  // namespace kerf
