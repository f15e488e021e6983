// Malformed vocabularies: each is refused with one sentence, or read and harmless.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>

#include "kerf/base/file.h"
#include "kerf/base/rng.h"
#include "kerf/text/vocabulary_file.h"

namespace kerf {
namespace {

Result<std::shared_ptr<const Tokenizer>> from_json(const std::string& text) {
  KERF_TRY(const text::VocabularyFile file, text::read_tokenizer_json(text, "hostile.json"));
  KERF_TRY(text::Pipeline pipeline, text::make_pipeline(file));
  text::apply_folder_settings({}, pipeline);
  return text::make_tokenizer(std::move(pipeline));
}

std::string with_model(const std::string& model, const std::string& rest = "") {
  return "{" + rest + (rest.empty() ? "" : ",") + "\"model\":" + model + "}";
}

struct Case {
  const char* name;
  std::string json;
  ErrorKind kind;
  const char* says;  // part of the message
};

// Names the case where GoogleTest would print its bytes.
void PrintTo(const Case& refused, std::ostream* out) {
  *out << refused.name;
}

std::string deep(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

const std::string kSmall = R"({"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]})";

const Case kRefused[] = {
    {"Empty", "", ErrorKind::input, "object"},
    {"NoModel", "{}", ErrorKind::input, "no «model»"},
    {"NoVocabulary", with_model(R"({"type":"BPE","merges":[]})"), ErrorKind::input, "no vocabulary"},
    {"CutOff", with_model(R"({"vocab":{"a":0,"b)"), ErrorKind::input, "byte"},
    {"MergeOfMissingToken", with_model(R"({"vocab":{"a":0,"b":1},"merges":["a b"]})"), ErrorKind::input,
     "lacks"},
    {"MergeOfThreeTokens", with_model(R"({"vocab":{"a":0},"merges":["a a a"]})"), ErrorKind::input,
     "not two tokens"},
    {"MergeOfNumbers", with_model(R"({"vocab":{"a":0},"merges":[[1,2]]})"), ErrorKind::input, "a string"},
    {"NegativeId", with_model(R"({"vocab":{"a":-1},"merges":[]})"), ErrorKind::input, "has the id -1"},
    {"HugeId", with_model(R"({"vocab":{"a":999999999999},"merges":[]})"), ErrorKind::input, "has the id"},
    {"AbsurdGap", with_model(R"({"vocab":{"a":0,"b":9999999},"merges":[]})"), ErrorKind::input, "ids up to"},
    {"SameId", with_model(R"({"vocab":{"a":0,"b":0},"merges":[]})"), ErrorKind::input, "the same id"},
    {"IdIsText", with_model(R"({"vocab":{"a":"0"},"merges":[]})"), ErrorKind::input, "an integer"},
    {"DeepJson", with_model(kSmall, "\"padding\":" + deep(100)), ErrorKind::input, "deep"},
    {"DeepVocabulary", with_model("{\"vocab\":" + deep(1000) + "}"), ErrorKind::input, "deep"},
    {"BrokenRegex",
     with_model(kSmall, R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated"})"),
     ErrorKind::input, "malformed"},
    {"NestedClass",
     with_model(kSmall, R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"[a-z&&[^b]]"}})"),
     ErrorKind::unsupported, "inside another"},
    {"UnknownStep", with_model(kSmall, R"("normalizer":{"type":"Magic"})"), ErrorKind::unsupported, "Magic"},
    {"UnknownBehavior",
     with_model(kSmall, R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"a"},"behavior":"Sideways"})"),
     ErrorKind::unsupported, "Sideways"},
    {"WrongType", with_model(kSmall, R"("normalizer":{"type":7})"), ErrorKind::input, "not a string"},
    {"AddedWithoutId", with_model(kSmall, R"("added_tokens":[{"content":"x"}])"), ErrorKind::input, "no id"},
    {"AddedBeyond", with_model(kSmall, R"("added_tokens":[{"content":"x","id":2000000000}])"),
     ErrorKind::input, "has the id"},
    {"TemplateBeyond",
     with_model(kSmall,
                R"("post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}],)"
                R"("special_tokens":{"x":{"ids":[77]}}})"),
     ErrorKind::input, "not in the vocabulary"},
    {"UnknownTokenMissing", with_model(R"({"unk_token":"?","vocab":{"a":0},"merges":[]})"), ErrorKind::input,
     "lacks"},
    {"WordPiece", with_model(R"({"type":"WordPiece","vocab":{"a":0}})"), ErrorKind::unsupported, "WordPiece"},
    {"Suffix", with_model(R"({"end_of_word_suffix":"</w>","vocab":{"a":0},"merges":[]})"),
     ErrorKind::unsupported, "</w>"},
    {"InvalidUtf8", with_model("{\"vocab\":{\"\xFF\":0}}"), ErrorKind::input, "UTF-8"},
    {"LoneSurrogate", with_model(R"({"vocab":{"\ud800":0}})"), ErrorKind::input, "surrogate"},
    {"BrokenCharsmap",
     with_model(kSmall, R"("normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA"})"),
     ErrorKind::input, "rules"},
};

