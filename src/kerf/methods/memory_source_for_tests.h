// A model in memory, for the tests of this folder.
#pragma once

#include <cstring>
#include <map>

#include "kerf/base/rng.h"
#include "kerf/model/source.h"

namespace kerf::testing_support {

class MemorySource final : public ModelSource {
 public:
  MemorySource() { metadata_.set("general.architecture", MetaValue::of_string("llama")); }

  /// Adds a tensor of normal numbers in F32.
  void add(const std::string& name, std::vector<std::uint64_t> shape) {
    tensors_.push_back({name, &formats::f32, std::move(shape)});
    Rng rng(tensors_.size());
    std::vector<float>& values = values_[name];
    values.resize(tensors_.back().n_elements());
    for (float& value : values) value = static_cast<float>(0.1 * rng.normal());
  }
  std::vector<float>& values(const std::string& name) { return values_.at(name); }
  Metadata& mutable_metadata() { return metadata_; }

  [[nodiscard]] const std::filesystem::path& path() const noexcept override { return path_; }
  [[nodiscard]] std::string_view kind() const noexcept override { return "gguf"; }
  [[nodiscard]] const Metadata& metadata() const noexcept override { return metadata_; }
  [[nodiscard]] const std::vector<SourceTensor>& tensors() const noexcept override { return tensors_; }
  [[nodiscard]] std::shared_ptr<const Tokenizer> tokenizer() const noexcept override { return nullptr; }
  [[nodiscard]] std::optional<Bytes> raw(const SourceTensor& tensor) const override {
    const std::vector<float>& values = values_.at(tensor.name);
    return Bytes{reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * 4};
  }
  Result<void> read_rows(const SourceTensor& tensor, std::uint64_t first, std::uint64_t n,
                         float* dst) const override {
    std::memcpy(dst, values_.at(tensor.name).data() + first * tensor.row_length(),
                n * tensor.row_length() * 4);
    return {};
  }
  void release(const SourceTensor&) const noexcept override {}

 private:
  std::filesystem::path path_ = "memory.gguf";
  Metadata metadata_{"memory.gguf"};
  std::vector<SourceTensor> tensors_;
  std::map<std::string, std::vector<float>> values_;
};

/// Two layers with rows that fit K types (512) and rows that do not (96).
inline MemorySource small_model() {
  MemorySource source;
  source.mutable_metadata().set("llama.block_count", MetaValue::of_u32(2));
  source.add("token_embd.weight", {64, 96});
  source.add("output_norm.weight", {96});
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    source.add(layer + "attn_norm.weight", {96});
    source.add(layer + "attn_q.weight", {96, 96});
    source.add(layer + "attn_v.weight", {32, 512});
    source.add(layer + "ffn_down.weight", {96, 512});
  }
  return source;
}

}  // namespace kerf::testing_support
