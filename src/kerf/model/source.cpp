#include "kerf/model/source.h"

#include <algorithm>

#include "kerf/model/source_gguf.h"
#include "kerf/model/source_hf.h"
#include "kerf/model/source_tokenizer.h"

namespace kerf {

std::uint64_t SourceTensor::n_elements() const noexcept {
  std::uint64_t n = 1;
  for (const std::uint64_t extent : shape) n *= extent;
  return n;
}

Result<std::shared_ptr<const ModelSource>> ModelSource::open(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return open_hugging_face_source(path);
  return open_gguf_source(path);
}

std::optional<Bytes> ModelSource::raw_matrix(const SourceTensor& tensor, std::size_t matrix) const {
  const std::optional<Bytes> all = raw(tensor);
  if (!all) return std::nullopt;
  const std::size_t n_bytes = all->size() / static_cast<std::size_t>(tensor.shape.front());
  return all->subspan(matrix * n_bytes, n_bytes);
}

const SourceTensor* ModelSource::find(std::string_view name) const {
  const std::vector<SourceTensor>& all = tensors();
  const auto place = std::find_if(all.begin(), all.end(), [&](const auto& t) { return t.name == name; });
  return place == all.end() ? nullptr : &*place;
}

Result<std::shared_ptr<const Tokenizer>> ModelSource::require_tokenizer() const {
  if (auto present = tokenizer()) return present;
  return no_tokenizer(path().string());
}

}  // namespace kerf
