#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kerf/formats/format.h"

namespace kerf {
namespace {

/// Stores the values one after the other and decodes them in one call.
template <class T>
std::vector<float> decoded(const Format& format, const std::vector<T>& stored) {
  EXPECT_EQ(format.block_bytes, sizeof(T));
  std::vector<float> values(stored.size());
  format.decode(reinterpret_cast<const std::uint8_t*>(stored.data()), values.data(), values.size());
  return values;
}

template <class T>
void decodes_its_extremes(const Format& format) {
  const std::vector<T> stored{
      0, 1, static_cast<T>(-1), 100, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
  const std::vector<float> values = decoded(format, stored);
  for (std::size_t i = 0; i < stored.size(); ++i)
    EXPECT_EQ(values[i], static_cast<float>(stored[i])) << format.name << " " << +stored[i];
}

TEST(Plain, IntegersBecomeTheNearestFloat) {
  decodes_its_extremes<std::int8_t>(formats::i8);
  decodes_its_extremes<std::int16_t>(formats::i16);
  decodes_its_extremes<std::int32_t>(formats::i32);
  decodes_its_extremes<std::int64_t>(formats::i64);
  decodes_its_extremes<std::uint8_t>(formats::u8);
  decodes_its_extremes<std::uint16_t>(formats::u16);
  decodes_its_extremes<std::uint32_t>(formats::u32);
  decodes_its_extremes<std::uint64_t>(formats::u64);
}

TEST(Plain, FloatsDecode) {
  EXPECT_EQ(decoded<float>(formats::f32, {0.1F, -3e38F}), (std::vector<float>{0.1F, -3e38F}));
  EXPECT_EQ(decoded<std::uint16_t>(formats::f16, {0x3C00, 0xC248}), (std::vector<float>{1.0F, -3.140625F}));
  EXPECT_EQ(decoded<std::uint16_t>(formats::bf16, {0x3F80, 0xC049}), (std::vector<float>{1.0F, -3.140625F}));
  EXPECT_EQ(decoded<double>(formats::f64, {0.1, -1e30}), (std::vector<float>{0.1F, -1e30F}));
  EXPECT_EQ(decoded<std::uint8_t>(formats::f8_e4m3, {0x38, 0xFE}), (std::vector<float>{1.0F, -448.0F}));
  EXPECT_EQ(decoded<std::uint8_t>(formats::f8_e5m2, {0x3C, 0xFB}), (std::vector<float>{1.0F, -57344.0F}));
  EXPECT_EQ(decoded<std::uint8_t>(formats::f8_e8m0, {127, 130}), (std::vector<float>{1.0F, 8.0F}));
  EXPECT_EQ(decoded<std::uint8_t>(formats::boolean, {0, 1, 7}), (std::vector<float>{0.0F, 1.0F, 1.0F}));
}

template <class T>
bool defective(const Format& format, T stored) {
  return format.defect(reinterpret_cast<const std::uint8_t*>(&stored)) != nullptr;
}

TEST(Plain, DefectsAreNaNInfinityAndImpossibleValues) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(defective(formats::f32, -infinity));
  EXPECT_TRUE(defective(formats::f32, std::nanf("")));
  EXPECT_FALSE(defective(formats::f32, 3e38F));
  EXPECT_TRUE(defective<std::uint16_t>(formats::f16, 0x7C00));
  EXPECT_FALSE(defective<std::uint16_t>(formats::f16, 0x7BFF));
  EXPECT_TRUE(defective<std::uint16_t>(formats::bf16, 0xFFC0));
  EXPECT_TRUE(defective(formats::f64, 1e39));
  EXPECT_TRUE(defective<std::uint8_t>(formats::f8_e4m3, 0xFF));
  EXPECT_FALSE(defective<std::uint8_t>(formats::f8_e4m3, 0xFE));
  EXPECT_TRUE(defective<std::uint8_t>(formats::f8_e5m2, 0x7C));
  EXPECT_TRUE(defective<std::uint8_t>(formats::f8_e8m0, 0xFF));
  EXPECT_TRUE(defective<std::uint8_t>(formats::boolean, 2));
  EXPECT_EQ(formats::i32.defect, nullptr);
}

}  // namespace
}  // namespace kerf
