// Calibrations joined in any order, kept in files, read back from sound and from damaged ones.
#include "kerf/calib/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "kerf/base/file.h"
#include "kerf/base/rng.h"
#include "kerf/calib/data_for_tests.h"
#include "kerf/io/gguf.h"

namespace kerf {
namespace {

namespace fs = std::filesystem;

fs::path scratch(const std::string& name) {
  const fs::path folder = fs::path(testing::TempDir()) / "kerf_calib_test";
  fs::create_directories(folder);
  return folder / name;
}

std::string saved(const Calibration& calibration, const std::string& name = "a.gguf") {
  const auto result = calibration.save(scratch(name));
  EXPECT_TRUE(result) << (result ? "" : result.error().message());
  return read_file(scratch(name)).value_or("");
}

Calibration observed(const Data& data, const std::vector<std::size_t>& batches) {
  Calibration out;
  for (const char* site : {"blk.0.attn_norm", "blk.0.ffn_norm", "Größe"})
    for (const ObserverKind* kind : all_observers())
      for (const std::size_t b : batches) feed(out.at(site, *kind), data, b);
  return out;
}

TEST(Calibration, PartsJoinedInAnyOrderAreTheSameFile) {
  const Data data = random_data(9, 12, 7);
  const std::string whole = saved(observed(data, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  ASSERT_FALSE(whole.empty());
  const std::vector<std::size_t> parts[] = {{3, 1, 11}, {0}, {10, 9, 8, 7}, {2, 4, 5, 6}};
  for (const std::vector<int>& order : {std::vector<int>{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}}) {
    Calibration joined;
    for (const int part : order)
      ASSERT_TRUE(joined.merge(observed(data, parts[static_cast<std::size_t>(part)])));
    EXPECT_EQ(saved(joined), whole);
  }
  // Grouped, and by way of files.
  Calibration left = observed(data, parts[0]);
  Calibration right = observed(data, parts[2]);
  ASSERT_TRUE(left.merge(observed(data, parts[1])));
  ASSERT_TRUE(right.merge(observed(data, parts[3])));
  saved(left, "left.gguf");
  saved(right, "right.gguf");
  auto loaded = Calibration::load(scratch("right.gguf"));
  ASSERT_TRUE(loaded) << loaded.error().message();
  const auto loaded_left = Calibration::load(scratch("left.gguf"));
  ASSERT_TRUE(loaded_left && loaded->merge(*loaded_left));
  EXPECT_EQ(saved(*loaded), whole);
}

TEST(Calibration, GivesTheImportanceMatrix) {
  Calibration calibration;
  const std::vector<float> x{1, -2, 3, 0.5F};
  ASSERT_TRUE(calibration.at("blk.0.attn_q.weight", observers::second_moment).observe({x, 2, 0}));
  ASSERT_TRUE(calibration.at("blk.0.attn_q.weight", observers::min_max).observe({x, 2, 0}));
  const auto matrix = calibration.importance_matrix();
  ASSERT_TRUE(matrix);
  ASSERT_NE(matrix->find("blk.0.attn_q.weight"), nullptr);
  EXPECT_EQ(matrix->find("blk.0.attn_q.weight")->mean_square, (std::vector<float>{5, 2.125}));
  EXPECT_EQ(matrix->weights.size(), 1U);
}

TEST(Calibration, ExpertsBecomeRowsOfOneEntry) {
  Calibration calibration;
  const std::string weight = "blk.0.ffn_up_exps.weight";
  const std::vector<float> x{1, -2, 3, 0.5F};
  ASSERT_TRUE(calibration.at(expert_site(weight, 10), observers::second_moment).observe({x, 2, 0}));
  ASSERT_TRUE(
      calibration.at(expert_site(weight, 2), observers::second_moment).observe({{x.data(), 2}, 2, 0}));
  calibration.at(expert_site(weight, 11), observers::second_moment);  // never hit
  const auto matrix = calibration.importance_matrix();
  ASSERT_TRUE(matrix);
  const Importance* entry = matrix->find(weight);
  ASSERT_NE(entry, nullptr);
  ASSERT_EQ(entry->n_matrices(), 12U);
  EXPECT_EQ(entry->n_tokens[10], 2);
  EXPECT_EQ(entry->n_tokens[2], 1);
  EXPECT_EQ(entry->of_matrix(2)[1], 4);
  EXPECT_EQ(entry->of_matrix(10)[0], 5);
  EXPECT_TRUE(entry->of_matrix(11).empty());
  EXPECT_EQ(experts_never_hit(*matrix).size(), 10U);
  EXPECT_EQ(experts_never_hit(*matrix).back(), "blk.0.ffn_up_exps.weight[11]");
}

TEST(Calibration, EmptyOnesAndEmptyObserversAreKept) {
  Calibration none;
  saved(none);
  EXPECT_TRUE(Calibration::load(scratch("a.gguf"))->entries().empty());
  none.at("here", observers::histogram);
  const std::string bytes = saved(none);
  const auto again = Calibration::load(scratch("a.gguf"));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_NE(again->find("here", observers::histogram), nullptr);
  EXPECT_EQ(again->find("here", observers::min_max), nullptr);
  EXPECT_EQ(saved(*again), bytes);
}

TEST(Calibration, RefusesOtherFiles) {
  const auto missing = Calibration::load(scratch("none.gguf"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
  const auto model = Calibration::load(KERF_SOURCE_DIR "/tests/golden/io_v3.gguf");
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message().find("not a calibration"), std::string::npos) << model.error().message();
}

TEST(Calibration, RefusesLaterVersionsUnknownObserversAndStrangeTensors) {
  const auto with = [](std::uint32_t version, const std::string& observer, const std::string& tensor,
                       const char* format) {
    Metadata metadata("x");
    metadata.set("general.type", MetaValue::of_string("calibration"));
    metadata.set("kerf.calibration.version", MetaValue::of_u32(version));
    metadata.set("kerf.calibration.sites", MetaValue::of_strings({"a"}));
    metadata.set("kerf.calibration.observers", MetaValue::of_strings({observer}));
    const std::vector<std::uint8_t> zeros(16, 0);
    const Format* const type = find_format(format);
    auto writer = GgufWriter::create(scratch("x.gguf"), metadata, {{tensor, type, {2}}});
    EXPECT_TRUE(writer && writer->write(std::span(zeros).first(type->row_bytes(2))) && writer->commit());
    return Calibration::load(scratch("x.gguf"));
  };
  EXPECT_TRUE(with(1, "min-max", "0.extremes", "F64"));
  EXPECT_EQ(with(2, "min-max", "0.extremes", "F64").error().kind, ErrorKind::unsupported);
  EXPECT_EQ(with(1, "max-min", "0.extremes", "F64").error().kind, ErrorKind::unsupported);
  for (const char* name :
       {"extremes", "1.extremes", "-1.extremes", "0", ".", "0x.extremes", "99999999999999999999.x"})
    EXPECT_FALSE(with(1, "min-max", name, "F64")) << name;
  EXPECT_FALSE(with(1, "min-max", "0.extremes", "I64"));
  EXPECT_FALSE(with(1, "min-max", "0.extremes", "F32"));
}

TEST(Calibration, SurvivesDamage) {
  const Data data = random_data(2, 3, 4);
  const std::string good = saved(observed(data, {0, 1, 2}));
  Rng rng(8);
  std::size_t n_accepted = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    std::string bytes = good;
    for (std::uint64_t i = 0; i <= rng.below(3); ++i)
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.next());
    if (rng.below(5) == 0) bytes.resize(1 + rng.below(bytes.size() - 1));
    const auto container =
        parse_gguf({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "damaged");
    if (!container) continue;
    const auto loaded = Calibration::from(*container);
    if (!loaded) continue;
    ++n_accepted;  // a count or an extreme that could have been
    for (const auto& [key, observer] : loaded->entries()) static_cast<void>(observer->ranges({}));
  }
  EXPECT_LT(n_accepted, 19000U);
}

}  // namespace
}  // namespace kerf
