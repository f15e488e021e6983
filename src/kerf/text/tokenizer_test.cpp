// Behaviour of whole tokenizers that is not a matter of matching other programs.
#include "kerf/text/tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "kerf/base/rng.h"
#include "kerf/text/unicode.h"

namespace kerf {
namespace {

std::shared_ptr<const Tokenizer> golden(const char* name) {
  auto tokenizer =
      tokenizer_from_hugging_face(std::filesystem::path(KERF_SOURCE_DIR) / "tests/golden/text" / name);
  EXPECT_TRUE(tokenizer) << tokenizer.error().message();
  return *tokenizer;
}

std::string random_bytes(Rng& rng, std::size_t n) {
  std::string bytes;
  for (std::size_t i = 0; i < n; ++i) {
    // Half ASCII, so that broken characters stand between whole ones.
    const auto byte = rng.below(256);
    bytes.push_back(static_cast<char>(rng.below(2) == 0 ? byte & 0x7F : byte));
  }
  return bytes;
}

TEST(Tokenizer, ByteLevelRoundTripsAnyBytes) {
  const auto tokenizer = golden("llama3_like.json");
  Rng rng(3);
  for (int round = 0; round < 300; ++round) {
    const std::string text = random_bytes(rng, rng.below(200));
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, {})), text);
  }
  const std::string private_use = "\xFF\U0010FF41\xFE\U0010FE00 x";
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(private_use, {})), private_use);
}

TEST(Tokenizer, ByteFallbackRoundTripsAnyBytes) {
  const auto tokenizer = golden("llama2_like.json");
  Rng rng(4);
  for (int round = 0; round < 300; ++round) {
    const std::string text = random_bytes(rng, rng.below(200));
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, {})), text);
  }
}

TEST(Tokenizer, SpecialTokensAreTextUnlessAskedFor) {
  const auto tokenizer = golden("llama3_like.json");
  const std::string text = "a<|end|>b";
  const auto plain = tokenizer->encode(text, {});
  const auto special = tokenizer->encode(text, {true, false});
  EXPECT_GT(plain.size(), 3U);
  ASSERT_EQ(special.size(), 3U);
  EXPECT_TRUE(tokenizer->is_special(special[1]));
  EXPECT_EQ(tokenizer->piece(special[1]), "<|end|>");
  EXPECT_EQ(tokenizer->decode(plain), text);
  EXPECT_EQ(tokenizer->decode(special), "ab");
  EXPECT_EQ(tokenizer->decode(special, true), text);
}

TEST(Tokenizer, AddsWhatThePostProcessorAdds) {
  const auto tokenizer = golden("llama2_like.json");
  const auto ids = tokenizer->encode("x", {false, true});
  EXPECT_EQ(ids.front(), tokenizer->bos());
  EXPECT_EQ(ids.back(), tokenizer->eos());
  EXPECT_TRUE(tokenizer->adds_bos());
  EXPECT_TRUE(tokenizer->ends_text(tokenizer->eos()));
  EXPECT_FALSE(tokenizer->ends_text(tokenizer->bos()));
}

TEST(Tokenizer, SentencePieceBpeBeginsWithBosAndTrimsNothing) {
  const auto tokenizer = golden("sp_bpe.model");
  EXPECT_EQ(tokenizer->piece(tokenizer->bos()), "<s>");
  EXPECT_EQ(tokenizer->encode("x", {false, true}).front(), tokenizer->bos());
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("\n  x \n", {})), "\n  x \n");
}

TEST(Tokenizer, IdsThatDoNotExistAreHarmless) {
  const auto tokenizer = golden("gpt2_like.json");
  for (const TokenId id : {-1, -1000, 1 << 30, static_cast<TokenId>(tokenizer->vocabulary_size())}) {
    EXPECT_EQ(tokenizer->token_bytes(id, true), "");
    EXPECT_EQ(tokenizer->piece(id), "");
    EXPECT_FALSE(tokenizer->is_special(id));
    EXPECT_FALSE(tokenizer->ends_text(id));
  }
}

TEST(StreamingDecoder, GivesTheWholeTextInWholeCharacters) {
  for (const char* name : {"llama3_like.json", "llama2_like.json"}) {
    const auto tokenizer = golden(name);
    const std::string text = "née 日本語 👨‍👩‍👧 مرحبا \U0010FFFF.";
    StreamingDecoder decoder(*tokenizer);
    std::string streamed;
    for (const TokenId id : tokenizer->encode(text, {})) {
      const std::string part = decoder.push(id);
      EXPECT_EQ(text::valid_prefix(part), part.size()) << "half a character";
      streamed += part;
    }
    EXPECT_EQ(streamed + decoder.finish(), text) << name;
  }
}

TEST(StreamingDecoder, BrokenCharactersBecomeReplacements) {
  const auto tokenizer = golden("llama3_like.json");
  const auto stream = [&](std::string_view bytes) {
    StreamingDecoder decoder(*tokenizer);
    std::string text;
    for (const TokenId id : tokenizer->encode(bytes, {})) text += decoder.push(id);
    return text + decoder.finish();
  };
  EXPECT_EQ(stream("a\xFF"
                   "b"),
            "a\uFFFDb");
  EXPECT_EQ(stream("a\xE6\x97"), "a\uFFFD") << "cut off: one error";
  EXPECT_EQ(stream("\xE6\x97x"), "\uFFFDx") << "cut short by the next character";
  EXPECT_EQ(stream("\xC0\x80"), "\uFFFD\uFFFD") << "overlong";
  EXPECT_EQ(stream("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD") << "surrogate";
}

}  // namespace
}  // namespace kerf
