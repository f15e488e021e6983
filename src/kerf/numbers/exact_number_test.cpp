#include "kerf/numbers/exact_number.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kerf/base/rng.h"

namespace kerf {
namespace {

ExactNumber number(std::string_view text) {
  const auto value = parse_number(text);
  EXPECT_TRUE(value.has_value()) << text;
  return value ? *value : ExactNumber::nan();
}

std::string all_digits(const ExactNumber& value) {
  return exact_decimal(value).value_or("never ends");
}

TEST(Natural, ArithmeticAgreesWith128Bits) {
  Rng rng(7);
  using Wide = unsigned __int128;
  const auto wide = [](const Natural& x) { return Wide{(x >> 64).low64()} << 64 | x.low64(); };
  for (int trial = 0; trial < 20000; ++trial) {
    const std::uint64_t a = rng.next() >> rng.below(64);
    const std::uint64_t b = rng.next() >> rng.below(64);
    const std::uint64_t c = rng.next() >> rng.below(64);
    const Natural product = Natural{a} * Natural{b};
    ASSERT_EQ(wide(product), Wide{a} * b);
    ASSERT_EQ(wide(product + Natural{c}), Wide{a} * b + c);
    if (a == 0 || c == 0) continue;
    const auto [quotient, remainder] = product.divide(c);
    ASSERT_EQ(wide(quotient), Wide{a} * b / c) << a << " " << b << " " << c;
    ASSERT_EQ(wide(remainder), Wide{a} * b % c);
    ASSERT_EQ(product <=> Natural{c} * Natural{a}, b <=> c) << a;
    ASSERT_EQ(wide((product << 17) >> 17), Wide{a} * b);
    ASSERT_EQ(product + Natural{c} - Natural{c}, product);
  }
}

TEST(Natural, Decimal) {
  EXPECT_EQ(Natural{}.decimal(), "0");
  EXPECT_EQ(Natural{1'000'000'000}.decimal(), "1000000000");
  EXPECT_EQ(Natural::power(10, 40).decimal(), "1" + std::string(40, '0'));
  EXPECT_EQ(Natural::power(2, 100).decimal(), "1267650600228229401496703205376");
  EXPECT_EQ(Natural::power(7, 0).decimal(), "1");
}

TEST(ExactNumber, ReadsWhatPeopleWrite) {
  const std::pair<const char*, double> cases[] = {{"25.125", 25.125},
                                                  {"-1e-3", -1e-3},
                                                  {".5", 0.5},
                                                  {"5.", 5.0},
                                                  {"+7", 7.0},
                                                  {"0x1.8p3", 12.0},
                                                  {"-0X.8P-1", -0.25},
                                                  {"0x41", 65.0},
                                                  {"1E6", 1e6},
                                                  {"1/4", 0.25},
                                                  {"-3/8", -0.375},
                                                  {"1/3", 1.0 / 3.0},
                                                  {"0.1", 0.1},
                                                  {"4.9e-324", 4.9e-324},
                                                  {"1e308", 1e308},
                                                  {"2.5/0.5", 5.0},
                                                  {"1e400", INFINITY},
                                                  {"-inf", -INFINITY},
                                                  {"Infinity", INFINITY},
                                                  {"9007199254740993", 9007199254740992.0},
                                                  {"−2", -2.0}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(number(text).to_double(), expected) << text;
  EXPECT_TRUE(number("NaN").is_nan());
  EXPECT_TRUE(number("-0").negative);
  EXPECT_TRUE(number("-0.0e5").is_zero());
}

TEST(ExactNumber, RefusesWhatIsNoNumber) {
  const std::string cases[] = {"",
                               "abc",
                               "-",
                               "1e",
                               "1e+",
                               "0x",
                               "1..2",
                               "1 2",
                               "--1",
                               "1/0",
                               "1/inf",
                               "nan/1",
                               "1/2/3",
                               "e5",
                               "0x1p",
                               "1e5.0",
                               "1e999999",
                               "1e-999999",
                               "0x1p99999999999999999999",
                               "1f",
                               "٣",
                               std::string(2000, '1')};
  for (const std::string& text : cases) {
    const auto value = parse_number(text);
    ASSERT_FALSE(value.has_value()) << text;
    EXPECT_EQ(value.error().kind, ErrorKind::usage);
    EXPECT_FALSE(value.error().message().empty());
  }
}

TEST(ExactNumber, SurvivesAnyText) {
  constexpr std::string_view kLetters = "0123456789..eExXpP+-//infan";
  Rng rng(17);
  int n_numbers = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    std::string text;
    for (std::uint64_t i = rng.below(9); i > 0; --i) text += kLetters[rng.below(kLetters.size())];
    const auto value = parse_number(text);
    if (!value) continue;
    ++n_numbers;
    if (!value->is_finite()) continue;
    // What is written back is the same number.
    const auto decimal = exact_decimal(*value);
    if (decimal && decimal->size() < 1000) {
      ASSERT_TRUE(compare(*parse_number(*decimal), *value) == 0) << text;
    }
  }
  EXPECT_GT(n_numbers, 1000);
}

TEST(ExactNumber, WritesEveryDigit) {
  EXPECT_EQ(all_digits(ExactNumber::of(0.1F)), "0.100000001490116119384765625");
  EXPECT_EQ(all_digits(ExactNumber::of(-6.5)), "-6.5");
  EXPECT_EQ(all_digits(ExactNumber::of(1e15)), "1000000000000000");
  EXPECT_EQ(all_digits(ExactNumber::dyadic(false, 1, 127)), "1.70141183460469231731687303715884105728e38");
  EXPECT_EQ(
      all_digits(ExactNumber::of(std::numeric_limits<float>::denorm_min())),
      "1.40129846432481707092372958328991613128026194187651577175706828388979108268586060148663818836212"
      "158203125e-45");
  EXPECT_EQ(all_digits(number("3/6")), "0.5");
  EXPECT_EQ(all_digits(number("1/3")), "never ends");
  EXPECT_EQ(all_digits(number("-0")), "-0");
  EXPECT_EQ(all_digits(number("-inf")), "-inf");
  EXPECT_EQ(all_digits(number("100")), "100");
  EXPECT_EQ(all_digits(number("1e-7")), "0.0000001");
  EXPECT_EQ(all_digits(number("1e-8")), "1e-8");
}

TEST(ExactNumber, WritesFewDigits) {
  EXPECT_EQ(short_decimal(number("1/3"), 4), "0.3333");
  EXPECT_EQ(short_decimal(number("2/3"), 4), "0.6667");
  EXPECT_EQ(short_decimal(number("-0.99999"), 3), "-1");
  EXPECT_EQ(short_decimal(number("1e-3000"), 6), "1e-3000");
  EXPECT_EQ(short_decimal(number("123456789"), 3), "123000000");
  EXPECT_EQ(short_decimal(number("9.995e30"), 3), "1e31");
  EXPECT_EQ(short_decimal(number("1"), 6), "1");
  Rng rng(3);
  for (int trial = 0; trial < 2000; ++trial) {
    const double value = std::exp((rng.uniform() - 0.5) * 600);
    char expected[40];
    std::snprintf(expected, sizeof expected, "%.8e", value);
    const double shown = std::strtod(short_decimal(ExactNumber::of(value), 9).c_str(), nullptr);
    ASSERT_EQ(shown, std::strtod(expected, nullptr)) << value;
  }
}

TEST(ExactNumber, ToDoubleAndBack) {
  Rng rng(5);
  for (int trial = 0; trial < 5000; ++trial) {
    const auto value = std::bit_cast<double>(rng.next());
    if (std::isnan(value)) continue;
    ASSERT_EQ(ExactNumber::of(value).to_double(), value);
    if (std::isfinite(value) && value != 0) {
      ASSERT_EQ(ExactNumber::of(value).floor_log2(), std::ilogb(value)) << value;
    }
  }
  const double least = std::numeric_limits<double>::denorm_min();
  EXPECT_EQ(ExactNumber::of(least).scaled(-1).to_double(), 0.0);  // tie to even
  EXPECT_EQ((ExactNumber::of(least) * number("1.5")).to_double(), 2 * least);
}

TEST(ExactNumber, ArithmeticAndOrder) {
  EXPECT_EQ(all_digits(number("0.3") - number("0.1")), "0.2");
  EXPECT_EQ(all_digits(number("0.1") - number("0.3")), "-0.2");
  EXPECT_EQ(all_digits(number("-0.1") - number("0.3")), "-0.4");
  EXPECT_EQ(all_digits(number("0.5") - number("0.5")), "0");
  EXPECT_EQ(all_digits(number("-0.2") * number("0.5")), "-0.1");
  EXPECT_EQ(all_digits(number("-0.2") / number("-0.5")), "0.4");
  EXPECT_TRUE(compare(number("-0"), number("0")) == 0);
  EXPECT_TRUE(compare(number("-inf"), number("-1e300")) < 0);
  EXPECT_TRUE(compare(number("inf"), number("inf")) == 0);
  EXPECT_TRUE(compare(number("-2"), number("-1")) < 0);
  EXPECT_TRUE(compare(number("1/3"), number("0.333")) > 0);
  EXPECT_TRUE(compare(number("nan"), number("nan")) == std::partial_ordering::unordered);
}

TEST(ExactNumber, BinaryDigits) {
  EXPECT_EQ(binary_digits(number("25.125"), 0, 20), "11001.001");
  EXPECT_EQ(binary_digits(number("25.125"), 4, 20), "1.1001001");
  EXPECT_EQ(binary_digits(number("-0.1"), -4, 8), "1.10011001…");
  EXPECT_EQ(binary_digits(number("0"), 0, 8), "0");
  EXPECT_EQ(binary_digits(number("3"), 3, 8), "0.011");
}

}  // namespace
}  // namespace kerf
