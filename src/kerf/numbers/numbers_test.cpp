#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/numbers/e8m0.h"
#include "kerf/numbers/float16.h"
#include "kerf/numbers/minifloat.h"

namespace kerf {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// A format seen through its two conversions; `count` is the number of its bit patterns.
struct Scalar {
  const char* name;
  std::uint32_t count;
  float (*decode)(std::uint32_t);
  std::uint32_t (*encode)(float);
};

const Scalar kScalars[] = {
    {"f16", 65536, [](std::uint32_t b) { return f16_to_f32(static_cast<std::uint16_t>(b)); },
     [](float v) -> std::uint32_t { return f32_to_f16(v); }},
    {"bf16", 65536, [](std::uint32_t b) { return bf16_to_f32(static_cast<std::uint16_t>(b)); },
     [](float v) -> std::uint32_t { return f32_to_bf16(v); }},
    {"e4m3", 256, [](std::uint32_t b) { return e4m3_to_f32(static_cast<std::uint8_t>(b)); },
     [](float v) -> std::uint32_t { return f32_to_e4m3(v); }},
    {"e5m2", 256, [](std::uint32_t b) { return e5m2_to_f32(static_cast<std::uint8_t>(b)); },
     [](float v) -> std::uint32_t { return f32_to_e5m2(v); }},
    {"e2m1", 16, [](std::uint32_t b) { return e2m1_to_f32(static_cast<std::uint8_t>(b)); },
     [](float v) -> std::uint32_t { return f32_to_e2m1(v); }},
    {"e2m3", 64, [](std::uint32_t b) { return e2m3_to_f32(static_cast<std::uint8_t>(b)); },
     [](float v) -> std::uint32_t { return f32_to_e2m3(v); }},
    {"e3m2", 64, [](std::uint32_t b) { return e3m2_to_f32(static_cast<std::uint8_t>(b)); },
     [](float v) -> std::uint32_t { return f32_to_e3m2(v); }},
    {"ue4m3", 128, [](std::uint32_t b) { return ue4m3_to_f32(static_cast<std::uint8_t>(b)); },
     [](float v) -> std::uint32_t { return f32_to_ue4m3(v); }},
    {"e8m0", 256, [](std::uint32_t b) { return e8m0_to_f32(static_cast<std::uint8_t>(b)); },
     [](float v) -> std::uint32_t { return f32_to_e8m0(v); }},
};

class EveryScalar : public testing::TestWithParam<Scalar> {};
class LinearScalar : public EveryScalar {};  // without E8M0, which rounds in the logarithm

TEST_P(EveryScalar, EachBitPatternSurvivesDecodeAndEncode) {
  const Scalar& scalar = GetParam();
  const bool has_infinity = std::string_view(scalar.name).ends_with("f16");
  for (std::uint32_t bits = 0; bits < scalar.count; ++bits) {
    const float value = scalar.decode(bits);
    if (std::isnan(value)) continue;
    if (std::isinf(value) && !has_infinity) continue;
    ASSERT_EQ(scalar.encode(value), bits) << scalar.name << " " << value;
  }
}

/// The definition of «to nearest, ties to even», against the formats' own neighbours: both sides of each
/// midpoint, and the midpoint.
TEST_P(LinearScalar, RoundsToNearestEven) {
  const Scalar& scalar = GetParam();
  const std::uint32_t half = std::string_view(scalar.name) == "ue4m3" ? 128 : scalar.count / 2;
  for (std::uint32_t bits = 0; bits + 1 < half; ++bits) {
    const double low = scalar.decode(bits);
    const double high = scalar.decode(bits + 1);
    if (!std::isfinite(low) || !std::isfinite(high)) continue;
    const auto middle = static_cast<float>((low + high) / 2);
    const std::uint32_t even = bits % 2 == 0 ? bits : bits + 1;
    if (static_cast<double>(middle) == (low + high) / 2) {
      ASSERT_EQ(scalar.encode(middle), even) << scalar.name << " midpoint " << middle;
    }
    ASSERT_EQ(scalar.encode(std::nextafter(middle, 0.0F)), bits) << scalar.name << " below " << middle;
    ASSERT_EQ(scalar.encode(std::nextafter(middle, kInfinity)), bits + 1)
        << scalar.name << " above " << middle;
    if (half != scalar.count) {
      ASSERT_EQ(scalar.encode(-std::nextafter(middle, 0.0F)), bits + half) << scalar.name << " " << -middle;
    }
  }
}

std::string name_of(const testing::TestParamInfo<Scalar>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Numbers, EveryScalar, testing::ValuesIn(kScalars), name_of);
INSTANTIATE_TEST_SUITE_P(Numbers, LinearScalar, testing::ValuesIn(kScalars, kScalars + 8), name_of);

// --- against PyTorch (tools/golden_formats.py) -------------------------------------------------------

struct Golden {
  std::vector<float> inputs;
  std::vector<std::uint16_t> f16, bf16;
  std::vector<std::uint8_t> e4m3, e5m2;
  std::vector<std::uint64_t> decode_hashes;  // f16 bf16 e4m3 e5m2 e8m0, over all bit patterns
};

template <class T>
std::vector<T> read_array(std::istream& in, std::size_t count) {
  std::vector<T> array(count);
  in.read(reinterpret_cast<char*>(array.data()), static_cast<std::streamsize>(count * sizeof(T)));
  return array;
}

Golden read_golden() {
  std::ifstream in(KERF_SOURCE_DIR "/tests/golden/formats_numbers.bin", std::ios::binary);
  const auto n = read_array<std::uint32_t>(in, 1)[0];
  Golden golden;
  golden.inputs = read_array<float>(in, n);
  golden.f16 = read_array<std::uint16_t>(in, n);
  golden.bf16 = read_array<std::uint16_t>(in, n);
  golden.e4m3 = read_array<std::uint8_t>(in, n);
  golden.e5m2 = read_array<std::uint8_t>(in, n);
  golden.decode_hashes = read_array<std::uint64_t>(in, 5);
  EXPECT_TRUE(in.good());
  return golden;
}

/// FNV-1a over the bytes of every decoded number; all NaNs count as the same.
std::uint64_t hash_of_all(const Scalar& scalar) {
  std::uint64_t state = 0xCBF29CE484222325ULL;
  for (std::uint32_t bits = 0; bits < scalar.count; ++bits) {
    const float value = scalar.decode(bits);
    const std::uint32_t word = std::isnan(value) ? 0x7FC00000U : std::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) state = (state ^ (word >> shift & 0xFF)) * 0x100000001B3ULL;
  }
  return state;
}

