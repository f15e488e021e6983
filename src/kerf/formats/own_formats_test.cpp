// kerf's own formats against an independent decoder (tools/golden_own_formats.py): rows with header,
// parameters and a tail, every format of every family.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "kerf/base/bits.h"
#include "kerf/formats/format.h"

namespace kerf {
namespace {

using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;

struct GoldenRow {
  std::size_t n = 0;
  std::vector<std::uint8_t> bytes;
  std::array<float, 4> first{};
  std::uint64_t hash = 0;
};

std::map<std::string, GoldenRow> read_goldens() {
  std::ifstream in(KERF_SOURCE_DIR "/tests/golden/own_formats.bin", std::ios::binary);
  std::map<std::string, GoldenRow> rows;
  char name[25] = {};
  while (in.read(name, 24)) {
    GoldenRow& row = rows[name];
    std::array<std::uint32_t, 2> sizes{};
    in.read(reinterpret_cast<char*>(sizes.data()), sizeof sizes);
    row.n = sizes[0];
    row.bytes.resize(sizes[1]);
    in.read(reinterpret_cast<char*>(row.bytes.data()), sizes[1]);
    in.read(reinterpret_cast<char*>(row.first.data()), sizeof row.first);
    in.read(reinterpret_cast<char*>(&row.hash), sizeof row.hash);
  }
  return rows;
}

const std::map<std::string, GoldenRow>& goldens() {
  static const auto rows = read_goldens();
  return rows;
}

AssertionResult decodes_golden_row(const Format& format) {
  const auto found = goldens().find(std::string(format.name));
  if (found == goldens().end()) return AssertionFailure() << "no golden row";
  const GoldenRow& golden = found->second;
  if (!format.fits(golden.n) || format.row_bytes(golden.n) != golden.bytes.size())
    return AssertionFailure() << "a row of " << golden.n << " numbers is not " << golden.bytes.size()
                              << " bytes";
  const std::uint8_t* blocks = golden.bytes.data() + format.header_bytes;
  if ((format.header_defect != nullptr && format.header_defect(golden.bytes.data()) != nullptr) ||
      (format.defect != nullptr && format.defect(blocks) != nullptr))
    return AssertionFailure() << "a sound row is called defective";
  std::vector<float> values(golden.n);
  format.decode(golden.bytes.data(), values.data(), values.size());
  for (std::size_t i = 0; i < golden.first.size(); ++i)
    if (values[i] != golden.first[i])
      return AssertionFailure() << "number " << i << " is " << values[i] << ", not " << golden.first[i];
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const float value : values)
    for (const std::uint8_t byte : std::bit_cast<std::array<std::uint8_t, 4>>(value + 0.0F))
      hash = (hash ^ byte) * 0x100000001B3ULL;
  return hash == golden.hash ? AssertionSuccess() : AssertionFailure() << "a later number differs";
}

std::vector<const Format*> own_formats() {
  std::vector<const Format*> chosen;
  for (const Format* format : all_formats()) {
    // Those have goldens of their own.
    const Format& blocks = format->row_scale == nullptr ? *format : *format->row_scale->inner;
    if (!format->in_gguf() && !format->plain() && blocks.vectors == nullptr && format != &formats::nvfp4_row)
      chosen.push_back(format);
  }
  return chosen;
}

class OwnFormat : public testing::TestWithParam<const Format*> {};
TEST_P(OwnFormat, DecodesWhatItsByteMapSays) {
  EXPECT_TRUE(decodes_golden_row(*GetParam()));
}
INSTANTIATE_TEST_SUITE_P(Conformance, OwnFormat, testing::ValuesIn(own_formats()), [](const auto& info) {
  std::string name(info.param->name);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});

TEST(OwnFormatCheck, RejectsWrongFormats) {
  const Format* right = find_format("UINT4_G32");
  ASSERT_NE(right, nullptr);
  ASSERT_TRUE(decodes_golden_row(*right));
  Format wrong = *find_format("INT4_G32");
  wrong.name = right->name;
  EXPECT_FALSE(decodes_golden_row(wrong)) << "another size";
  wrong = *right;
  wrong.decode = [](const std::uint8_t* src, float* dst, std::size_t n) noexcept {
    find_format("UINT4_G32")->decode(src, dst, n);
    dst[n - 1] = std::nextafter(dst[n - 1], 1e30F);
  };
  EXPECT_FALSE(decodes_golden_row(wrong)) << "one number off by one place";
  wrong = *right;
  wrong.defect = [](const std::uint8_t*) noexcept { return "everything is wrong"; };
  EXPECT_FALSE(decodes_golden_row(wrong));
}

// --- headers, and what they call a defect --------------------------------------------------------

TEST(RowHeaders, NaNAndWhatOverflowsIsADefect) {
  for (const Format* format : own_formats()) {
    if (format->row_scale == nullptr) continue;
    std::vector<std::uint8_t> row(format->row_bytes(format->block_size), 0);
    const auto defect_with = [&](float scale) {
      if (format->row_scale->type == RowScale::Type::f32)
        store_le(row.data(), scale);
      else
        store_le(row.data(), static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(scale) >> 16));
      return format->header_defect(row.data()) != nullptr;
    };
    for (const float sound : {0.0F, 1.0F, 1e-38F, 1e20F}) EXPECT_FALSE(defect_with(sound)) << format->name;
    for (const float bad : {NAN, INFINITY, -INFINITY}) EXPECT_TRUE(defect_with(bad)) << format->name;
    if (format->row_scale->reach > 2.0F) {
      EXPECT_TRUE(defect_with(0x1.8p127F)) << format->name << ": the largest number would overflow";
    }
  }
}

