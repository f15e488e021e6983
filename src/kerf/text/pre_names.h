// The pre-tokenizers that GGUF files call by name (tokenizer.ggml.pre).
#pragma once

#include <span>
#include <string_view>

namespace kerf::text {

struct NamedPreTokenizer {
  std::string_view name;
  /// Regular expressions, applied one after the other: each cuts the words of the one before at its matches.
  std::span<const std::string_view> patterns;
  bool ignore_merges = false;  ///< a word that is a token needs no merges
  bool adds_bos = false;       ///< where the file does not say
  bool composes = false;       ///< text is brought to normal form C first
};

/// nullptr if the name is unknown. «default» and the empty name are GPT-2's.
[[nodiscard]] const NamedPreTokenizer* find_pre_tokenizer(std::string_view name) noexcept;

/// The name of the pre-tokenizer that cuts as these patterns do, or an empty one. Of several, one that also
/// composes (or not) as asked for.
[[nodiscard]] std::string_view name_of_patterns(std::span<const std::string_view> patterns,
                                                bool ignore_merges, bool composes);

}  // namespace kerf::text