TEST(AgainstTorch, DecodesEveryBitPattern) {
  const Golden golden = read_golden();
  const int order[] = {0, 1, 2, 3, 8};
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_EQ(hash_of_all(kScalars[order[i]]), golden.decode_hashes[i]) << kScalars[order[i]].name;
}

TEST(AgainstTorch, RoundsRandomNumbersAndTies) {
  const Golden golden = read_golden();
  ASSERT_GE(golden.inputs.size(), 2048U);
  for (std::size_t i = 0; i < golden.inputs.size(); ++i) {
    const float value = golden.inputs[i];
    EXPECT_EQ(f32_to_f16(value), golden.f16[i]) << value;
    EXPECT_EQ(f32_to_bf16(value), golden.bf16[i]) << value;
    EXPECT_EQ(f32_to_e4m3(value), golden.e4m3[i]) << value;
    EXPECT_EQ(f32_to_e5m2(value), golden.e5m2[i]) << value;
  }
}

// --- by hand -------------------------------------------------------------------------------------------

TEST(Float16, KnownRoundings) {
  EXPECT_EQ(f32_to_bf16(25.125F), 0x41C9);
  EXPECT_EQ(f32_to_f16(25.125F), 0x4E48);
  EXPECT_EQ(f32_to_bf16(1.0F + 0x1p-8F), 0x3F80);
  EXPECT_EQ(f32_to_bf16(1.0F + 3 * 0x1p-8F), 0x3F82);
  EXPECT_EQ(f32_to_bf16(0.1F), 0x3DCD);
  EXPECT_EQ(f32_to_bf16(3.14159265F), 0x4049);
  EXPECT_EQ(f32_to_bf16(3.4e38F), 0x7F80);
  EXPECT_EQ(round_to_f16(2049.0F), 2048.0F);
  EXPECT_EQ(round_to_f16(2051.0F), 2052.0F);
  EXPECT_EQ(f32_to_f16(0.1F), 0x2E66);
  EXPECT_EQ(round_to_f16(65519.99F), 65504.0F);
  EXPECT_EQ(round_to_f16(65520.0F), kInfinity);
  EXPECT_EQ(f32_to_f16(6e-8F), 0x0001);
  EXPECT_EQ(f32_to_f16(2.9e-8F), 0x0000);
  EXPECT_EQ(f32_to_f16(1e-5F), 0x00A8);
  EXPECT_EQ(f32_to_f16(-0.0F), 0x8000);
}

TEST(Float16, NaNStaysNaN) {
  // A NaN whose upper mantissa bits are zero must not turn into infinity.
  const auto low_payload = std::bit_cast<float>(0x7F800001U);
  EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(low_payload))));
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(low_payload))));
}

