// Quantized activations against numpy and torch (tools/golden_activations.py), and against binary64 products.
#include "kerf/model/quantized_engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>

#include "kerf/base/bits.h"

namespace kerf {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

ActivationSpec spec_of(std::string_view text) {
  auto spec = parse_activation_spec(text);
  EXPECT_TRUE(spec) << text;
  return spec ? *spec : ActivationSpec{};
}

std::vector<float> gaussian(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> draw;
  std::vector<float> x(n);
  for (float& value : x) value = draw(random);
  return x;
}

/// A weight [R, K] of INT8_ROW from codes and one scale per row.
struct RowWeight {
  std::vector<std::uint8_t> bytes;
  Linear layer;

  RowWeight(const std::vector<std::vector<int>>& codes, float scale) {
    for (const auto& row : codes) {
      bytes.resize(bytes.size() + 4);
      store_le(bytes.data() + bytes.size() - 4, scale);
      for (const int code : row) bytes.push_back(static_cast<std::uint8_t>(code + 128));
    }
    layer.name = "w";
    layer.weight = {find_format("INT8_ROW"), bytes.data(), codes.size(), codes.front().size()};
  }
};

/// A weight of F32.
Linear plain(const std::vector<float>& w, std::size_t n_cols) {
  Linear layer;
  layer.name = "w";
  layer.weight = {find_format("F32"), reinterpret_cast<const std::uint8_t*>(w.data()), w.size() / n_cols,
                  n_cols};
  return layer;
}

std::vector<float> multiply(LinearEngine& engine, const Linear& layer, const std::vector<float>& x,
                            unsigned n_threads = 1) {
  ThreadPool pool(n_threads);
  const std::size_t n_tokens = x.size() / layer.n_cols();
  std::vector<float> y(n_tokens * layer.n_rows());
  engine.multiply({&layer, 1}, x.data(), n_tokens, y.data(), layer.n_rows(), pool);
  return y;
}

template <class T>
std::vector<T> numbers(std::ifstream& file) {
  std::string line;
  std::getline(file, line);
  std::istringstream words(line);
  std::vector<T> out;
  for (std::string word; words >> word;) out.push_back(static_cast<T>(std::strtod(word.c_str(), nullptr)));
  return out;
}

TEST(QuantizedEngine, GivesTheIntegersAndProductsOfNumpy) {
  std::ifstream file(std::string(KERF_SOURCE_DIR) + "/tests/golden/activations.txt");
  int n_cases = 0;
  for (std::string head; std::getline(file, head); ++n_cases) {
    const std::string type = head.substr(0, head.find(' '));
    char* rest = nullptr;
    const double low = std::strtod(head.c_str() + type.size(), &rest);
    const ActivationRange range{low, std::strtod(rest, nullptr)};
    const auto x = numbers<float>(file);
    const auto codes = numbers<std::int32_t>(file);
    const auto scale = numbers<float>(file);
    const auto w = numbers<int>(file);
    const auto w_scale = numbers<float>(file);
    const auto y = numbers<float>(file);
    const ActivationSpec spec = spec_of(type + ":static");
    const QuantizedRows rows = quantize_rows(spec, x, x.size(), range);
    EXPECT_EQ(rows.codes, codes) << head;
    EXPECT_EQ(rows.scales, scale) << head;
    const RowWeight weight({w}, w_scale.at(0));
    QuantizedEngine engine(spec, std::nullopt, {{"w", range}});
    EXPECT_EQ(multiply(engine, weight.layer, x), y) << head;
  }
  EXPECT_EQ(n_cases, 10);
}

TEST(QuantizedEngine, LargestCodesDoNotOverflow) {
  constexpr std::size_t kColumns = 1U << 15;
  const RowWeight weight({std::vector<int>(kColumns, -128)}, 1.0F);
  QuantizedEngine engine(spec_of("uint8:token"), std::nullopt);
  std::vector<float> x(kColumns, 255.0F);
  EXPECT_EQ(multiply(engine, weight.layer, x).at(0), -128.0F * 255.0F * kColumns);
  x.assign(kColumns, -255.0F);
  EXPECT_EQ(multiply(engine, weight.layer, x).at(0), 128.0F * 255.0F * kColumns);
  QuantizedEngine clipped(spec_of("int8:static"), std::nullopt, {{"w", {-127, 127}}});
  EXPECT_EQ(multiply(clipped, weight.layer, std::vector<float>(kColumns, 1e30F)).at(0),
            -128.0F * 127.0F * kColumns);
}

TEST(QuantizedEngine, ZeroRowsStayZero) {
  const RowWeight weight({{1, -128, 127, 5, 6, 7, 8, 9}}, 0.5F);
  for (const char* text : {"int8:token", "uint4:tensor", "fp8-e4m3:token", "int4:group:3", "llm-int8"}) {
    QuantizedEngine engine(spec_of(text), std::nullopt);
    EXPECT_EQ(multiply(engine, weight.layer, std::vector<float>(8, 0.0F)).at(0), 0.0F) << text;
    EXPECT_TRUE(engine.status()) << text;
  }
}

TEST(QuantizedEngine, NamesWhatIsNotFinite) {
  const RowWeight weight({{1, 2, 3, 4, 5, 6, 7, 8}}, 0.5F);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
    QuantizedEngine engine(spec_of("int8:token"), std::nullopt);
    std::vector<float> x(16, 1.0F);
    x[11] = bad;
    EXPECT_TRUE(std::isnan(multiply(engine, weight.layer, x).at(0)));
    ASSERT_FALSE(engine.status());
    EXPECT_EQ(engine.status().error().kind, ErrorKind::numeric);
    EXPECT_NE(engine.status().error().message().find("column 3 at token 1"), std::string::npos);
  }
}

