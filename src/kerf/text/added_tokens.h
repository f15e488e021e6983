// Tokens that are cut out of the text before anything else happens to it («<|im_start|>»).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/function_ref.h"
#include "kerf/text/vocabulary.h"

namespace kerf::text {

struct AddedToken {
  TokenId id = kNoToken;
  std::string text;
  bool special = false;      ///< only found when special tokens are parsed
  bool normalized = false;   ///< looked for in normalized text
  bool strip_left = false;   ///< takes the white space before it
  bool strip_right = false;  ///< takes the white space behind it
  bool single_word = false;  ///< only between characters that are not \w
};

/// Finds added tokens, of several at one place the longest.
class AddedTokenMatcher {
 public:
  AddedTokenMatcher() = default;
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  [[nodiscard]] bool empty() const noexcept { return tokens_.empty(); }

  /// A stretch of text between tokens (id is kNoToken), or a token. `begin` is its place in `text`.
  struct Part {
    std::string_view text;
    std::size_t begin = 0;
    TokenId id = kNoToken;
  };
  /// Calls `sink` with the parts of `text` in order.
  void split(std::string_view text, bool parse_special, FunctionRef<void(Part)> sink) const;

 private:
  /// The longest token at `at`; nullptr if there is none.
  [[nodiscard]] const AddedToken* longest_at(std::string_view text, std::size_t at) const noexcept;

  std::vector<AddedToken> tokens_;        // sorted by text
  std::array<bool, 256> begins_{};        // first bytes that occur
  std::vector<std::uint32_t> prefix_of_;  // longest other token that is a prefix, or its own index
};

}  // namespace kerf::text
