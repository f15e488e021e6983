// ModelSource: a model on disk seen through one pair of eyes. Whatever it is stored as, its tensors carry
// GGUF names and GGUF row order, and its description is GGUF metadata.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/file.h"
#include "kerf/base/metadata.h"
#include "kerf/base/result.h"
#include "kerf/formats/format.h"
#include "kerf/text/tokenizer.h"

namespace kerf {

struct SourceTensor {
  std::string name;                  ///< GGUF name: «blk.0.attn_q.weight»
  const Format* format = nullptr;    ///< as stored
  std::vector<std::uint64_t> shape;  ///< outermost first, in GGUF's orientation: [R, K]
  [[nodiscard]] std::uint64_t row_length() const noexcept { return shape.empty() ? 1 : shape.back(); }
  [[nodiscard]] std::uint64_t n_elements() const noexcept;
  [[nodiscard]] std::uint64_t n_rows() const noexcept { return n_elements() / row_length(); }
};

class ModelSource {
 public:
  /// Opens a GGUF file (or shards) or a Hugging Face folder. Nothing but headers and vocabulary is read.
  static Result<std::shared_ptr<const ModelSource>> open(const std::filesystem::path& path);
  virtual ~ModelSource() = default;

  [[nodiscard]] virtual const std::filesystem::path& path() const noexcept = 0;
  /// «gguf» or «huggingface».
  [[nodiscard]] virtual std::string_view kind() const noexcept = 0;
  /// Everything a GGUF file of this model says in its header, tokenizer included.
  [[nodiscard]] virtual const Metadata& metadata() const noexcept = 0;
  [[nodiscard]] virtual const std::vector<SourceTensor>& tensors() const noexcept = 0;
  /// nullptr if there is none; see require_tokenizer().
  [[nodiscard]] virtual std::shared_ptr<const Tokenizer> tokenizer() const noexcept = 0;

  /// The stored bytes of a tensor, if they are what a GGUF file would hold; nothing if GGUF wants them
  /// rearranged or changed, in which case read_rows() does it.
  [[nodiscard]] virtual std::optional<Bytes> raw(const SourceTensor& tensor) const = 0;
  /// The same of one matrix of a tensor [n_matrices, R, K], which may have its bytes where the whole has not.
  [[nodiscard]] virtual std::optional<Bytes> raw_matrix(const SourceTensor& tensor, std::size_t matrix) const;
  /// Rows [first, first + n) as binary32 into dst[n, row_length]. Safe to call from several threads.
  virtual Result<void> read_rows(const SourceTensor& tensor, std::uint64_t first, std::uint64_t n,
                                 float* dst) const = 0;
  /// Lets the kernel drop the pages of a tensor that has been dealt with.
  virtual void release(const SourceTensor& tensor) const noexcept = 0;

  /// nullptr if there is none of that name.
  [[nodiscard]] const SourceTensor* find(std::string_view name) const;
  /// tokenizer(), or why there is none: the model came without (not_found) or with one of a kind that kerf
  /// cannot run (unsupported), which does not keep anybody from reading its weights.
  [[nodiscard]] virtual Result<std::shared_ptr<const Tokenizer>> require_tokenizer() const;
};

}  // namespace kerf