class RefusedJson : public testing::TestWithParam<Case> {};

TEST_P(RefusedJson, WithOneSentence) {
  const auto result = from_json(GetParam().json);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, GetParam().kind) << result.error().message();
  EXPECT_NE(result.error().message().find(GetParam().says), std::string::npos) << result.error().message();
  EXPECT_EQ(result.error().where.find("hostile.json"), 0U);
}

INSTANTIATE_TEST_SUITE_P(Hostile, RefusedJson, testing::ValuesIn(kRefused),
                         [](const auto& parameter) { return parameter.param.name; });

TEST(HostileJson, CutOffAnywhereOrWithAnyByteChangedNeverCrashes) {
  const auto path = std::filesystem::path(KERF_SOURCE_DIR) / "tests/golden/text/llama2_like.json";
  const std::string text = *read_file(path);
  Rng rng(11);
  for (int round = 0; round < 150; ++round) {
    std::string changed = text.substr(0, round % 2 == 0 ? text.size() : rng.below(text.size()));
    for (int i = 0; i < 3 && !changed.empty(); ++i)
      changed[rng.below(changed.size())] = static_cast<char>(' ' + rng.below(95));
    if (const auto tokenizer = from_json(changed)) (void)(*tokenizer)->encode("a <s> b\xFF é", {true, true});
  }
}

TEST(HostileModel, CutOffAnywhereOrWithAnyByteChangedNeverCrashes) {
  for (const char* name : {"sp_bpe.model", "sp_unigram.model"}) {
    const std::string bytes = *read_file(std::filesystem::path(KERF_SOURCE_DIR) / "tests/golden/text" / name);
    Rng rng(12);
    for (int round = 0; round < 150; ++round) {
      std::string changed = bytes.substr(0, round % 2 == 0 ? bytes.size() : rng.below(bytes.size()));
      for (int i = 0; i < 3 && !changed.empty(); ++i)
        changed[rng.below(changed.size())] = static_cast<char>(rng.below(256));
      const auto file = text::read_sentencepiece_model(changed, "hostile.model");
      if (!file) continue;
      auto pipeline = text::make_pipeline(*file);
      if (pipeline) (void)text::make_tokenizer(*std::move(pipeline))->encode("a <s> b\xFF é", {true, true});
    }
  }
}

/// The keys of a tiny GGUF vocabulary, to be spoiled.
Metadata small_metadata(const char* model) {
  Metadata metadata("hostile.gguf");
  metadata.set("tokenizer.ggml.model", MetaValue::of_string(model));
  metadata.set("tokenizer.ggml.tokens",
               MetaValue::of_strings({"<unk>", "<s>", "</s>", "a", "b", "ab", "<0x0A>"}));
  metadata.set("tokenizer.ggml.merges", MetaValue::of_strings({"a b"}));
  metadata.set("tokenizer.ggml.scores", MetaValue::of_f32s({0, 0, 0, -1, -2, -3, 0}));
  metadata.set("tokenizer.ggml.token_type", MetaValue::of_i32s({2, 3, 3, 1, 1, 1, 6}));
  return metadata;
}