TEST(Minifloat, KnownRoundings) {
  EXPECT_EQ(f32_to_e4m3(25.125F), 0x5D);
  EXPECT_EQ(f32_to_e5m2(25.125F), 0x4E);
  EXPECT_EQ(f32_to_e2m1(25.125F), 0x07);
  EXPECT_EQ(f32_to_e4m3(0.1F), 0x1D);
  EXPECT_EQ(f32_to_e4m3(0.3F), 0x2A);
  EXPECT_EQ(f32_to_e4m3(1.0F / 3.0F), 0x2B);
  EXPECT_EQ(e4m3_to_f32(f32_to_e4m3(17.0F)), 16.0F);
  EXPECT_EQ(e4m3_to_f32(f32_to_e4m3(19.0F)), 20.0F);
  EXPECT_EQ(e4m3_to_f32(f32_to_e4m3(21.0F)), 20.0F);
  EXPECT_EQ(f32_to_e4m3(0x1p-10F), 0);
  EXPECT_EQ(f32_to_e5m2(0.1F), 0x2E);
  EXPECT_EQ(e5m2_to_f32(f32_to_e5m2(500.0F)), 512.0F);
  const float ties[][2] = {{.25F, 0}, {.75F, 1}, {1.25F, 1}, {1.75F, 2}, {2.5F, 2}, {3.5F, 4}, {5, 4}};
  for (const auto& [value, rounded] : ties) EXPECT_EQ(e2m1_to_f32(f32_to_e2m1(value)), rounded) << value;
  EXPECT_EQ(e2m1_to_f32(f32_to_e2m1(5.01F)), 6.0F);
}

TEST(Minifloat, SixBits) {
  EXPECT_EQ(e2m3_to_f32(0x01), 0.125F);
  EXPECT_EQ(e2m3_to_f32(0x08), 1.0F);
  EXPECT_EQ(e2m3_to_f32(0x3F), -7.5F);
  EXPECT_EQ(e3m2_to_f32(0x01), 0.0625F);
  EXPECT_EQ(e3m2_to_f32(0x04), 0.25F);
  EXPECT_EQ(e3m2_to_f32(0x3F), -28.0F);
  EXPECT_EQ(e2m3_to_f32(f32_to_e2m3(0.1875F)), 0.25F);  // tie between 0.125 and 0.25
  EXPECT_EQ(e3m2_to_f32(f32_to_e3m2(22.0F)), 24.0F);    // tie between 20 and 24
}

TEST(Minifloat, SaturatesAndKeepsNaN) {
  for (const float huge : {500.0F, 1e9F, kInfinity}) {
    EXPECT_EQ(f32_to_e4m3(huge), 0x7E);
    EXPECT_EQ(f32_to_e4m3(-huge), 0xFE);
    EXPECT_EQ(f32_to_ue4m3(huge), 0x7E);
    EXPECT_EQ(f32_to_e2m1(-huge), 0x0F);
    EXPECT_EQ(f32_to_e2m3(huge), 0x1F);
    EXPECT_EQ(f32_to_e3m2(-huge), 0x3F);
  }
  EXPECT_EQ(f32_to_e5m2(kInfinity), 0x7B);
  EXPECT_EQ(f32_to_ue4m3(-1.0F), 0);
  EXPECT_TRUE(std::isnan(e4m3_to_f32(f32_to_e4m3(kNaN))));
  EXPECT_TRUE(std::isnan(e5m2_to_f32(f32_to_e5m2(kNaN))));
  EXPECT_TRUE(std::isinf(e5m2_to_f32(0x7C)));
  EXPECT_TRUE(std::isnan(ue4m3_to_f32(0x7F)));
}

TEST(E8m0, RoundsTheLogarithm) {
  Rng rng(1);
  for (int trial = 0; trial < 10000; ++trial) {
    const auto value = static_cast<float>(std::exp2(rng.uniform() * 252 - 126));
    const int expected = static_cast<int>(std::lround(std::log2(static_cast<double>(value)))) + 127;
    ASSERT_EQ(f32_to_e8m0(value), expected) << value;
  }
  EXPECT_EQ(f32_to_e8m0(0.0F), 0);
  EXPECT_EQ(f32_to_e8m0(-5.0F), 0);
  EXPECT_EQ(f32_to_e8m0(0x1p-140F), 0);
  EXPECT_EQ(f32_to_e8m0(3e38F), 254);
  EXPECT_EQ(f32_to_e8m0(kInfinity), 254);
  EXPECT_TRUE(std::isnan(e8m0_to_f32(0xFF)));
}

}  // namespace
}  // namespace kerf
