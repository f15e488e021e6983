// Importance matrices: both forms of file come back as they were written, broken ones are refused.
#include "kerf/calib/importance.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "kerf/base/file.h"

namespace kerf {
namespace {

namespace fs = std::filesystem;

fs::path scratch(const std::string& name) {
  const fs::path folder = fs::path(testing::TempDir()) / "kerf_importance_test";
  fs::create_directories(folder);
  return folder / name;
}

ImportanceMatrix example() {
  ImportanceMatrix matrix;
  matrix.weights["blk.0.attn_q.weight"] = {4, {0.5F, 0.25F, 8.0F, 0.0F}, {1024}};
  matrix.weights["blk.0.ffn_down.weight"] = {2, {1.0F, 2.0F}, {1024}};
  matrix.datasets = {"text.txt"};
  matrix.n_chunks = 2;
  matrix.chunk_size = 512;
  return matrix;
}

void expect_equal(const ImportanceMatrix& got, const ImportanceMatrix& wanted) {
  ASSERT_EQ(got.weights.size(), wanted.weights.size());
  for (const auto& [weight, entry] : wanted.weights) {
    ASSERT_NE(got.find(weight), nullptr) << weight;
    EXPECT_EQ(got.find(weight)->n_columns, entry.n_columns);
    EXPECT_EQ(got.find(weight)->mean_square, entry.mean_square);
    EXPECT_EQ(got.find(weight)->n_tokens, entry.n_tokens);
  }
  EXPECT_EQ(got.datasets, wanted.datasets);
  EXPECT_EQ(got.n_chunks, wanted.n_chunks);
}

TEST(Importance, BothFormsComeBack) {
  for (const char* name : {"matrix.gguf", "matrix.dat"}) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(write_importance(example(), scratch(name)));
    const auto back = read_importance(scratch(name));
    ASSERT_TRUE(back) << back.error().message();
    expect_equal(*back, example());
  }
}

TEST(Importance, AnExpertThatSawNothingIsToldApart) {
  ImportanceMatrix matrix;
  matrix.weights["blk.0.ffn_down_exps.weight"] = {2, {1.0F, 2.0F, 0.0F, 0.0F}, {7, 0}};
  ASSERT_TRUE(write_importance(matrix, scratch("experts.gguf")));
  const auto back = read_importance(scratch("experts.gguf"));
  ASSERT_TRUE(back) << back.error().message();
  const Importance* entry = back->find("blk.0.ffn_down_exps.weight");
  EXPECT_EQ(entry->n_matrices(), 2U);
  EXPECT_EQ(entry->of_matrix(0).size(), 2U);
  EXPECT_TRUE(entry->of_matrix(1).empty());
}

TEST(Importance, BrokenValuesAreRefusedByName) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -1.0F, std::numeric_limits<float>::infinity()})
    for (const char* name : {"bad.gguf", "bad.dat"}) {
      ImportanceMatrix matrix = example();
      matrix.weights["blk.0.attn_q.weight"].mean_square[2] = bad;
      ASSERT_TRUE(write_importance(matrix, scratch(name)));
      const auto back = read_importance(scratch(name));
      ASSERT_FALSE(back) << bad;
      EXPECT_NE(back.error().message().find("blk.0.attn_q.weight"), std::string::npos)
          << back.error().message();
    }
}

// Every cut of a legacy file either ends where older files ended or is refused; none is read past its end.
TEST(Importance, LegacyFilesCutShort) {
  ASSERT_TRUE(write_importance(example(), scratch("whole.dat")));
  const auto whole = read_file(scratch("whole.dat"));
  ASSERT_TRUE(whole);
  std::size_t n_read = 0;
  for (std::size_t n = 1; n < whole->size(); ++n) {
    ASSERT_TRUE(write_file(scratch("cut.dat"), whole->substr(0, n)));
    n_read += read_importance(scratch("cut.dat")).has_value();
  }
  EXPECT_LE(n_read, 8U) << "only without the tail";
  for (std::size_t at = 0; at < whole->size(); ++at) {
    std::string changed = *whole;
    changed[at] = static_cast<char>(0xFF);
    ASSERT_TRUE(write_file(scratch("changed.dat"), changed));
    (void)read_importance(scratch("changed.dat"));
  }
}

TEST(Importance, OtherFilesAreRefused) {
  EXPECT_FALSE(read_importance(fs::path(KERF_SOURCE_DIR) / "README.md"));
  const auto model = read_importance(fs::path(KERF_SOURCE_DIR) / "tests/golden/io_v3.gguf");
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message().find("not an importance matrix"), std::string::npos);
}

}  // namespace
}  // namespace kerf
