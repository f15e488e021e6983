// Turned models compute what the originals do, with other numbers.
#include "kerf/methods/rotated_source.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kerf/model/golden.h"
#include "kerf/model/model.h"

namespace kerf {
namespace {

std::vector<float> logits_of(const std::shared_ptr<const ModelSource>& source, const char* name) {
  ThreadPool pool(2);
  const auto model = Model::load(source, pool);
  EXPECT_TRUE(model) << model.error().message();
  const auto tokens = golden::tokens(name);
  const auto cache = (*model)->make_cache(tokens.size());
  std::vector<float> logits(tokens.size() * (*model)->config().n_vocabulary);
  EXPECT_TRUE((*model)->forward(tokens, *cache, tokens.size(), logits.data()));
  return logits;
}

class Rotated : public testing::TestWithParam<const char*> {};

TEST_P(Rotated, ComputesWhatTheOriginalDoes) {
  const auto original = ModelSource::open(golden::folder(GetParam()));
  ASSERT_TRUE(original);
  const auto turned = rotated(*original, 5);
  ASSERT_TRUE(turned) << turned.error().message();
  const std::vector<float> expected = logits_of(*original, GetParam());
  const std::vector<float> got = logits_of(*turned, GetParam());
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    worst = std::max(worst, std::fabs(double{got[i]} - expected[i]));
    largest = std::max(largest, std::fabs(double{expected[i]}));
  }
  EXPECT_LT(worst, 2e-5 * largest);
  // Parts of a tensor are parts of the same numbers, and these are not the original's.
  for (const char* name : {"blk.1.ffn_down.weight", "blk.0.attn_output.weight", "token_embd.weight"}) {
    const SourceTensor& tensor = *(*turned)->find(name);
    std::vector<float> whole(tensor.n_elements()), before(tensor.n_elements()), row(tensor.row_length());
    ASSERT_TRUE((*turned)->read_rows(tensor, 0, tensor.n_rows(), whole.data()));
    ASSERT_TRUE((*original)->read_rows(*(*original)->find(name), 0, tensor.n_rows(), before.data()));
    (*turned)->release(tensor);
    ASSERT_TRUE((*turned)->read_rows(tensor, 3, 1, row.data()));
    EXPECT_TRUE(std::equal(row.begin(), row.end(), whole.begin() + 3 * row.size())) << name;
    EXPECT_NE(whole, before) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Rotated,
                         testing::Values("llama", "llama3", "mistral", "qwen2", "qwen3", "phi3"));

TEST(RotatedSource, RefusesWhatDoesNotCommuteWithRotations) {
  for (const char* name : {"gpt2", "gemma3"}) {
    const auto turned = rotated(*ModelSource::open(golden::folder(name)), 0);
    ASSERT_FALSE(turned);
    EXPECT_EQ(turned.error().kind, ErrorKind::unsupported);
    EXPECT_NE(turned.error().message().find(name), std::string::npos) << turned.error().message();
  }
}

}  // namespace
}  // namespace kerf