void expect_refused(const Metadata& metadata, ErrorKind kind, const char* says) {
  const auto result = tokenizer_from_metadata(metadata);
  ASSERT_FALSE(result) << says;
  EXPECT_EQ(result.error().kind, kind);
  EXPECT_NE(result.error().message().find(says), std::string::npos) << result.error().message();
}

TEST(HostileGguf, WrongKeysAreNamed) {
  expect_refused(Metadata("x.gguf"), ErrorKind::not_found, "tokenizer.ggml.model");
  auto metadata = small_metadata("mamba");
  expect_refused(metadata, ErrorKind::unsupported, "«mamba»");
  metadata = small_metadata("gpt2");
  metadata.set("tokenizer.ggml.pre", MetaValue::of_string("martian"));
  expect_refused(metadata, ErrorKind::unsupported, "«martian»");
  metadata = small_metadata("gpt2");
  metadata.set("tokenizer.ggml.tokens", MetaValue::of_i32s({1, 2}));
  expect_refused(metadata, ErrorKind::input, "tokenizer.ggml.tokens");
  metadata = small_metadata("gpt2");
  metadata.set("tokenizer.ggml.merges", MetaValue::of_u32(3));
  expect_refused(metadata, ErrorKind::input, "tokenizer.ggml.merges");
  metadata = small_metadata("llama");
  metadata.set("tokenizer.ggml.scores", MetaValue::of_f32s({1}));
  expect_refused(metadata, ErrorKind::input, "1 entries for 7 tokens");
  metadata = small_metadata("llama");
  metadata.set("tokenizer.ggml.bos_token_id", MetaValue::of_u32(7));
  expect_refused(metadata, ErrorKind::input, "beyond the vocabulary");
  metadata = small_metadata("gpt2");
  metadata.set("tokenizer.ggml.tokens", MetaValue::of_strings({}));
  expect_refused(metadata, ErrorKind::input, "makes no sense");
  metadata = small_metadata("gpt2");
  metadata.set("kerf.tokenizer.json", MetaValue::of_string(R"({"added_tokens":[{"id":7}]})"));
  expect_refused(metadata, ErrorKind::input, "beyond the vocabulary");
}

TEST(HostileGguf, OddTokensAreHarmless) {
  auto metadata = small_metadata("llama");
  metadata.erase("tokenizer.ggml.merges");
  metadata.set("tokenizer.ggml.tokens",
               MetaValue::of_strings({"<unk>", "", "a", "a", "<0x-1>", "<0xZZ>", std::string(100000, 'a')}));
  metadata.set("tokenizer.ggml.scores", MetaValue::of_f32s({0, 0, std::nan(""), HUGE_VAL, -HUGE_VAL, 1, 5}));
  metadata.set("tokenizer.ggml.token_type", MetaValue::of_i32s({99, -5, 3, 1, 6, 6, 1}));
  const auto tokenizer = tokenizer_from_metadata(metadata);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  const auto ids = (*tokenizer)->encode(std::string(1000, 'a') + "<0x-1>\n\xFF", {true, true});
  EXPECT_FALSE(ids.empty());
  for (TokenId id = 0; id < 7; ++id) (void)(*tokenizer)->token_bytes(id, true);
  EXPECT_EQ((*tokenizer)->token_bytes(4, true), "<0x-1>") << "not a byte";
}

TEST(HostileGguf, MergesOfMissingTokensNeverApply) {
  auto metadata = small_metadata("gpt2");
  metadata.set("tokenizer.ggml.merges", MetaValue::of_strings({"", " ", "a", "x y", "a b", "b a", "a  b"}));
  const auto tokenizer = tokenizer_from_metadata(metadata);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  EXPECT_EQ((*tokenizer)->encode("abba", {}), (std::vector<TokenId>{5, 4, 3}));
}

TEST(HostileRegex, ExplosivePatternsEndInBoundedTime) {
  const auto tokenizer = from_json(with_model(
      kSmall, R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a|aa)+$"},"behavior":"Isolated"})"));
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();
  EXPECT_EQ((*tokenizer)->encode(std::string(5000, 'a') + "b", {}).size(), 5000U);
}

}  // namespace
}  // namespace kerf
