// The hand-written scanner against the regular expressions that it stands for, run by PCRE2.
#include "kerf/text/word_scanner.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "kerf/base/file.h"
#include "kerf/base/rng.h"
#include "kerf/text/regex.h"

namespace kerf::text {
namespace {

constexpr std::string_view kPatterns[] = {
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
};

/// Compares word by word; stops at the first difference.
void expect_same_words(std::string_view regex, std::string_view text) {
  const auto pattern = recognise_pattern(regex);
  ASSERT_TRUE(pattern) << regex;
  const auto compiled = Regex::compile(regex, "test");
  ASSERT_TRUE(compiled) << compiled.error().message();
  Regex::Matches matches(*compiled, text);
  for (std::size_t at = 0; at < text.size();) {
    const auto match = matches.next();
    ASSERT_TRUE(match) << regex << " ended at " << at;
    const std::size_t n = first_word(*pattern, text.substr(at));
    ASSERT_EQ(at, match->begin) << regex;
    ASSERT_EQ(text.substr(at, n), text.substr(match->begin, match->end - match->begin)) << regex;
    at += n;
  }
}

TEST(WordScanner, CutsRandomTextLikeTheExpression) {
  // Characters at the borders of the classes; contractions are likely.
  static constexpr std::string_view kPieces[] = {
      " ",      " ",      " ",      "\n",     "\r", "\t",     "\v",         "a",          "Z",    "é",
      "ſ",      "日",     "1",      "9",      "½",  "٣",      "'",          "'",          "s",    "S",
      "t",      "re",     "VE",     "ll",     "L",  "d",      ".",          "!",          "_",    "\u0301",
      "\u00A0", "\u3000", "\u0085", "\u200B", "😀",  "\u180E", "\U0001D7D9", "\U00010400", "\x01", "-"};
  Rng rng(7);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    const auto length = 1 + rng.below(40);
    for (std::uint64_t i = 0; i < length; ++i) text += kPieces[rng.below(std::size(kPieces))];
    for (const std::string_view regex : kPatterns) {
      expect_same_words(regex, text);
      if (HasFatalFailure()) FAIL() << "text «" << text << "»";
    }
  }
}

TEST(WordScanner, CutsLongTextsLikeTheExpression) {
  const char* data = std::getenv("KERF_DATA");
  if (data == nullptr) GTEST_SKIP() << "set KERF_DATA to the folder with the long texts";
  for (const auto& entry : std::filesystem::directory_iterator(data)) {
    const auto text = read_file(entry.path());
    ASSERT_TRUE(text);
    for (const std::string_view regex : kPatterns) expect_same_words(regex, *text);
  }
}

TEST(WordScanner, KnowsNoOtherPattern) {
  EXPECT_FALSE(recognise_pattern(R"(\p{L}+)"));
  EXPECT_FALSE(recognise_pattern(""));
}

}  // namespace
}  // namespace kerf::text
