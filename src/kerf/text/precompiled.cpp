// SentencePiece's compiled normalization rules («precompiled_charsmap»).
//
//   bytes          what
//   4              size of the trie in bytes, a multiple of 4
//   size           a double array of 32-bit units (Yata et al. 2007, as the darts-clone library packs them)
//   the rest       replacement texts, each ended by a zero byte; a leaf's value is an offset in here
//
// A unit: bit 31 marks a leaf's value (bits 0–30); else bits 0–7 are the label, bit 8 says that a leaf
// follows, and bits 10–30 are the offset to the children, shifted left by 8 if bit 9 is set.
#include <fmt/format.h>
#include <utf8proc.h>

#include <cstring>
#include <optional>

#include "kerf/base/bits.h"
#include "kerf/text/normalize.h"
#include "kerf/text/unicode.h"

namespace kerf::text {
namespace {

// `tokenizers` looks a grapheme cluster up as a whole only below this length.
constexpr std::size_t kMaxGraphemeBytes = 6;

class PrecompiledRules {
 public:
  static Result<PrecompiledRules> open(std::string bytes, const std::string& where) {
    PrecompiledRules rules;
    const std::uint32_t trie_bytes = bytes.size() < 4 ? 0 : load_le<std::uint32_t>(bytes.data());
    if (bytes.size() < 8 || trie_bytes % 4 != 0 || trie_bytes == 0 || trie_bytes > bytes.size() - 4)
      return fail(ErrorKind::input, where, "the compiled normalization rules are cut off or broken");
    rules.units_.resize(trie_bytes / 4);
    std::memcpy(rules.units_.data(), bytes.data() + 4, trie_bytes);
    rules.texts_ = bytes.substr(4 + trie_bytes);
    rules.texts_.push_back('\0');
    return rules;
  }

  struct Found {
    std::size_t length;  // of the prefix that is replaced
    std::string_view replacement;
  };

  /// The rule for the longest prefix of `text` that has one; with `shortest`, for the shortest.
  [[nodiscard]] std::optional<Found> find(std::string_view text, bool shortest) const noexcept {
    std::optional<Found> found;
    std::uint64_t at = offset_of(units_[0]);
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<std::uint8_t>(text[i]);
      at ^= byte;
      if (byte == 0 || at >= units_.size() || label_of(units_[at]) != byte) break;
      const bool has_leaf = (units_[at] >> 8 & 1) != 0;
      at ^= offset_of(units_[at]);
      if (!has_leaf) continue;
      if (at >= units_.size()) break;
      const std::size_t begin = units_[at] & 0x7FFFFFFF;
      if (begin >= texts_.size()) break;
      found = Found{i + 1, std::string_view(texts_.c_str() + begin)};
      if (shortest) break;
    }
    return found;
  }

 private:
  static std::uint32_t offset_of(std::uint32_t unit) noexcept {
    return unit >> 10 << ((unit & (1U << 9)) >> 6);
  }
  static std::uint32_t label_of(std::uint32_t unit) noexcept { return unit & ((1U << 31) | 0xFF); }

  std::vector<std::uint32_t> units_;
  std::string texts_;
};

/// Rules may be arbitrary bytes; what comes out must be valid UTF-8 for the steps that follow.
void append_valid(std::string& result, std::string_view replacement) {
  while (!replacement.empty()) {
    const std::size_t valid = valid_prefix(replacement);
    result.append(replacement, 0, valid);
    if (valid == replacement.size()) return;
    result.append("\uFFFD");
    replacement.remove_prefix(valid + 1);
  }
}

class PrecompiledStep final : public NormalizerStep {
 public:
  PrecompiledStep(PrecompiledRules rules, bool by_grapheme)
      : rules_(std::move(rules)), by_grapheme_(by_grapheme) {}

  void apply(std::string& text) const override {
    std::string result;
    result.reserve(text.size());
    by_grapheme_ ? rewrite_graphemes(text, result) : rewrite_prefixes(text, result);
    text = std::move(result);
  }

 private:
  void rewrite_prefixes(std::string_view text, std::string& result) const {
    while (!text.empty()) {
      const auto found = rules_.find(text, false);
      const std::size_t n = found ? found->length : decode_utf8(text).length;
      found ? append_valid(result, found->replacement) : append_valid(result, text.substr(0, n));
      text.remove_prefix(n);
    }
  }

  void rewrite_graphemes(std::string_view text, std::string& result) const {
    while (!text.empty()) {
      const std::string_view grapheme = text.substr(0, grapheme_length(text));
      text.remove_prefix(grapheme.size());
      if (grapheme.size() < kMaxGraphemeBytes) {
        if (const auto found = rules_.find(grapheme, true)) {
          append_valid(result, found->replacement);
          continue;
        }
      }
      for (std::string_view left = grapheme; !left.empty();) {
        const std::string_view character = left.substr(0, decode_utf8(left).length);
        left.remove_prefix(character.size());
        const auto found = rules_.find(character, true);
        append_valid(result, found ? found->replacement : character);
      }
    }
  }

  static std::size_t grapheme_length(std::string_view text) noexcept {
    utf8proc_int32_t state = 0;
    Character before = decode_utf8(text);
    std::size_t length = before.length;
    while (length < text.size()) {
      const Character c = decode_utf8(text.substr(length));
      if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(before.code),
                                           static_cast<utf8proc_int32_t>(c.code), &state))
        break;
      length += c.length;
      before = c;
    }
    return length;
  }

  PrecompiledRules rules_;
  bool by_grapheme_;
};

}  // namespace

Result<NormalizerStepPtr> precompiled_step(std::string rules, bool by_grapheme, const std::string& where) {
  KERF_TRY(PrecompiledRules opened, PrecompiledRules::open(std::move(rules), where));
  return std::make_shared<PrecompiledStep>(std::move(opened), by_grapheme);
}

}  // namespace kerf::text
