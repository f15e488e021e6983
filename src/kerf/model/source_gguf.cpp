#include "kerf/model/source_gguf.h"

#include "kerf/base/check.h"
#include "kerf/io/container.h"
#include "kerf/model/source_tokenizer.h"

namespace kerf {
namespace {

class GgufSource final : public ModelSource {
 public:
  GgufSource(Container container, Result<std::shared_ptr<const Tokenizer>> tokenizer)
      : container_(std::move(container)), tokenizer_(std::move(tokenizer)) {
    tensors_.reserve(container_.tensors.size());
    for (const StoredTensor& t : container_.tensors) tensors_.push_back({t.name, t.format, t.shape});
  }

  const std::filesystem::path& path() const noexcept override { return container_.path; }
  std::string_view kind() const noexcept override { return "gguf"; }
  const Metadata& metadata() const noexcept override { return container_.metadata; }
  const std::vector<SourceTensor>& tensors() const noexcept override { return tensors_; }
  std::shared_ptr<const Tokenizer> tokenizer() const noexcept override {
    return tokenizer_.value_or(nullptr);
  }
  Result<std::shared_ptr<const Tokenizer>> require_tokenizer() const override { return tokenizer_; }

  std::optional<Bytes> raw(const SourceTensor& tensor) const override { return stored(tensor).bytes; }

  Result<void> read_rows(const SourceTensor& tensor, std::uint64_t first, std::uint64_t n,
                         float* dst) const override {
    KERF_CHECK(first <= tensor.n_rows() && n <= tensor.n_rows() - first);
    const std::uint64_t row_bytes = tensor.format->row_bytes(tensor.row_length());
    const Bytes rows = stored(tensor).bytes.subspan(first * row_bytes, n * row_bytes);
    decode_rows(*tensor.format, rows.data(), n, tensor.row_length(), dst);
    return {};
  }

  void release(const SourceTensor& tensor) const noexcept override {
    const StoredTensor* found = container_.find(tensor.name);
    if (found != nullptr) found->file->release(found->bytes);
  }

 private:
  const StoredTensor& stored(const SourceTensor& tensor) const {
    const StoredTensor* found = container_.find(tensor.name);
    KERF_CHECK(found != nullptr);
    return *found;
  }

  Container container_;
  std::vector<SourceTensor> tensors_;
  Result<std::shared_ptr<const Tokenizer>> tokenizer_;  // or why there is none
};

/// Models without vocabulary say «none», «no_vocab», or nothing.
Result<std::shared_ptr<const Tokenizer>> read_tokenizer(const Metadata& metadata) {
  KERF_TRY(const std::string model, metadata.string_or("tokenizer.ggml.model", "none"));
  if (model == "none" || model == "no_vocab") return no_tokenizer(metadata.where());
  return tokenizer_from_metadata(metadata);
}

}  // namespace

Result<std::shared_ptr<const ModelSource>> open_gguf_source(const std::filesystem::path& path) {
  KERF_TRY(Container container, open_container(path));
  if (container.kind != "gguf")
    return fail(ErrorKind::unsupported, path.string(),
                "is not a GGUF file; of a Hugging Face model give the folder that holds config.json");
  auto tokenizer = read_tokenizer(container.metadata);
  if (!tokenizer && !is_bearable(tokenizer.error()))
    return tl::unexpected<Error>(std::move(tokenizer).error());
  return std::make_shared<const GgufSource>(std::move(container), std::move(tokenizer));
}

}  // namespace kerf
