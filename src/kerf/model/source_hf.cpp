#include "kerf/model/source_hf.h"

#include <fmt/format.h>

#include <unordered_map>

#include "kerf/base/check.h"
#include "kerf/io/printable.h"
#include "kerf/model/hf_metadata.h"
#include "kerf/model/hf_rope.h"
#include "kerf/model/hf_tensors.h"
#include "kerf/model/source_tokenizer.h"

namespace kerf {
namespace {

class HuggingFaceSource final : public ModelSource {
 public:
  HuggingFaceSource(std::filesystem::path folder, Container container, Metadata metadata,
                    Result<std::shared_ptr<const Tokenizer>> tokenizer)
      : folder_(std::move(folder)),
        container_(std::move(container)),
        metadata_(std::move(metadata)),
        tokenizer_(std::move(tokenizer)) {}

  /// Fills the list of tensors, which point into this object's container, and counts them in the metadata.
  Result<void> plan(const HfConfig& config, const Architecture& architecture, const HfDimensions& sizes,
                    std::vector<ComputedTensor> computed) {
    KERF_TRY(planned_, plan_tensors(container_, config, architecture, sizes));
    computed_ = std::move(computed);
    for (const HfTensor& tensor : planned_) tensors_.push_back(tensor.view);
    for (const ComputedTensor& tensor : computed_)
      tensors_.push_back({tensor.name, &formats::f32, {tensor.values.size()}});
    std::uint64_t n_parameters = 0;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      index_.emplace(tensors_[i].name, i);
      const bool of_experts = i < planned_.size() && !planned_[i].experts.empty();
      n_parameters += tensors_[i].n_elements() / (of_experts ? sizes.experts : 1);
    }
    metadata_.set("general.size_label", MetaValue::of_string(size_label(n_parameters, sizes.experts)));
    return {};
  }

  const std::filesystem::path& path() const noexcept override { return folder_; }
  std::string_view kind() const noexcept override { return "huggingface"; }
  const Metadata& metadata() const noexcept override { return metadata_; }
  const std::vector<SourceTensor>& tensors() const noexcept override { return tensors_; }
  std::shared_ptr<const Tokenizer> tokenizer() const noexcept override {
    return tokenizer_.value_or(nullptr);
  }
  Result<std::shared_ptr<const Tokenizer>> require_tokenizer() const override { return tokenizer_; }

  std::optional<Bytes> raw(const SourceTensor& tensor) const override {
    const std::size_t i = index_of(tensor);
    if (const std::vector<float>* values = computed(i))
      return Bytes(reinterpret_cast<const std::uint8_t*>(values->data()), values->size() * sizeof(float));
    if (planned_[i].transform != Transform::as_is) return std::nullopt;
    if (!planned_[i].experts.empty()) return std::nullopt;
    return planned_[i].stored->bytes;
  }

  std::optional<Bytes> raw_matrix(const SourceTensor& tensor, std::size_t matrix) const override {
    const std::size_t i = index_of(tensor);
    if (computed(i) != nullptr || planned_[i].experts.empty()) return ModelSource::raw_matrix(tensor, matrix);
    return planned_[i].experts[matrix]->bytes;
  }

  Result<void> read_rows(const SourceTensor& tensor, std::uint64_t first, std::uint64_t n,
                         float* dst) const override {
    const std::size_t i = index_of(tensor);
    if (const std::vector<float>* values = computed(i)) {
      KERF_CHECK(first + n <= 1);
      std::copy_n(values->data(), n * values->size(), dst);
    } else {
      kerf::read_rows(planned_[i], first, n, dst);
    }
    return {};
  }

  void release(const SourceTensor& tensor) const noexcept override {
    const auto place = index_.find(tensor.name);
    if (place == index_.end() || computed(place->second) != nullptr) return;
    const HfTensor& planned = planned_[place->second];
    if (planned.experts.empty()) planned.stored->file->release(planned.stored->bytes);
    for (const StoredTensor* expert : planned.experts) expert->file->release(expert->bytes);
  }

