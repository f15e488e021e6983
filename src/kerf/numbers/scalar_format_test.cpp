#include "kerf/numbers/scalar_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>

#include "kerf/base/rng.h"
#include "kerf/numbers/e8m0.h"
#include "kerf/numbers/float16.h"
#include "kerf/numbers/minifloat.h"
#include "kerf/numbers/rounding.h"

namespace kerf {

void PrintTo(const ScalarFormat& format, std::ostream* out) {
  *out << format.name;
}

namespace {

const ScalarFormat& format_named(std::string_view name) {
  static std::map<std::string, ScalarFormat, std::less<>> found;
  const auto known = found.find(name);
  if (known != found.end()) return known->second;
  const auto formats = find_scalar_formats(name);
  EXPECT_TRUE(formats.has_value()) << name;
  return found.emplace(name, formats->at(0)).first->second;
}

ExactNumber number(std::string_view text) {
  return parse_number(text).value();
}

std::uint64_t bits_of(std::string_view format, std::string_view x, const EncodeOptions& options = {}) {
  const Encoded encoded = encode(format_named(format), number(x), options);
  EXPECT_TRUE(encoded.bits.has_value()) << format << " of " << x;
  return encoded.bits.value_or(0);
}

std::string back(std::string_view format, std::string_view x, const EncodeOptions& options = {}) {
  return exact_decimal(*decode(format_named(format), bits_of(format, x, options))).value();
}

// --- the vectors of docs/numbers.md ------------------------------------------------------------------

TEST(Rounding, TiesOfEveryMode) {
  const char* ties[] = {"0.5", "1.5", "2.5", "-0.5", "-1.5", "-2.5"};
  const std::map<RoundingMode, std::vector<std::string>> expected = {
      {RoundingMode::nearest_even, {"0", "2", "2", "-0", "-2", "-2"}},
      {RoundingMode::nearest_away, {"1", "2", "3", "-1", "-2", "-3"}},
      {RoundingMode::nearest_up, {"1", "2", "3", "-0", "-1", "-2"}},
      {RoundingMode::toward_zero, {"0", "1", "2", "-0", "-1", "-2"}},
      {RoundingMode::floor, {"0", "1", "2", "-1", "-2", "-3"}},
      {RoundingMode::ceil, {"1", "2", "3", "-0", "-1", "-2"}}};
  for (const auto& [rounding, values] : expected)
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_EQ(exact_decimal(round_to_integer(number(ties[i]), rounding)), values[i])
          << ties[i] << " " << name_of(rounding);
}

TEST(FixedPoint, KnownVectors) {
  EXPECT_EQ(bits_of("Q8.8", "25.125"), 0x1920U);
  EXPECT_EQ(back("Q8.8", "25.125"), "25.125");
  EXPECT_EQ(bits_of("UQ5.3", "25.125"), 0b11001001U);
  EXPECT_EQ(bits_of("Q5.3", "25.125"), 0b011001001U);
  EXPECT_EQ(exact_decimal(*decode(format_named("UQ5.3"), highest_bits(format_named("UQ5.3")))), "31.875");
  EXPECT_EQ(bits_of("UQ5.2", "25.125"), 100U);
  EXPECT_EQ(bits_of("UQ5.2", "25.125", {.rounding = RoundingMode::nearest_away}), 101U);
  EXPECT_EQ(back("UQ5.2", "25.125", {.rounding = RoundingMode::nearest_away}), "25.25");
  EXPECT_EQ(back("Q3.4", "25.125"), "7.9375");
  EXPECT_EQ(back("Q3.4", "-25.125"), "-8");
  EXPECT_EQ(back("UQ5.3", "-1"), "0");
  // More fraction bits than bits at all, and none: the point is beyond the ends.
  EXPECT_EQ(back("Q-3.8", "0.05"), "0.05078125");
  EXPECT_EQ(back("Q8.-4", "100"), "96");
  EXPECT_EQ(back("Q31.32", "-2147483648"), "-2147483648");
  EXPECT_EQ(back("UQ64.0", "1e30"), "18446744073709551615");
  EXPECT_EQ(bits_of("UQ0.64", "0.1"), 1844674407370955162U);  // 2^64 / 10 = …161.6
}

TEST(FixedPoint, Wraps) {
  const EncodeOptions wrap{.overflow = Overflow::wrap};
  EXPECT_EQ(back("int8", "128", wrap), "-128");
  EXPECT_EQ(back("int8", "-129", wrap), "127");
  EXPECT_EQ(back("UQ5.3", "33.5", wrap), "1.5");
  EXPECT_EQ(back("Q3.4", "25.125", wrap), "-6.875");
  EXPECT_EQ(back("int8", "18446744073709551621", wrap), "5");  // 2^64 + 5
}

TEST(ScalarFormat, KnownVectors) {
  const struct {
    const char* format;
    const char* x;
    std::uint64_t bits;
  } cases[] = {
      {"fp32", "25.125", 0x41C90000},
      {"bf16", "25.125", 0x41C9},
      {"fp16", "25.125", 0x4E48},
      {"e4m3", "25.125", 0x5D},
      {"e5m2", "25.125", 0x4E},
      {"e2m1", "25.125", 0x7},
      {"bf16", "0x1.01p0", 0x3F80},
      {"bf16", "0x1.03p0", 0x3F82},
      {"bf16", "0.1", 0x3DCD},
      {"bf16", "3.14159265", 0x4049},
      {"bf16", "3.4e38", 0x7F80},
      {"fp16", "0.1", 0x2E66},
      {"fp16", "6e-8", 0x0001},
      {"fp16", "2.9e-8", 0},
      {"fp16", "1e-5", 0x00A8},
      {"fp16", "65520", 0x7C00},
      {"fp16", "65519.99", 0x7BFF},
      {"e4m3", "0.1", 0x1D},
      {"e4m3", "0.3", 0x2A},
      {"e4m3", "1/3", 0x2B},
      {"e4m3", "0x1p-10", 0},
      {"e4m3", "500", 0x7E},
      {"e5m2", "0.1", 0x2E},
      {"fp32", "0.1", 0x3DCCCCCD},
      {"fp32", "-0", 0x80000000},
      {"fp32", "nan", 0x7FC00000},
      {"fp32", "-inf", 0xFF800000},
      {"e4m3", "nan", 0x7F},
      {"e5m2", "nan", 0x7E},
      {"e8m0", "nan", 0xFF},
      {"fp64", "0.1", 0x3FB999999999999A},
  };
  for (const auto& [format, x, bits] : cases) EXPECT_EQ(bits_of(format, x), bits) << format << " " << x;
  const std::tuple<const char*, const char*, const char*> values[] = {{"e4m3", "25.125", "26"},
                                                                      {"e5m2", "25.125", "24"},
                                                                      {"fp16", "2049", "2048"},
                                                                      {"fp16", "2051", "2052"},
                                                                      {"fp16", "0.1", "0.0999755859375"},
                                                                      {"bf16", "0.1", "0.10009765625"},
                                                                      {"e4m3", "0.1", "0.1015625"},
                                                                      {"e4m3", "17", "16"},
                                                                      {"e4m3", "19", "20"},
                                                                      {"e4m3", "21", "20"},
                                                                      {"e4m3", "1/3", "0.34375"},
                                                                      {"e5m2", "0.1", "0.09375"},
                                                                      {"e5m2", "500", "512"},
                                                                      {"e2m1", ".25", "0"},
                                                                      {"e2m1", ".75", "1"},
                                                                      {"e2m1", "1.25", "1"},
                                                                      {"e2m1", "1.75", "2"},
                                                                      {"e2m1", "2.5", "2"},
                                                                      {"e2m1", "3.5", "4"},
                                                                      {"e2m1", "5", "4"},
                                                                      {"e2m1", "5.01", "6"},
                                                                      {"int8", "25.125", "25"},
                                                                      {"int8", "-1000", "-128"},
                                                                      {"int2", "25.125", "1"},
                                                                      {"ternary", "0.5", "0"},
                                                                      {"ternary", "-25", "-1"},
                                                                      {"int1", "0", "1"},
                                                                      {"int1", "-0.001", "-1"},
                                                                      {"e8m0", "25.125", "32"},
                                                                      {"e8m0", "22.6", "16"}};
  for (const auto& [format, x, value] : values) EXPECT_EQ(back(format, x), value) << format << " " << x;
}

TEST(ScalarFormat, OverflowPolicies) {
  const EncodeOptions infinity{.overflow = Overflow::infinity};
  const EncodeOptions nan{.overflow = Overflow::nan};
  const EncodeOptions saturate{.overflow = Overflow::saturate};
  EXPECT_EQ(back("e4m3", "464", infinity), "448");  // the tie between 448 and what would be 480
  EXPECT_EQ(back("e4m3", "464.0001", infinity), "nan");
  EXPECT_EQ(back("e4m3", "464.0001", saturate), "448");
  EXPECT_EQ(back("e5m2", "61439", infinity), "57344");
  EXPECT_EQ(back("e5m2", "61440", infinity), "inf");
  EXPECT_EQ(back("e5m2", "-61440", infinity), "-inf");
  EXPECT_EQ(back("e5m2", "inf"), "57344");
  EXPECT_EQ(back("fp16", "-1e9", saturate), "-65504");
  EXPECT_EQ(back("fp16", "1e9", nan), "nan");
  EXPECT_EQ(back("fp16", "inf"), "inf");
  EXPECT_EQ(back("e2m1", "7", infinity), "6");
  EXPECT_EQ(back("e2m1", "-inf", nan), "-6");
  EXPECT_EQ(back("int4", "inf", infinity), "7");
  EXPECT_EQ(back("fp32", "1e5000"), "inf");
  EXPECT_EQ(encode(format_named("fp16"), number("65519"), saturate).fate, Fate::in_range);
  // Directed rounding does not overflow towards the inside.
  EXPECT_EQ(back("fp16", "1e9", {.rounding = RoundingMode::toward_zero}), "65504");
  EXPECT_EQ(back("fp16", "-1e9", {.rounding = RoundingMode::ceil}), "-65504");
  EXPECT_EQ(back("fp16", "65505", {.rounding = RoundingMode::ceil}), "inf");
  for (const char* name : {"e2m1", "e2m3", "int4", "ternary", "Q8.8"})
    EXPECT_FALSE(encode(format_named(name), ExactNumber::nan()).bits.has_value()) << name;
}

TEST(ScalarFormat, NamesAndAliases) {
  for (const char* name : {"FP32", "float32", "fp8_e4m3", "fp8-e5m2", "float8_e4m3fn", "half", "bfloat16",
                           "Q8.8", "uq5.3", "q0.15", "INT8"})
    EXPECT_TRUE(find_scalar_formats(name).has_value()) << name;
  EXPECT_EQ(find_scalar_formats("fp8")->size(), 2U);
  EXPECT_EQ(find_scalar_formats("fp6")->size(), 2U);
  for (const char* name :
       {"", "-", "q99.99", "q", "q5", "q5.", "q.3", "q5.3.1", "fp", "u", "uq", "uq0.0", "q-9.1",
        "q99999999999.3", "q2147483647.2147483647", "q-2147483648.2147483647", "fp8 "}) {
    const auto formats = find_scalar_formats(name);
    ASSERT_FALSE(formats.has_value()) << name;
    EXPECT_EQ(formats.error().kind, ErrorKind::usage);
  }
}

TEST(ScalarFormat, ThePageListsEveryFormat) {
  std::ifstream in(KERF_SOURCE_DIR "/docs/numbers.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  for (const ScalarFormat& format : all_scalar_formats()) {
    if (format.name == "int4" || format.name == "int3") continue;  // «`int8` … `int2`»
    const std::size_t row = page.find("`" + format.name + "`");
    ASSERT_NE(row, std::string::npos) << format.name;
    const std::string line = page.substr(row, page.find('\n', row) - row);
    if (!format.is_float()) continue;
    const std::string fields = " | " + std::to_string(format.bits) + " | " +
                               std::to_string(format.sign_bits) + " " + std::to_string(format.exponent_bits) +
                               " " + std::to_string(format.mantissa_bits) + " | ";
    EXPECT_NE(line.find(fields), std::string::npos) << line << " lacks" << fields;
    const bool saturates = line.find("| saturates |") != std::string::npos;
    EXPECT_EQ(saturates, format.overflow == Overflow::saturate) << line;
  }
}

// --- every format against its own definition ---------------------------------------------------------

class SmallFormat : public testing::TestWithParam<ScalarFormat> {};

std::vector<ScalarFormat> small_formats() {
  std::vector<ScalarFormat> out;
  for (const ScalarFormat& format : all_scalar_formats())
    if (format.bits <= 16) out.push_back(format);
  for (const char* name : {"Q3.4", "UQ5.3", "Q0.7", "Q-2.8", "UQ4.-2"}) out.push_back(format_named(name));
  return out;
}

TEST_P(SmallFormat, EveryPatternSurvivesDecodeAndEncode) {
  const ScalarFormat& format = GetParam();
  for (std::uint64_t bits = 0; bits < 1ULL << format.bits; ++bits) {
    const auto value = decode(format, bits);
    if (!value) continue;
    const Encoded encoded = encode(format, *value, {.overflow = Overflow::infinity});
    ASSERT_TRUE(encoded.bits.has_value());
    ASSERT_EQ(value->is_nan() ? format.nan_bits() : bits, encoded.bits) << bits;
    ASSERT_TRUE(value->is_nan() || value->is_infinite() || encoded.fate == Fate::in_range);
  }
}

TEST_P(SmallFormat, NeighboursAscendFromLowestToHighest) {
  const ScalarFormat& format = GetParam();
  std::uint64_t bits = lowest_bits(format);
  std::size_t count = 1;
  while (bits != highest_bits(format)) {
    const auto above = neighbours(format, bits).above;
    ASSERT_TRUE(above.has_value());
    ASSERT_TRUE(compare(*decode(format, bits), *decode(format, *above)) < 0) << bits;
    const auto below = neighbours(format, *above).below;
    ASSERT_TRUE(below.has_value());
    ASSERT_TRUE(compare(*decode(format, *below), *decode(format, bits)) == 0) << bits;
    bits = *above;
    ++count;
  }
  std::size_t finite = 0;
  for (std::uint64_t pattern = 0; pattern < 1ULL << format.bits; ++pattern) {
    const auto value = decode(format, pattern);
    if (value && value->is_finite()) ++finite;
  }
  EXPECT_EQ(count, finite - (format.is_float() && format.sign_bits != 0 ? 1 : 0));  // two zeros
  const auto end = neighbours(format, highest_bits(format)).above;
  EXPECT_EQ(end.has_value(), format.has_infinity());
}

/// The definition: the neighbour that the mode names, found by comparing with the neighbours themselves.
ExactNumber rounded_by_definition(const ScalarFormat& format, const ExactNumber& x, RoundingMode rounding) {
  Ordinal low = *ordinal_of(format, lowest_bits(format));
  Ordinal high = *ordinal_of(format, highest_bits(format));
  const auto value = [&](Ordinal ordinal) { return *decode(format, bits_of_ordinal(format, ordinal)); };
  if (compare(x, value(low)) <= 0) return value(low);
  if (compare(x, value(high)) >= 0) return value(high);
  while (high - low > 1) {
    const Ordinal middle = low + (high - low) / 2;
    (compare(value(middle), x) <= 0 ? low : high) = middle;
  }
  const ExactNumber down = value(low);
  const ExactNumber up = value(high);
  if (compare(down, x) == 0) return down;
  const auto nearer = compare(up - x, x - down);
  const ExactNumber& inner = x.negative ? up : down;
  const ExactNumber& outer = x.negative ? down : up;
  switch (rounding) {
    case RoundingMode::floor:
      return down;
    case RoundingMode::ceil:
      return up;
    case RoundingMode::toward_zero:
      return inner;
    default:
      break;
  }
  if (nearer < 0) return up;
  if (nearer > 0) return down;
  if (rounding == RoundingMode::nearest_up) return up;
  if (rounding == RoundingMode::nearest_away) return outer;
  return low % 2 == 0 ? down : up;
}

TEST_P(SmallFormat, RoundsAsDefined) {
  const ScalarFormat& format = GetParam();
  if (format.name == "e8m0" || format.name == "int1") return;  // have rules of their own, tested above
  Rng rng(11);
  const Ordinal least = *ordinal_of(format, lowest_bits(format));
  const Ordinal greatest = *ordinal_of(format, highest_bits(format));
  for (int trial = 0; trial < 600; ++trial) {
    const auto at = least + static_cast<Ordinal>(rng.below(static_cast<std::uint64_t>(greatest - least)));
    const ExactNumber down = *decode(format, bits_of_ordinal(format, at));
    const ExactNumber up = *decode(format, bits_of_ordinal(format, at + 1));
    // down + (up − down) · part / 8; 4/8 is the tie
    const ExactNumber part = ExactNumber::dyadic(true, rng.below(9), -3);
    const ExactNumber x = down - (up - down) * part;
    for (const NamedRounding& mode : all_rounding_modes()) {
      if (mode.rounding == RoundingMode::stochastic) continue;
      const Encoded encoded = encode(format, x, {mode.rounding, Overflow::saturate});
      const ExactNumber expected = rounded_by_definition(format, x, mode.rounding);
      ASSERT_TRUE(compare(*decode(format, *encoded.bits), expected) == 0)
          << exact_decimal(x).value() << " " << mode.name << ": "
          << exact_decimal(*decode(format, *encoded.bits)).value() << " instead of "
          << exact_decimal(expected).value();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Numbers, SmallFormat, testing::ValuesIn(small_formats()), [](const auto& info) {
  std::string name = info.param.name;
  for (char& c : name)
    if (c == '.' || c == '-') c = '_';
  return name;
});

TEST(Rounding, StochasticKeepsTheMean) {
  Rng rng(23);
  for (const char* name : {"e4m3", "Q3.4", "e2m1", "fp16", "int1", "ternary", "int4", "e8m0"}) {
    const ScalarFormat& format = format_named(name);
    for (const char* x : {"0.3", "0.71", "-0.3"}) {
      if (x[0] == '-' && !format.is_signed() && format.name != "int1") continue;
      double sum = 0;
      constexpr int kTrials = 4000;
      for (int trial = 0; trial < kTrials; ++trial) {
        const Encoded encoded = encode(format, number(x), {RoundingMode::stochastic, {}, rng.next()});
        sum += decode(format, *encoded.bits)->to_double();
      }
      const double step = format.name == "int1" ? 2 : format.name == "e8m0" ? 0.5 : 1;
      EXPECT_NEAR(sum / kTrials, number(x).to_double(), step * 0.5 * 5 / std::sqrt(kTrials))
          << name << " " << x;
    }
  }
}

TEST(E8m0, RoundsTheLogarithmExactly) {
  EXPECT_EQ(bits_of("e8m0", "1.41421356237309504"), 127U);
  EXPECT_EQ(bits_of("e8m0", "1.41421356237309505"), 128U);
  EXPECT_EQ(bits_of("e8m0", "7.9", {.rounding = RoundingMode::floor}), 129U);
  EXPECT_EQ(bits_of("e8m0", "4.1", {.rounding = RoundingMode::ceil}), 130U);
  EXPECT_EQ(bits_of("e8m0", "4", {.rounding = RoundingMode::ceil}), 129U);
  for (const char* x : {"0", "-3", "1e-300", "-inf"}) EXPECT_EQ(bits_of("e8m0", x), 0U) << x;
  EXPECT_EQ(bits_of("e8m0", "1e300"), 254U);
  EXPECT_EQ(bits_of("e8m0", "1e300", {.overflow = Overflow::infinity}), 255U);
  for (const char* x : {"0x1.8p0", "0x1.8p127", "0x1.8p-140"})
    EXPECT_TRUE(encode(format_named("e8m0"), number(x)).rounded_up) << x;
}

// --- against numpy and ml_dtypes (tools/golden_numbers.py) -------------------------------------------

std::uint64_t hash_of_all(const ScalarFormat& format) {
  std::uint64_t state = 0xCBF29CE484222325ULL;
  for (std::uint64_t bits = 0; bits < 1ULL << format.bits; ++bits) {
    const ExactNumber value = *decode(format, bits);
    const std::uint64_t word =
        value.is_nan() ? 0x7FF8000000000000ULL : std::bit_cast<std::uint64_t>(value.to_double());
    for (int shift = 0; shift < 64; shift += 8) state = (state ^ (word >> shift & 0xFF)) * 0x100000001B3ULL;
  }
  return state;
}

TEST(AgainstNumpy, DecodesEveryBitPattern) {
  std::ifstream in(KERF_SOURCE_DIR "/tests/golden/numbers_decode.txt");
  std::string name;
  std::uint64_t count = 0;
  std::uint64_t hash = 0;
  int n_formats = 0;
  for (; in >> name >> count >> hash; ++n_formats) {
    const ScalarFormat& format = format_named(name);
    EXPECT_EQ(count, 1ULL << format.bits) << name;
    EXPECT_EQ(hash_of_all(format), hash) << name;
    ScalarFormat wrong = format;  // the comparison is not blind
    wrong.bias += 1;
    EXPECT_NE(hash_of_all(wrong), hash) << name;
  }
  EXPECT_EQ(n_formats, 8);
}

template <class T>
std::vector<T> read_array(std::istream& in, std::size_t count) {
  std::vector<T> array(count);
  in.read(reinterpret_cast<char*>(array.data()), static_cast<std::streamsize>(count * sizeof(T)));
  return array;
}

template <class Code, class Value>
void expect_roundings(std::istream& in, std::string_view name, const std::vector<Value>& inputs) {
  const auto expected = read_array<Code>(in, inputs.size());
  ASSERT_TRUE(in.good()) << name;
  const ScalarFormat& format = format_named(name);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Encoded encoded =
        encode(format, ExactNumber::of(static_cast<double>(inputs[i])), {.overflow = Overflow::infinity});
    const bool both_nan = encoded.fate == Fate::nan && decode(format, expected[i])->is_nan();
    ASSERT_TRUE(encoded.bits == expected[i] || both_nan)
        << name << " of " << inputs[i] << ": " << *encoded.bits << " instead of " << +expected[i];
  }
}

TEST(AgainstNumpy, RoundsRandomNumbersAndTies) {
  std::ifstream in(KERF_SOURCE_DIR "/tests/golden/numbers_round.bin", std::ios::binary);
  const auto single = read_array<float>(in, read_array<std::uint32_t>(in, 1)[0]);
  ASSERT_GT(single.size(), 1900U);
  for (const char* name : {"fp16", "bf16"}) expect_roundings<std::uint16_t>(in, name, single);
  for (const char* name : {"e4m3", "e5m2", "e2m3", "e3m2", "e2m1"})
    expect_roundings<std::uint8_t>(in, name, single);
  const auto twice = read_array<double>(in, read_array<std::uint32_t>(in, 1)[0]);
  ASSERT_GT(twice.size(), 800U);
  expect_roundings<std::uint32_t>(in, "fp32", twice);
  expect_roundings<std::uint16_t>(in, "fp16", twice);
}

// --- the converters that loops use -------------------------------------------------------------------

struct Converter {
  const char* format;
  std::uint64_t (*encode)(float);
  float (*decode)(std::uint64_t);
};
const Converter kConverters[] = {
    {"fp16", [](float x) -> std::uint64_t { return f32_to_f16(x); },
     [](std::uint64_t b) { return f16_to_f32(static_cast<std::uint16_t>(b)); }},
    {"bf16", [](float x) -> std::uint64_t { return f32_to_bf16(x); },
     [](std::uint64_t b) { return bf16_to_f32(static_cast<std::uint16_t>(b)); }},
    {"e4m3", [](float x) -> std::uint64_t { return f32_to_e4m3(x); },
     [](std::uint64_t b) { return e4m3_to_f32(static_cast<std::uint8_t>(b)); }},
    {"e5m2", [](float x) -> std::uint64_t { return f32_to_e5m2(x); },
     [](std::uint64_t b) { return e5m2_to_f32(static_cast<std::uint8_t>(b)); }},
    {"e2m3", [](float x) -> std::uint64_t { return f32_to_e2m3(x); },
     [](std::uint64_t b) { return e2m3_to_f32(static_cast<std::uint8_t>(b)); }},
    {"e3m2", [](float x) -> std::uint64_t { return f32_to_e3m2(x); },
     [](std::uint64_t b) { return e3m2_to_f32(static_cast<std::uint8_t>(b)); }},
    {"e2m1", [](float x) -> std::uint64_t { return f32_to_e2m1(x); },
     [](std::uint64_t b) { return e2m1_to_f32(static_cast<std::uint8_t>(b)); }},
    {"ue4m3", [](float x) -> std::uint64_t { return f32_to_ue4m3(x); },
     [](std::uint64_t b) { return ue4m3_to_f32(static_cast<std::uint8_t>(b)); }},
    {"e8m0", [](float x) -> std::uint64_t { return f32_to_e8m0(x); },
     [](std::uint64_t b) { return e8m0_to_f32(static_cast<std::uint8_t>(b)); }},
};

void expect_same_rounding(const Converter& converter, float x) {
  const Encoded encoded = encode(format_named(converter.format), ExactNumber::of(static_cast<double>(x)));
  ASSERT_EQ(converter.encode(x), encoded.bits) << converter.format << " of " << x;
}

TEST(Converters, DecodeLikeTheDefinition) {
  for (const Converter& converter : kConverters) {
    const ScalarFormat& format = format_named(converter.format);
    for (std::uint64_t bits = 0; bits < 1ULL << format.bits; ++bits) {
      const double expected = decode(format, bits)->to_double();
      const double got = converter.decode(bits);
      ASSERT_TRUE(std::isnan(expected)
                      ? std::isnan(got)
                      : std::bit_cast<std::uint64_t>(expected) == std::bit_cast<std::uint64_t>(got))
          << format.name << " " << bits;
    }
  }
}

TEST(Converters, EncodeLikeTheDefinition) {
  Rng rng(29);
  for (const Converter& converter : kConverters) {
    const ScalarFormat& format = format_named(converter.format);
    for (int trial = 0; trial < 4000; ++trial) {
      const auto word = static_cast<std::uint32_t>(rng.next());
      const auto x = std::bit_cast<float>(word);
      if (!std::isnan(x)) expect_same_rounding(converter, x);
      const auto usual = static_cast<float>(rng.normal() * std::exp2(rng.uniform() * 40 - 24));
      expect_same_rounding(converter, usual);
    }
    // Every tie (every 7th of the 16-bit formats) and the numbers next to it.
    const std::uint64_t step = format.bits > 8 ? 7 : 1;
    for (std::uint64_t bits = 0; bits + 1 < highest_bits(format); bits += step) {
      const double middle = (decode(format, bits)->to_double() + decode(format, bits + 1)->to_double()) / 2;
      const auto tie = static_cast<float>(middle);
      for (const float x : {tie, std::nextafter(tie, 0.0F), std::nextafter(tie, 1e38F), -tie})
        expect_same_rounding(converter, x);
    }
  }
}

}  // namespace
}  // namespace kerf
