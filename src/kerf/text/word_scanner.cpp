#include "kerf/text/word_scanner.h"

namespace kerf::text {

const std::string_view kGpt2Regex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

using enum CharClass;

struct KnownPattern {
  std::string_view regex;
  WordPattern pattern;
};

constexpr WordPattern cl100k(std::uint8_t max_digits, bool marks = false, bool contractions = true) {
  return {WordPattern::Style::cl100k, max_digits, marks, contractions};
}

// As they are spelled in tokenizer.json files. Possessive and greedy repetitions give the same words here,
// because what follows a repetition never begins with what it repeats.
constexpr KnownPattern kKnown[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", {}},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", {}},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     cl100k(3)},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     cl100k(3)},
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     cl100k(3)},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     cl100k(1)},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     cl100k(0)},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     cl100k(1, true)},
    {R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     cl100k(1, false, false)},
};

struct Seen {
  CharClass kind;
  std::uint8_t length;
};

class Scanner {
 public:
  Scanner(const WordPattern& pattern, std::string_view text) : pattern_(pattern), text_(text) {}

  std::size_t first() const noexcept {
    return pattern_.style == WordPattern::Style::gpt2 ? first_gpt2() : first_cl100k();
  }

 private:
  bool ended(std::size_t at) const noexcept { return at >= text_.size(); }

  Seen see(std::size_t at) const noexcept {
    const auto byte = static_cast<unsigned char>(text_[at]);
    if (byte < 0x80) return {folded(class_of_ascii(byte)), 1};
    const Character c = decode_utf8(text_.substr(at));
    return {c.valid ? folded(class_of(c.code)) : other, c.length};
  }

  CharClass folded(CharClass kind) const noexcept {
    return kind != mark ? kind : pattern_.marks_are_letters ? letter : other;
  }

  /// End of the run of characters of `kind` from `at`, of at most `limit` characters.
  std::size_t run_end(std::size_t at, CharClass kind, std::size_t limit = SIZE_MAX) const noexcept {
    for (; !ended(at) && limit > 0; --limit) {
      const Seen seen = see(at);
      if (seen.kind != kind) break;
      at += seen.length;
    }
    return at;
  }

  char byte_at(std::size_t at) const noexcept { return ended(at) ? '\0' : text_[at]; }

  /// Length of 's 't 'm 'd 're 've 'll at the beginning, or 0. `fold` ignores case, by which U+017F (ſ) is
  /// an s as well.
  std::size_t contraction(bool fold) const noexcept {
    if (text_[0] != '\'') return 0;
    const auto letter_at = [&](std::size_t at) {
      const char c = byte_at(at);
      return fold && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    switch (letter_at(1)) {
      case 's':
      case 't':
      case 'm':
      case 'd':
        return 2;
      case 'r':
      case 'v':
        return letter_at(2) == 'e' ? 3 : 0;
      case 'l':
        return letter_at(2) == 'l' ? 3 : 0;
      default:
        return fold && text_.substr(1).starts_with("\u017F") ? 3 : 0;
    }
  }

  /// What \s*[\r\n]+|\s+(?!\S)|\s+ (or without its first part) takes.
  std::size_t white_space(bool lines) const noexcept {
    std::size_t at = 0, last = 0, line_end = 0;
    while (!ended(at)) {
      const Seen seen = see(at);
      if (!is_space(seen.kind)) break;
      last = at;
      at += seen.length;
      if (seen.kind == newline) line_end = at;
    }
    if (lines && line_end > 0) return line_end;
    // The last blank before a word is left for it, unless it is the only one.
    return ended(at) || last == 0 ? at : last;
  }

  std::size_t first_gpt2() const noexcept {
    if (const std::size_t n = contraction(false)) return n;
    const std::size_t begin = text_[0] == ' ' && text_.size() > 1 ? 1 : 0;
    const Seen seen = see(begin);
    if (!is_space(seen.kind)) return run_end(begin + seen.length, seen.kind);
    return white_space(false);
  }

  std::size_t first_cl100k() const noexcept {
    if (pattern_.contractions)
      if (const std::size_t n = contraction(true)) return n;
    const Seen seen = see(0);
    if (seen.kind == letter && !starts_with_mark()) return run_end(seen.length, letter);
    if (seen.kind == number)
      return run_end(0, number, pattern_.max_digits == 0 ? SIZE_MAX : pattern_.max_digits);
    // Any one character but a line end may stand before letters.
    if (seen.kind != newline && !ended(seen.length) && see(seen.length).kind == letter)
      return run_end(seen.length, letter);
    if (seen.kind == letter) return seen.length;  // a mark alone
    const std::size_t begin = text_[0] == ' ' && text_.size() > 1 ? 1 : 0;
    if (see(begin).kind == other) return run_end(run_end(begin, other), newline);
    return white_space(true);
  }

  bool starts_with_mark() const noexcept {
    return pattern_.marks_are_letters && static_cast<unsigned char>(text_[0]) >= 0x80 &&
           class_of(decode_utf8(text_).code) == mark;
  }

  const WordPattern& pattern_;
  std::string_view text_;
};

}  // namespace

std::optional<WordPattern> recognise_pattern(std::string_view regex) noexcept {
  for (const KnownPattern& known : kKnown)
    if (known.regex == regex) return known.pattern;
  return std::nullopt;
}

std::size_t first_word(const WordPattern& pattern, std::string_view text) noexcept {
  return Scanner(pattern, text).first();
}

}  // namespace kerf::text
