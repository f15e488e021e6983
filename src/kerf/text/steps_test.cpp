// Single normalizers and pre-tokenizers against those of the `tokenizers` library (tools/golden_text.py).
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "kerf/base/file.h"
#include "kerf/base/json.h"
#include "kerf/text/description.h"

namespace kerf::text {
namespace {

using Json = nlohmann::json;

Pipeline pipeline_of(const Json& description) {
  Pipeline pipeline;
  pipeline.vocabulary = std::make_shared<Vocabulary>();
  const auto read = read_steps(description, "steps.json", pipeline);
  EXPECT_TRUE(read) << read.error().message();
  return pipeline;
}

std::vector<std::string> words_of(const PreTokenizer& pre_tokenizer, const std::string& text) {
  std::vector<std::string> words;
  pre_tokenizer.split({text, true}, [&](Word word) { words.emplace_back(word.text); });
  return words;
}

TEST(Steps, DoWhatTheLibraryDoes) {
  const auto path = std::filesystem::path(KERF_SOURCE_DIR) / "tests/golden/text/steps.json";
  const Json cases = *parse_json(*read_file(path), "steps.json");
  ASSERT_GT(cases.size(), 300U);
  for (const Json& one : cases) {
    const auto text = one["text"].get<std::string>();
    Pipeline pipeline = pipeline_of(one);
    if (one.contains("normalizer")) {
      std::string normalized = text;
      pipeline.normalizer.apply(normalized);
      EXPECT_EQ(normalized, one["out"].get<std::string>()) << one["normalizer"] << " of «" << text << "»";
    } else {
      EXPECT_EQ(words_of(pipeline.pre_tokenizer, text), one["out"].get<std::vector<std::string>>())
          << one["pre_tokenizer"] << " of «" << text << "»";
    }
  }
}

}  // namespace
}  // namespace kerf::text