 private:
  std::size_t index_of(const SourceTensor& tensor) const {
    const auto place = index_.find(tensor.name);
    KERF_CHECK(place != index_.end());
    return place->second;
  }
  /// The values of tensor `i`, if it is not in the checkpoint: those come last.
  const std::vector<float>* computed(std::size_t i) const {
    return i < planned_.size() ? nullptr : &computed_[i - planned_.size()].values;
  }

  std::filesystem::path folder_;
  Container container_;
  Metadata metadata_;
  Result<std::shared_ptr<const Tokenizer>> tokenizer_;  // or why there is none
  std::vector<HfTensor> planned_;
  std::vector<ComputedTensor> computed_;
  std::vector<SourceTensor> tensors_;  // planned_, then computed_
  std::unordered_map<std::string, std::size_t> index_;
};

Result<const Architecture*> architecture_of(const HfConfig& config) {
  KERF_TRY(const std::string class_name, config.architecture());
  if (const Architecture* known = architecture_of_hugging_face(class_name)) return known;
  return fail(
      ErrorKind::unsupported, config.where(),
      fmt::format("architecture «{}»; known are {}", printable(class_name), hugging_face_architectures()));
}

/// The folder's own name; «.» and a trailing slash do not hide it.
std::string name_of_folder(const std::filesystem::path& folder) {
  std::error_code ignored;
  std::filesystem::path full = std::filesystem::weakly_canonical(folder, ignored);
  if (!full.has_filename()) full = full.parent_path();
  return full.filename().string();
}

/// Number of general.file_type for the format of most weights: that of the first matrix.
std::uint32_t file_type_of(const std::vector<StoredTensor>& tensors) {
  for (const StoredTensor& tensor : tensors) {
    if (tensor.shape.size() < 2) continue;
    if (tensor.format == &formats::f16) return 1;
    if (tensor.format == &formats::bf16) return 32;
    break;
  }
  return 0;
}

Metadata describe_file(const std::filesystem::path& folder, const Architecture& architecture,
                       const Container& container) {
  constexpr std::uint32_t kQuantizationVersion = 2;  // of the block layouts since 2023
  Metadata metadata(folder.string());
  metadata.set("general.architecture", MetaValue::of_string(std::string(architecture.name)));
  metadata.set("general.type", MetaValue::of_string("model"));
  metadata.set("general.name", MetaValue::of_string(name_of_folder(folder)));
  metadata.set("general.file_type", MetaValue::of_u32(file_type_of(container.tensors)));
  metadata.set("general.quantization_version", MetaValue::of_u32(kQuantizationVersion));
  return metadata;
}

/// The tokenizer, and its keys into `metadata`.
Result<std::shared_ptr<const Tokenizer>> read_tokenizer(const std::filesystem::path& folder,
                                                        std::uint64_t vocabulary_size, Metadata& metadata) {
  KERF_TRY(auto tokenizer, tokenizer_from_hugging_face(folder));
  KERF_CHECK_OK(vocabulary_to_metadata(folder, vocabulary_size, metadata));
  return tokenizer;
}

}  // namespace

Result<std::shared_ptr<const ModelSource>> open_hugging_face_source(const std::filesystem::path& folder) {
  KERF_TRY(const HfConfig config, HfConfig::read(folder / "config.json"));
  KERF_TRY(const Architecture* architecture, architecture_of(config));
  KERF_CHECK_OK(check_supported(config, *architecture));
  KERF_TRY(const HfDimensions sizes, read_dimensions(config, architecture->hf));
  KERF_TRY(Container container, open_container(folder));

  Metadata metadata = describe_file(folder, *architecture, container);
  KERF_CHECK_OK(describe_model(config, *architecture, sizes, metadata));
  KERF_TRY(std::vector<ComputedTensor> computed, describe_rope(config, *architecture, sizes, metadata));

  auto tokenizer = read_tokenizer(folder, sizes.vocabulary, metadata);
  if (!tokenizer && !is_bearable(tokenizer.error()))
    return tl::unexpected<Error>(std::move(tokenizer).error());

  auto source = std::make_shared<HuggingFaceSource>(folder, std::move(container), std::move(metadata),
                                                    std::move(tokenizer));
  KERF_CHECK_OK(source->plan(config, *architecture, sizes, std::move(computed)));
  return source;
}

}  // namespace kerf
