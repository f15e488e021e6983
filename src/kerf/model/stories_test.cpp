// A trained model from conversion to text: llama2.c's stories260K, whose greedy continuation of nothing is
// known. Needs the folder in the environment variable KERF_MODELS and python3.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "kerf/base/threads.h"
#include "kerf/model/model.h"
#include "kerf/model/source.h"

namespace kerf {
namespace {

namespace fs = std::filesystem;

/// stories260K as a Hugging Face folder; empty if the original is not there.
fs::path convert_stories() {
  const char* models = std::getenv("KERF_MODELS");
  if (models == nullptr) return {};
  const fs::path original = fs::path(models) / "stories260K";
  const fs::path target = fs::path(testing::TempDir()) / "kerf_stories_test";
  const std::string command = "python3 '" + (fs::path(KERF_SOURCE_DIR) / "tools/llama2c_to_hf.py").string() +
                              "' '" + (original / "stories260K.bin").string() + "' '" +
                              (original / "tok512.model").string() + "' '" + target.string() + "'";
  return std::system(command.c_str()) == 0 ? target : fs::path();
}

TEST(Stories, TheGreedyContinuationIsTheKnownOne) {
  const fs::path folder = convert_stories();
  if (folder.empty()) GTEST_SKIP() << "set KERF_MODELS to the folder that holds stories260K";
  const auto source = ModelSource::open(folder);
  ASSERT_TRUE(source) << source.error().message();
  const auto tokenizer = (*source)->require_tokenizer();
  ASSERT_TRUE(tokenizer) << tokenizer.error().message();

  ThreadPool pool(2);
  const auto model = Model::load(*source, pool);
  ASSERT_TRUE(model) << model.error().message();
  const auto cache = (*model)->make_cache(64);
  std::vector<TokenId> ids{(*tokenizer)->bos()};
  std::vector<float> logits((*model)->config().n_vocabulary);
  while (ids.size() < 60) {
    ASSERT_TRUE((*model)->forward({&ids.back(), 1}, *cache, 1, logits.data()));
    ids.push_back(static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
  }
  const std::string text = (*tokenizer)->decode(ids);
  EXPECT_TRUE(
      text.starts_with("Once upon a time, there was a little girl named Lily. She loved to play outside "
                       "in the park. One day, she saw a big, red ball."))
      << text;
}

}  // namespace
}  // namespace kerf
