// The searches of formats with a fixed table of levels against the program that the formats come from, and
// against themselves with less effort.
#include "kerf/quantizers/block_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/numbers/float16.h"
#include "kerf/quantizers/quantizer.h"

namespace kerf {
namespace {

/// tests/golden/quantize_error.*, see tools/golden_quantize_error.py.
struct Golden {
  static constexpr std::size_t kRows = 8;
  static constexpr std::size_t kColumns = 2048;

  std::vector<float> x;           ///< [kRows, kColumns]
  std::vector<float> importance;  ///< [kColumns]
  struct Errors {
    double plain, weighted;
  };
  std::map<std::string, Errors> theirs;
};

Golden read_golden() {
  const std::string path = KERF_SOURCE_DIR "/tests/golden/quantize_error";
  Golden golden;
  std::ifstream bits(path + ".f16", std::ios::binary);
  std::vector<std::uint16_t> halves((Golden::kRows + 1) * Golden::kColumns);
  bits.read(reinterpret_cast<char*>(halves.data()), static_cast<std::streamsize>(2 * halves.size()));
  EXPECT_TRUE(bits) << path;
  for (const std::uint16_t half : halves) golden.x.push_back(f16_to_f32(half));
  golden.importance.assign(golden.x.end() - Golden::kColumns, golden.x.end());
  golden.x.resize(Golden::kRows * Golden::kColumns);
  std::ifstream lines(path + ".txt");
  std::string name;
  Golden::Errors errors{};
  while (lines >> name >> errors.plain >> errors.weighted) golden.theirs[name] = errors;
  return golden;
}

/// Σ w (x − x̂)², w being importance or ones; the search sees the importance if it is told to.
double error_of(const Format& format, const std::vector<float>& x, const std::vector<float>& importance,
                bool weighted, const QuantizeOptions& options) {
  const std::size_t n_columns = importance.size();
  const std::size_t n_rows = x.size() / n_columns;
  std::vector<std::uint8_t> bytes(n_rows * format.row_bytes(n_columns));
  quantize_rows(format, x.data(), weighted ? importance.data() : nullptr, bytes.data(), n_rows, n_columns,
                options);
  std::vector<float> back(x.size());
  decode_rows(format, bytes.data(), n_rows, n_columns, back.data());
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double e = static_cast<double>(x[i]) - static_cast<double>(back[i]);
    sum += e * e * (weighted ? static_cast<double>(importance[i % n_columns]) : 1.0);
  }
  return sum;
}

std::vector<const Format*> formats_with_grid() {
  std::vector<const Format*> list;
  for (const Format* format : all_formats())
    if (format->grid != nullptr) list.push_back(format);
  return list;
}

/// What is left of ggml's squared error, at most. Never more than all of it.
double bar(const std::string& name) {
  if (name == "Q2_0") return 0.7;
  for (const char* better : {"Q4_0", "Q4_1", "Q5_0", "Q3_K", "Q2_K", "MXFP4", "NVFP4"})
    if (name == better) return 0.95;
  return 1.0;
}

TEST(BlockSearch, LeavesLessErrorThanGgml) {
  const Golden golden = read_golden();
  int n_compared = 0;
  for (const auto& [name, theirs] : golden.theirs) {
    const Format* format = find_format(name);
    ASSERT_NE(format, nullptr) << name;
    if (format->grid == nullptr) continue;
    ++n_compared;
    const double plain = error_of(*format, golden.x, golden.importance, false, {});
    EXPECT_LE(plain, bar(name) * theirs.plain * 1.000001) << name << " " << plain / theirs.plain;
    const double weighted = error_of(*format, golden.x, golden.importance, true, {});
    EXPECT_LE(weighted, bar(name) * theirs.weighted * 1.000001) << name << " " << weighted / theirs.weighted;
  }
  EXPECT_GE(n_compared, 18);
}

// Effort 0 is for speed, but not at any price: what ggml leaves without importance is the limit.
TEST(BlockSearch, LeastEffortIsNoWorseThanGgml) {
  const Golden golden = read_golden();
  for (const auto& [name, theirs] : golden.theirs) {
    const Format* format = find_format(name);
    if (format == nullptr || format->grid == nullptr) continue;
    const double plain = error_of(*format, golden.x, golden.importance, false, {.effort = 0});
    EXPECT_LE(plain, theirs.plain * 1.000001) << name << " " << plain / theirs.plain;
  }
}

TEST(BlockSearch, MoreEffortLeavesLessError) {
  const Golden golden = read_golden();
  for (const Format* format : formats_with_grid())
    for (const bool weighted : {false, true}) {
      double last = HUGE_VAL;
      for (int effort = 0; effort <= 3; ++effort) {
        const double error = error_of(*format, golden.x, golden.importance, weighted, {.effort = effort});
        // Kerf's own keep to fewer starting grids, and integer zero points blur which of them is best.
        EXPECT_LE(error, last * (format->in_gguf() ? 1.0002 : 1.06))
            << format->name << " effort " << effort << " weighted " << weighted;
        last = error;
      }
    }
}

// As in layers with massive activations: what is left of that column decides, and it depends on the steps
// that the groups of its block share.
TEST(BlockSearch, OneColumnMayMatterAMillionTimesAsMuch) {
  Golden golden = read_golden();
  golden.importance.assign(Golden::kColumns, 1.0F);
  golden.importance[37] = 1e6F;
  for (const Format* format : formats_with_grid()) {
    if (format->grid->n_groups == 1 || format->name == "NVFP4") continue;  // nothing is shared
    const double heeded = error_of(*format, golden.x, golden.importance, true, {});
    const double ignored = error_of(*format, golden.x, golden.importance, false, {});
    // As if that column cost next to nothing; eight levels cannot suit it and the others as well.
    EXPECT_LT(heeded, (format->name == "Q3_K" ? 4.5 : 1.3) * ignored)
        << format->name << " " << heeded / ignored;
  }
}

TEST(BlockSearch, EffortBeyondTheScaleIsTheNearestOnIt) {
  const Golden golden = read_golden();
  const auto error = [&](int effort) {
    return error_of(formats::q4_1, golden.x, golden.importance, false, {.effort = effort});
  };
  EXPECT_EQ(error(-5), error(0));
  EXPECT_EQ(error(100), error(3));
  EXPECT_LT(error(3), 0.95 * error(0));
}

}  // namespace
}  // namespace kerf
