// Tokenizer: text to ids and back, for the vocabularies that language models come with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/metadata.h"
#include "kerf/base/result.h"

namespace kerf {

using TokenId = std::int32_t;

struct EncodeOptions {
  /// Turn the text of special tokens («<|im_start|>») into their ids; otherwise it is ordinary text.
  bool parse_special = false;
  /// Add what the vocabulary's post-processor adds (BOS, EOS), where it adds anything.
  bool add_special = false;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  [[nodiscard]] virtual std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const = 0;
  /// The bytes a token stands for; may be part of a UTF-8 character. Special tokens give nothing unless
  /// `special`.
  [[nodiscard]] virtual std::string token_bytes(TokenId id, bool special) const = 0;
  /// The vocabulary's own spelling of a token («Ġthe», «▁the»).
  [[nodiscard]] virtual std::string_view piece(TokenId id) const = 0;
  [[nodiscard]] virtual std::size_t vocabulary_size() const noexcept = 0;
  [[nodiscard]] virtual bool is_special(TokenId id) const noexcept = 0;
  /// −1 where the vocabulary has none.
  [[nodiscard]] virtual TokenId bos() const noexcept = 0;
  [[nodiscard]] virtual TokenId eos() const noexcept = 0;
  /// True for eos and for the other tokens that end a turn («<|im_end|>», «<|eot_id|>»).
  [[nodiscard]] virtual bool ends_text(TokenId id) const noexcept = 0;
  /// Whether add_special puts bos() in front.
  [[nodiscard]] virtual bool adds_bos() const noexcept = 0;
  /// Whether the first piece of decoded text carries a blank that was not in the text (SentencePiece).
  [[nodiscard]] virtual bool strips_leading_blank() const noexcept = 0;

  /// Inverse of encode(), special tokens left out unless `special`.
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool special = false) const;
};

/// Holds back bytes until they make whole UTF-8 characters.
class StreamingDecoder {
 public:
  explicit StreamingDecoder(const Tokenizer& tokenizer, bool special = false)
      : tokenizer_(tokenizer), special_(special) {}
  /// The text that `id` completes; may be empty.
  [[nodiscard]] std::string push(TokenId id);
  /// What is left at the end of the text; broken characters as U+FFFD.
  [[nodiscard]] std::string finish();

 private:
  const Tokenizer& tokenizer_;
  bool special_;
  bool first_ = true;
  std::string pending_;
};

/// From the tokenizer.ggml.* keys of a GGUF file. Errors: input, unsupported, not_found.
Result<std::shared_ptr<const Tokenizer>> tokenizer_from_metadata(const Metadata& metadata);

/// From tokenizer.json (or tokenizer.model, SentencePiece), given as a file or as the folder that holds it.
Result<std::shared_ptr<const Tokenizer>> tokenizer_from_hugging_face(const std::filesystem::path& path);

/// The tokenizer.ggml.* keys for what lies in a Hugging Face folder, so that a GGUF file made from it
/// tokenizes the same. `vocabulary_size` rows of the embedding get a token each (padding ones are unused).
Result<void> vocabulary_to_metadata(const std::filesystem::path& folder, std::uint64_t vocabulary_size,
                                    Metadata& metadata);

}  // namespace kerf
