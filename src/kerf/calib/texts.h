// Texts that a model reads to be calibrated, and the windows of tokens that are cut from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/text/tokenizer.h"

namespace kerf {

struct CalibrationText {
  std::string name;
  std::vector<std::string> documents;
};

/// A name that ends in .jsonl holds one object per line, whose field «text» (or «content») is a document;
/// any other file is one document. Errors: not_found, io, input (not JSON, no such field; names the line).
Result<CalibrationText> read_calibration_text(const std::filesystem::path& path);

/// Token sequences of one length.
class TokenWindows {
 public:
  explicit TokenWindows(std::size_t ctx) : ctx_(ctx) {}

  [[nodiscard]] std::size_t ctx() const noexcept { return ctx_; }
  [[nodiscard]] std::size_t size() const noexcept { return tokens_.size() / ctx_; }
  [[nodiscard]] std::span<const TokenId> operator[](std::size_t i) const {
    return std::span(tokens_).subspan(i * ctx_, ctx_);
  }
  [[nodiscard]] std::span<const TokenId> tokens() const noexcept { return tokens_; }
  /// `window` has ctx() tokens.
  void append(std::span<const TokenId> window) {
    tokens_.insert(tokens_.end(), window.begin(), window.end());
  }

 private:
  std::size_t ctx_;
  std::vector<TokenId> tokens_;
};

/// All windows of ctx tokens that the texts have, one after the other; what is left at the end of a text is
/// dropped. Documents of a text follow each other, divided by EOS where the vocabulary does not begin them
/// with BOS. A window's first token is replaced by BOS where the vocabulary adds one, as llama.cpp's tools
/// do. Errors: input (texts shorter than one window; a token that a model of n_vocabulary does not have).
Result<TokenWindows> cut_windows(const Tokenizer& tokenizer, const std::vector<CalibrationText>& texts,
                                 std::size_t ctx, std::size_t n_vocabulary);

/// `n` of them, drawn by `seed` without replacement, in their order; all if there are no more than n.
[[nodiscard]] TokenWindows sample_windows(const TokenWindows& windows, std::size_t n, std::uint64_t seed);

/// `n` of them, evenly spread; all if n is 0 or there are no more.
[[nodiscard]] TokenWindows spread_windows(const TokenWindows& windows, std::size_t n);

}  // namespace kerf