double squared_error(std::string_view text, const std::vector<float>& x, const std::vector<float>& w,
                     std::size_t n_cols) {
  QuantizedEngine engine(spec_of(text), CodeType{});
  const std::vector<float> y = multiply(engine, plain(w, n_cols), x);
  EXPECT_TRUE(engine.status()) << text;
  const std::size_t n_rows = w.size() / n_cols;
  double error = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    double exact = 0;
    for (std::size_t k = 0; k < n_cols; ++k)
      exact += static_cast<double>(x[i / n_rows * n_cols + k]) * w[i % n_rows * n_cols + k];
    error += (y[i] - exact) * (y[i] - exact);
  }
  return error;
}

TEST(QuantizedEngine, FinerIsNearer) {
  std::vector<float> x = gaussian(20 * 128, 1);
  const std::vector<float> w = gaussian(24 * 128, 2);
  for (std::size_t k = 0; k < 128; ++k) x[k] *= 10;  // a loud token
  const auto error = [&](std::string_view text) { return squared_error(text, x, w, 128); };
  EXPECT_LT(10 * error("int8:token"), error("int4:token"));
  EXPECT_LT(error("int8:token"), error("int8:tensor"));
  EXPECT_LT(error("int4:group:16"), error("int4:token"));
  for (std::size_t t = 0; t < 20; ++t) x[t * 128 + 77] = 40.0F;  // an outlier column
  for (std::size_t k = 0; k < 128; ++k) x[k] /= 10;
  EXPECT_LT(error("llm-int8"), 0.5 * error("int8:token"));
}

TEST(QuantizedEngine, SameBitsForAnyNumberOfThreads) {
  const std::vector<float> x = gaussian(7 * 96, 3), w = gaussian(100 * 96, 4);
  for (const char* text : {"int8:token", "uint4:group:32", "fp8-e4m3:tensor"}) {
    QuantizedEngine engine(spec_of(text), CodeType{});
    EXPECT_EQ(multiply(engine, plain(w, 96), x, 1), multiply(engine, plain(w, 96), x, 4)) << text;
  }
}

TEST(QuantizedEngine, RefusesWhatItCannotDo) {
  const std::vector<float> w(8, 1.0F), x(8, 1.0F);
  QuantizedEngine floats(spec_of("int8:token"), std::nullopt);
  (void)multiply(floats, plain(w, 8), x);
  ASSERT_FALSE(floats.status());
  EXPECT_EQ(floats.status().error().kind, ErrorKind::unsupported);
  QuantizedEngine stranger(spec_of("int8:static"), CodeType{}, {{"other", {-1, 1}}});
  (void)multiply(stranger, plain(w, 8), x);
  ASSERT_FALSE(stranger.status());
  EXPECT_NE(stranger.status().error().message().find("calibrate this very model"), std::string::npos);
  for (const char* text :
       {"", "int8", "int9:token", "int8:group:0", "int8:group:7x", "int8:row", "llm-int8:token"})
    EXPECT_FALSE(parse_activation_spec(text)) << text;
  for (const char* text : {"", "int8", "uint8:row", "int8:token"})
    EXPECT_FALSE(parse_weight_spec(text)) << text;
  EXPECT_FALSE(static_ranges(Calibration(), "min-max", CodeType{}));
}

TEST(QuantizedEngine, StaticRangesSurviveTheirFile) {
  Calibration calibration;
  const std::vector<float> x = {-1.0F, 0.5F, 3.0F, 2.0F};
  ASSERT_TRUE(calibration.at("w", observers::min_max).observe({x, 4, 0}));
  const std::string path = testing::TempDir() + "activation_state.gguf";
  ASSERT_TRUE(calibration.save(path));
  const auto loaded = Calibration::load(path);
  ASSERT_TRUE(loaded);
  const auto ranges = static_ranges(*loaded, "min-max", {CodeType::Kind::unsigned_integer, 8});
  ASSERT_TRUE(ranges);
  EXPECT_EQ(ranges->at("w").low, -1.0);
  EXPECT_EQ(ranges->at("w").high, 3.0);
  EXPECT_FALSE(static_ranges(*loaded, "mse", CodeType{})) << "no histogram in it";
  EXPECT_FALSE(static_ranges(*loaded, "widest", CodeType{}));
}

}  // namespace
}  // namespace kerf
