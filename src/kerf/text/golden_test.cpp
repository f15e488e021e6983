// Ids against those of other programs: small tokenizers in full, real ones by hash (tools/golden_text.py).
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kerf/base/file.h"
#include "kerf/base/json.h"
#include "kerf/text/tokenizer.h"

namespace kerf {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

const fs::path kGolden = fs::path(KERF_SOURCE_DIR) / "tests/golden/text";

Json read_golden(const char* name) {
  const auto text = read_file(kGolden / name);
  EXPECT_TRUE(text) << name;
  return *parse_json(*text, name);
}

std::shared_ptr<const Tokenizer> load(const fs::path& path) {
  auto tokenizer = tokenizer_from_hugging_face(path);
  EXPECT_TRUE(tokenizer) << tokenizer.error().message();
  return tokenizer ? *tokenizer : nullptr;
}

/// The same by way of the keys of a GGUF file, with seven more rows than tokens.
std::shared_ptr<const Tokenizer> load_through_metadata(const fs::path& path, bool described = true) {
  const auto direct = load(path);
  if (direct == nullptr) return nullptr;
  Metadata metadata("golden.gguf");
  const auto written = vocabulary_to_metadata(path, direct->vocabulary_size() + 7, metadata);
  EXPECT_TRUE(written) << written.error().message();
  if (!described) metadata.erase("kerf.tokenizer.json");
  auto tokenizer = tokenizer_from_metadata(metadata);
  EXPECT_TRUE(tokenizer) << tokenizer.error().message();
  return tokenizer ? *tokenizer : nullptr;
}

void expect_answers(const Tokenizer& tokenizer, const Json& answers) {
  const auto texts = read_golden("texts.json").get<std::vector<std::string>>();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (const bool special : {false, true}) {
      const char* kind = special ? "special" : "plain";
      if (!answers.contains(kind) || answers[kind][i].is_null()) continue;
      EXPECT_EQ(tokenizer.encode(texts[i], {special, special}), answers[kind][i].get<std::vector<TokenId>>())
          << kind << " text " << i << ": «" << texts[i] << "»";
    }
  }
}

class GoldenTokenizer : public testing::TestWithParam<const char*> {
 protected:
  fs::path path() const {
    const std::string name = GetParam();
    return kGolden / (name + (name.starts_with("sp_") ? ".model" : ".json"));
  }
  Json answers() const { return read_golden("answers.json").at(GetParam()); }
};

TEST_P(GoldenTokenizer, EncodesAsTheLibraryThatMadeIt) {
  const auto tokenizer = load(path());
  ASSERT_NE(tokenizer, nullptr);
  expect_answers(*tokenizer, answers());
}

TEST_P(GoldenTokenizer, SurvivesTheWayThroughGgufKeys) {
  const auto tokenizer = load_through_metadata(path());
  ASSERT_NE(tokenizer, nullptr);
  expect_answers(*tokenizer, answers());
}

TEST_P(GoldenTokenizer, DecodesAsTheLibraryThatMadeIt) {
  const auto tokenizer = load(path());
  ASSERT_NE(tokenizer, nullptr);
  const Json expected = answers();
  if (!expected.contains("decoded")) GTEST_SKIP() << "SentencePiece's decoder also undoes normalization";
  for (std::size_t i = 0; i < expected["plain"].size(); ++i) {
    if (expected["plain"][i].is_null()) continue;
    EXPECT_EQ(tokenizer->decode(expected["plain"][i].get<std::vector<TokenId>>()),
              expected["decoded"][i].get<std::string>())
        << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Small, GoldenTokenizer,
                         testing::Values("gpt2_like", "llama3_like", "gpt4o_like", "falcon_like",
                                         "llama2_like", "unigram", "sp_bpe", "sp_unigram"),
                         [](const auto& parameter) { return std::string(parameter.param); });

/// What llama.cpp's keys alone say must be enough where the pre-tokenizer has a name or pieces have scores.
class WithoutDescription : public testing::TestWithParam<const char*> {};

TEST_P(WithoutDescription, EncodesTheSame) {
  const std::string name = GetParam();
  const auto tokenizer =
      load_through_metadata(kGolden / (name + (name.starts_with("sp_") ? ".model" : ".json")), false);
  ASSERT_NE(tokenizer, nullptr);
  Json answers = read_golden("answers.json").at(name);
  expect_answers(*tokenizer, answers);
}

INSTANTIATE_TEST_SUITE_P(Small, WithoutDescription, testing::Values("llama3_like", "gpt4o_like", "sp_bpe"),
                         [](const auto& parameter) { return std::string(parameter.param); });

std::string fnv1a(const std::vector<TokenId>& ids) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const TokenId id : ids)
    for (int shift = 0; shift < 32; shift += 8)
      hash = (hash ^ (static_cast<std::uint32_t>(id) >> shift & 0xFF)) * 0x100000001B3ULL;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

/// Unpacks <name>/tokenizer.json.gz into a folder of its own, with the configuration beside it.
class RealTokenizer : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* tokenizers = std::getenv("KERF_TOKENIZERS");
    if (tokenizers == nullptr || !fs::exists(fs::path(tokenizers) / GetParam()))
      GTEST_SKIP() << "set KERF_TOKENIZERS to a folder with " << GetParam() << "/tokenizer.json.gz";
    folder_ = fs::path(testing::TempDir()) / (std::string("kerf_") + GetParam());
    fs::create_directories(folder_);
    const fs::path source = fs::path(tokenizers) / GetParam();
    const std::string unpack = "gzip -dc '" + (source / "tokenizer.json.gz").string() + "' > '" +
                               (folder_ / "tokenizer.json").string() + "'";
    ASSERT_EQ(std::system(unpack.c_str()), 0);
    fs::copy_file(source / "tokenizer_config.json", folder_ / "tokenizer_config.json",
                  fs::copy_options::skip_existing);
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  void expect_hashes(const Tokenizer& tokenizer) const {
    const Json expected = read_golden("real.json").at(GetParam());
    const auto texts = read_golden("texts.json").get<std::vector<std::string>>();
    for (std::size_t i = 0; i < texts.size(); ++i)
      EXPECT_EQ(fnv1a(tokenizer.encode(texts[i], {true, true})), expected["nasty"][i].get<std::string>())
          << "text " << i << ": «" << texts[i] << "»";
    const char* data = std::getenv("KERF_DATA");
    if (data == nullptr) GTEST_SKIP() << "set KERF_DATA to the folder with the long texts";
    for (const auto& [name, answer] : expected["files"].items()) {
      const auto text = read_file(fs::path(data) / name);
      if (!text) continue;
      const auto ids = tokenizer.encode(*text, {true, false});
      EXPECT_EQ(ids.size(), answer["count"].get<std::size_t>()) << name;
      EXPECT_EQ(fnv1a(ids), answer["fnv1a"].get<std::string>()) << name;
    }
  }

  fs::path folder_;
};

TEST_P(RealTokenizer, EncodesLongTextsAsTokenizersDoes) {
  const auto tokenizer = load(folder_);
  ASSERT_NE(tokenizer, nullptr);
  expect_hashes(*tokenizer);
}

TEST_P(RealTokenizer, SurvivesTheWayThroughGgufKeys) {
  const auto tokenizer = load_through_metadata(folder_);
  ASSERT_NE(tokenizer, nullptr);
  expect_hashes(*tokenizer);
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, RealTokenizer, testing::Values("gpt2", "llama2", "llama3_1", "qwen3"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace kerf
