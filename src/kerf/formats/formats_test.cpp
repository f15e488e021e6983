// The registry, and what each format calls a defect.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <vector>

#include "kerf/base/bits.h"
#include "kerf/formats/format.h"

namespace kerf {
namespace {

/// A block of zeros with one little-endian 16-bit word replaced.
const char* defect_with_word(const Format& format, std::size_t at, std::uint16_t word) {
  std::vector<std::uint8_t> block(format.block_bytes, 0);
  store_le(block.data() + at, word);
  return format.defect(block.data());
}

TEST(Defects, NaNAndInfiniteFactors) {
  struct Case {
    const Format& format;
    std::vector<std::size_t> factors;
  };
  const Case cases[] = {
      {formats::q4_0, {0}},    {formats::q4_1, {0, 2}},   {formats::q5_0, {0}},   {formats::q5_1, {0, 2}},
      {formats::q8_0, {0}},    {formats::q2_k, {80, 82}}, {formats::q3_k, {108}}, {formats::q4_k, {0, 2}},
      {formats::q5_k, {0, 2}}, {formats::q6_k, {208}},    {formats::iq4_nl, {0}}, {formats::iq4_xs, {0}},
      {formats::tq1_0, {52}},  {formats::tq2_0, {64}},    {formats::q1_0, {0}},   {formats::q2_0, {0}},
      {formats::iq2_xxs, {0}}, {formats::iq2_xs, {0}},    {formats::iq2_s, {0}},  {formats::iq3_xxs, {0}},
      {formats::iq3_s, {0}},   {formats::iq1_s, {0}},
  };
  for (const auto& [format, factors] : cases) {
    for (const std::size_t at : factors) {
      EXPECT_EQ(defect_with_word(format, at, 0xFBFF), nullptr) << format.name << ": the largest is sound";
      for (const std::uint16_t word : {0x7C00, 0xFC00, 0x7E00, 0xFFFF})
        EXPECT_NE(defect_with_word(format, at, word), nullptr) << format.name << " at byte " << at;
    }
  }
}

TEST(Defects, WhatNoWriterWrites) {
  EXPECT_EQ(defect_with_word(formats::mxfp4, 0, 252), nullptr);
  EXPECT_NE(defect_with_word(formats::mxfp4, 0, 253), nullptr);
  EXPECT_NE(defect_with_word(formats::mxfp4, 0, 255), nullptr);
  EXPECT_EQ(defect_with_word(formats::nvfp4, 2, 0x7E7E), nullptr);
  EXPECT_NE(defect_with_word(formats::nvfp4, 2, 0x7F00), nullptr);
  EXPECT_NE(defect_with_word(formats::nvfp4, 2, 0x8000), nullptr);
  EXPECT_EQ(defect_with_word(formats::tq2_0, 10, 0b10'01'10'10), nullptr);
  for (const int shift : {0, 2, 4, 6})
    EXPECT_NE(defect_with_word(formats::tq2_0, 10, static_cast<std::uint16_t>(3 << shift)), nullptr) << shift;
  EXPECT_EQ(defect_with_word(formats::tq1_0, 0, 0x00FF), nullptr) << "five twos";
  EXPECT_NE(defect_with_word(formats::tq1_0, 0, 0x0001), nullptr) << "between no digits and 00001";
  EXPECT_NE(defect_with_word(formats::tq1_0, 48, 0x0002), nullptr) << "a fifth digit where there are four";
  std::vector<std::uint8_t> block(formats::iq1_m.block_bytes, 0);
  block[55] = 0x70;  // the top nibble of the factor; the next one completes the exponent
  EXPECT_EQ(formats::iq1_m.defect(block.data()), nullptr);
  block[53] = 0xC0;
  EXPECT_NE(formats::iq1_m.defect(block.data()), nullptr);
}

TEST(Registry, FindsEachFormatByNameInAnyCaseAndByType) {
  std::set<std::string_view> names;
  for (const Format* format : all_formats()) {
    EXPECT_TRUE(names.insert(format->name).second) << format->name << " is listed twice";
    std::string lower(format->name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    EXPECT_EQ(find_format(lower), format);
    if (format->gguf_type != kNoGgufType) {
      EXPECT_EQ(format_of_gguf_type(format->gguf_type), format);
    }
  }
  EXPECT_EQ(find_format("Q4"), nullptr);
  EXPECT_EQ(format_of_gguf_type(12), &formats::q4_k);
  EXPECT_EQ(format_of_gguf_type(9999), nullptr);
  EXPECT_EQ(format_of_gguf_type(kNoGgufType), nullptr);
}

}  // namespace
}  // namespace kerf
