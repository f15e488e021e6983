#include "kerf/methods/rotated_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "kerf/base/rng.h"
#include "kerf/linalg/rotation.h"
#include "kerf/model/config.h"

namespace kerf {
namespace {

/// What happens to a tensor W [R, K]; in this order.
struct Change {
  std::string from;                   ///< name in the original
  std::string norm = {};              ///< columns are multiplied by this norm's weight
  const Rotation* rows = nullptr;     ///< each row is turned, in pieces of the rotation's size: W·Q
  const Rotation* columns = nullptr;  ///< each column likewise: Qᵀ·W
  bool is_ones = false;               ///< a norm that gave its weight away
};

class RotatedSource final : public ModelSource {
 public:
  RotatedSource(std::shared_ptr<const ModelSource> original, const ModelConfig& config, std::uint64_t seed);

  /// Whether every tensor is as long as what is done to it.
  [[nodiscard]] Result<void> check() const;

  [[nodiscard]] const std::filesystem::path& path() const noexcept override { return original_->path(); }
  [[nodiscard]] std::string_view kind() const noexcept override { return original_->kind(); }
  [[nodiscard]] const Metadata& metadata() const noexcept override { return metadata_; }
  [[nodiscard]] const std::vector<SourceTensor>& tensors() const noexcept override { return tensors_; }
  [[nodiscard]] std::shared_ptr<const Tokenizer> tokenizer() const noexcept override {
    return original_->tokenizer();
  }
  [[nodiscard]] Result<std::shared_ptr<const Tokenizer>> require_tokenizer() const override {
    return original_->require_tokenizer();
  }
  [[nodiscard]] std::optional<Bytes> raw(const SourceTensor&) const override { return std::nullopt; }
  Result<void> read_rows(const SourceTensor& tensor, std::uint64_t first, std::uint64_t n,
                         float* dst) const override;
  void release(const SourceTensor& tensor) const noexcept override;

 private:
  [[nodiscard]] Change change_of(const std::string& name) const;
  Result<std::vector<float>> norm_weights(const Change& change, std::size_t n) const;
  Result<void> read_turned_rows(const SourceTensor& from, const Change& change, std::uint64_t first,
                                std::uint64_t n, float* dst) const;
  Result<std::shared_ptr<const std::vector<float>>> whole(const SourceTensor& from,
                                                          const Change& change) const;