TEST(CodebookHeaders, NaNIsADefect) {
  const Format& format = *find_format("CB4_ROW");
  std::vector<std::uint8_t> row(format.row_bytes(32), 0);
  EXPECT_EQ(format.header_defect(row.data()), nullptr);
  store_le(row.data() + 4, std::uint16_t{0x7E00});
  EXPECT_NE(format.header_defect(row.data()), nullptr);
}

// Vectors of the literature.
TEST(Ternary5, PacksAsPublished) {
  const auto byte_of = [](std::array<int, 5> digits) {
    const Format& format = *find_format("TERNARY5_G64");
    std::vector<std::uint8_t> codes(format.block_size, 1);
    for (std::size_t k = 0; k < 5; ++k) codes[13 * k] = static_cast<std::uint8_t>(digits[k] + 1);
    std::vector<std::uint8_t> block(format.block_bytes, 0);
    format.grid->store_codes(codes.data(), block.data());
    return block[2];
  };
  EXPECT_EQ(byte_of({1, -1, 0, 1, 0}), 0xBC);
  EXPECT_EQ(byte_of({-1, -1, -1, -1, -1}), 0);
  EXPECT_EQ(byte_of({0, 0, 0, 0, 0}), 128);
  EXPECT_EQ(byte_of({1, 1, 1, 1, 1}), 255);
}

TEST(Ternary2, PacksAsPublished) {
  const Format& format = *find_format("TERNARY2_G32");
  std::vector<std::uint8_t> codes(format.block_size, 1);
  codes[0] = 2;
  codes[1] = 0;
  codes[3] = 2;
  std::vector<std::uint8_t> block(format.block_bytes, 0);
  format.grid->store_codes(codes.data(), block.data());
  EXPECT_EQ(block[2], 0x92);
}

TEST(Mxfp8, RoundsUnderAPowerOfTwo) {
  const Format& format = *find_format("MXFP8_E4M3");
  std::array<float, 32> x{};
  std::array<std::uint8_t, 33> block{};
  x[0] = 1.0F;
  format.floats->encode(x.data(), 0x1p-8F, block.data());
  EXPECT_EQ(block[0], 127 - 8);
  EXPECT_EQ(block[1], 0x78) << "256";
  x[0] = 500.0F;
  format.floats->encode(x.data(), 1.0F, block.data());
  EXPECT_EQ(block[0], 127);
  EXPECT_EQ(block[1], 0x7E) << "448, the largest";
  x.fill(0.0F);
  format.floats->encode(x.data(), 0.0F, block.data());
  std::array<float, 32> back;
  format.decode(block.data(), back.data(), back.size());
  EXPECT_EQ(back, x);
}

}  // namespace
}  // namespace kerf
