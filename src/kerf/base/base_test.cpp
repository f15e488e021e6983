#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kerf/base/bits.h"
#include "kerf/base/file.h"
#include "kerf/base/json.h"
#include "kerf/base/metadata.h"
#include "kerf/base/rng.h"
#include "kerf/base/threads.h"

namespace kerf {
namespace {

std::filesystem::path scratch(const char* name) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "kerf_base_test";
  std::filesystem::create_directories(folder);
  return folder / name;
}

TEST(Bits, SizesFromFilesDoNotWrap) {
  EXPECT_EQ(checked_mul(1ULL << 33, 1ULL << 31), std::nullopt);
  EXPECT_EQ(checked_mul(6, 7), 42U);
  EXPECT_EQ(checked_add(~0ULL, 1), std::nullopt);
  EXPECT_EQ(round_up(33, 32), 64U);
}

TEST(ThreadPool, EveryPieceOnceForAnyNumberOfThreads) {
  for (const unsigned n_threads : {1U, 2U, 5U}) {
    ThreadPool pool(n_threads);
    for (int round = 0; round < 200; ++round) {
      std::vector<std::atomic<int>> hits(97);
      pool.parallel_for(hits.size(), 7, [&](std::size_t begin, std::size_t end, unsigned worker) {
        EXPECT_LT(worker, pool.size());
        for (std::size_t i = begin; i < end; ++i) ++hits[i];
      });
      for (const auto& hit : hits) ASSERT_EQ(hit, 1);
    }
  }
}

TEST(AtomicFile, AppearsOnlyWithCommit) {
  const auto path = scratch("atomic.bin");
  std::filesystem::remove(path);
  {
    auto file = AtomicFile::create(path, 1000);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write("half"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(std::filesystem::is_empty(path.parent_path())) << "a temporary file is left";
  auto file = AtomicFile::create(path, 1000);
  ASSERT_TRUE(file && file->write("whole") && file->pad_to(8) && file->commit());
  EXPECT_EQ(std::filesystem::file_size(path), 8U);
  std::filesystem::remove(path);
}

TEST(AtomicFile, ReadOnlyTargetIsOneError) {
  const auto file = AtomicFile::create("/proc/nowhere/file");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::io);
  EXPECT_NE(file.error().message().find("/proc/nowhere/file"), std::string::npos);
}

TEST(MappedFile, SaysWhatIsWrong) {
  EXPECT_EQ(MappedFile::open(scratch("missing")).error().kind, ErrorKind::not_found);
  EXPECT_EQ(MappedFile::open(testing::TempDir()).error().kind, ErrorKind::io);
  ASSERT_TRUE(write_file(scratch("empty"), ""));
  EXPECT_EQ(MappedFile::open(scratch("empty")).error().kind, ErrorKind::input);
  std::filesystem::remove(scratch("empty"));
}

TEST(Json, RefusesWhatCouldHurt) {
  EXPECT_TRUE(parse_json(R"({"a":[1,2,{"b":null}]})", "f"));
  EXPECT_FALSE(parse_json(R"({"a":1,"a":2})", "f")) << "duplicate key";
  EXPECT_FALSE(parse_json(std::string(100000, '['), "f")) << "nesting";
  EXPECT_FALSE(parse_json("{} x", "f")) << "trailing characters";
  EXPECT_FALSE(parse_json("\"\xff\"", "f")) << "invalid UTF-8";
  EXPECT_FALSE(parse_json("[1e999]", "f")) << "number out of range";
  EXPECT_EQ(parse_json("{", "name.json").error().where, "name.json");
}

TEST(Metadata, TypesAreChecked) {
  Metadata metadata("model.gguf");
  metadata.set("n", MetaValue::of_u32(7));
  metadata.set("negative", MetaValue::of_i32(-7));
  metadata.set("name", MetaValue::of_string("x"));
  EXPECT_EQ(*metadata.u64("n"), 7U);
  EXPECT_EQ(*metadata.f64("n"), 7.0);
  EXPECT_EQ(metadata.u64("negative").error().kind, ErrorKind::input);
  EXPECT_EQ(metadata.u64("name").error().kind, ErrorKind::input);
  EXPECT_EQ(metadata.u64("absent").error().kind, ErrorKind::not_found);
  EXPECT_EQ(*metadata.u64_or("absent", 3), 3U);
  EXPECT_FALSE(metadata.u64_or("name", 3)) << "a wrong type is never taken for a missing key";
  metadata.erase("n");
  EXPECT_EQ(*metadata.string("name"), "x");
}

TEST(Rng, SameStreamEverywhere) {
  Rng rng(42);
  const std::uint64_t first = rng.next();
  EXPECT_EQ(first, Rng(42).next());
  EXPECT_NE(first, rng.next());
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < 100000; ++i) {
    const double x = rng.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / 1e5, 0, 0.02);
  EXPECT_NEAR(squares / 1e5, 1, 0.02);
}

}  // namespace
}  // namespace kerf