  std::shared_ptr<const ModelSource> original_;
  Rotation residual_;  // R1
  Rotation head_;      // R2
  bool has_values_;    // as a matrix of their own
  Metadata metadata_;
  std::vector<SourceTensor> tensors_;
  // A matrix whose columns are turned is made as a whole, once.
  mutable std::mutex mutex_;
  mutable std::string whole_name_;
  mutable std::shared_ptr<const std::vector<float>> whole_;
};

RotatedSource::RotatedSource(std::shared_ptr<const ModelSource> original, const ModelConfig& config,
                             std::uint64_t seed)
    : original_(std::move(original)),
      residual_(config.width, mix64(seed)),
      head_(config.head_width, mix64(seed) + 1),
      has_values_(original_->find("blk.0.attn_v.weight") != nullptr),
      metadata_(original_->metadata()) {
  metadata_.set("quantize.kerf.rotation.seed", MetaValue::of_u64(seed));
  const bool is_tied = original_->find("output.weight") == nullptr;
  for (SourceTensor tensor : original_->tensors()) {
    tensor.format = &formats::f32;
    tensors_.push_back(tensor);
    if (tensor.name != "token_embd.weight" || !is_tied) continue;
    tensor.name = "output.weight";
    tensors_.push_back(std::move(tensor));
  }
}

Change RotatedSource::change_of(const std::string& name) const {
  const std::size_t part = name.starts_with("blk.") ? name.find('.', 4) + 1 : 0;
  const std::string layer = name.substr(0, part);
  const std::string_view kind = std::string_view(name).substr(part);
  const Rotation* const values = has_values_ ? &head_ : nullptr;
  if (kind == "token_embd.weight") return {.from = name, .rows = &residual_};
  if (kind == "output.weight")
    return {.from = original_->find(name) != nullptr ? name : "token_embd.weight",
            .norm = "output_norm.weight",
            .rows = &residual_};
  if (kind == "attn_norm.weight" || kind == "ffn_norm.weight" || kind == "output_norm.weight")
    return {.from = name, .is_ones = true};
  if (kind == "attn_v.weight")
    return {.from = name, .norm = layer + "attn_norm.weight", .rows = &residual_, .columns = values};
  if (kind == "attn_q.weight" || kind == "attn_k.weight" || kind == "attn_qkv.weight")
    return {.from = name, .norm = layer + "attn_norm.weight", .rows = &residual_};
  if (kind == "ffn_gate.weight" || kind == "ffn_up.weight")
    return {.from = name, .norm = layer + "ffn_norm.weight", .rows = &residual_};
  if (kind == "attn_output.weight") return {.from = name, .rows = values, .columns = &residual_};
  if (kind == "ffn_down.weight") return {.from = name, .columns = &residual_};
  // A bias is a row of what the columns of its weight are.
  if (kind == "attn_output.bias" || kind == "ffn_down.bias") return {.from = name, .rows = &residual_};
  if (kind == "attn_v.bias") return {.from = name, .rows = values};
  return {.from = name};
}

Result<std::vector<float>> RotatedSource::norm_weights(const Change& change, std::size_t n) const {
  std::vector<float> weights;
  if (change.norm.empty()) return weights;
  const SourceTensor* norm = original_->find(change.norm);
  if (norm == nullptr || norm->n_elements() != n)
    return fail(ErrorKind::input, path().string() + ": tensor " + change.norm,
                "missing, or not as long as the rows behind it");
  weights.resize(n);
  KERF_CHECK_OK(original_->read_rows(*norm, 0, 1, weights.data()));
  return weights;
}

Result<void> RotatedSource::read_turned_rows(const SourceTensor& from, const Change& change,
                                             std::uint64_t first, std::uint64_t n, float* dst) const {
  KERF_CHECK_OK(original_->read_rows(from, first, n, dst));
  const std::size_t n_cols = from.row_length();
  KERF_TRY(const std::vector<float> norm, norm_weights(change, n_cols));
  if (change.rows == nullptr && norm.empty()) return {};
  std::vector<double> row(n_cols);
  for (std::uint64_t r = 0; r < n; ++r) {
    float* const x = dst + r * n_cols;
    for (std::size_t k = 0; k < n_cols; ++k) row[k] = norm.empty() ? x[k] : double{x[k]} * norm[k];
    for (std::size_t k = 0; change.rows != nullptr && k < n_cols; k += change.rows->size())
      change.rows->apply(row.data() + k);
    std::copy(row.begin(), row.end(), x);
  }
  return {};
}

Result<std::shared_ptr<const std::vector<float>>> RotatedSource::whole(const SourceTensor& from,
                                                                       const Change& change) const {
  const std::lock_guard lock(mutex_);
  if (whole_name_ == from.name && whole_ != nullptr) return whole_;
  const std::size_t n_rows = from.n_rows(), n_cols = from.row_length(), size = change.columns->size();
  auto values = std::make_shared<std::vector<float>>(n_rows * n_cols);
  KERF_CHECK_OK(read_turned_rows(from, change, 0, n_rows, values->data()));
  std::vector<double> column(n_rows);
  for (std::size_t k = 0; k < n_cols; ++k) {
    for (std::size_t r = 0; r < n_rows; ++r) column[r] = (*values)[r * n_cols + k];
    for (std::size_t r = 0; r < n_rows; r += size) change.columns->apply(column.data() + r);
    for (std::size_t r = 0; r < n_rows; ++r) (*values)[r * n_cols + k] = static_cast<float>(column[r]);
  }
  whole_name_ = from.name;
  whole_ = std::move(values);
  return whole_;
}

Result<void> RotatedSource::read_rows(const SourceTensor& tensor, std::uint64_t first, std::uint64_t n,
                                      float* dst) const {
  const Change change = change_of(tensor.name);
  const std::uint64_t n_cols = tensor.row_length();
  if (change.is_ones) {
    std::fill_n(dst, n * n_cols, 1.0F);
    return {};
  }
  const SourceTensor& from = *original_->find(change.from);
  if (change.columns == nullptr) return read_turned_rows(from, change, first, n, dst);
  KERF_TRY(const auto values, whole(from, change));
  std::copy_n(values->data() + first * n_cols, n * n_cols, dst);
  return {};
}

void RotatedSource::release(const SourceTensor& tensor) const noexcept {
  if (const SourceTensor* from = original_->find(change_of(tensor.name).from)) original_->release(*from);
  const std::lock_guard lock(mutex_);
  if (whole_name_ == tensor.name) whole_.reset();
}

Result<void> RotatedSource::check() const {
  const auto fits = [](const Rotation* rotation, std::uint64_t n) {
    return rotation == nullptr || n % rotation->size() == 0;
  };
  for (const SourceTensor& tensor : tensors_) {
    const std::string where = path().string() + ": tensor " + tensor.name;
    if (tensor.shape.size() > 2)
      return fail(ErrorKind::unsupported, where, "models with experts cannot be rotated");
    const Change change = change_of(tensor.name);
    if (!fits(change.rows, tensor.row_length()) || !fits(change.columns, tensor.n_rows()))
      return fail(ErrorKind::input, where, "does not fit the model's width and heads");
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const ModelSource>> rotated(std::shared_ptr<const ModelSource> source,
                                                   std::uint64_t seed) {
  KERF_TRY(const ModelConfig config, config_from_metadata(source->metadata()));
  if (config.norm != NormKind::rms || config.post_norms || config.learned_positions)
    return fail(ErrorKind::unsupported, "--rotate",
                fmt::format("{} models cannot be rotated: what runs through the layers must only be read "
                            "through RMS norms",
                            config.architecture));
  auto turned = std::make_shared<const RotatedSource>(std::move(source), config, seed);
  KERF_CHECK_OK(turned->check());
  return turned;
}

}  // namespace kerf
