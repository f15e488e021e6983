// What `kerf number` says about one number in one format, before it is laid out as text or JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kerf/numbers/rounding.h"
#include "kerf/numbers/scalar_format.h"

namespace kerf::cli {

struct NumberRequest {
  std::string text;              ///< as typed, for the steps
  std::optional<ExactNumber> x;  ///< nothing if a pattern is to be read
  std::uint64_t pattern = 0;
  std::optional<ExactNumber> scale;  ///< x / scale is stored
  std::string scale_text;
  EncodeOptions encode;
};

/// A number of the format beside another; its value is multiplied by the scale.
struct Neighbour {
  std::uint64_t bits;
  ExactNumber value;
};

struct NumberReport {
  ScalarFormat format;
  Encoded encoded;                        ///< with only `bits` set if a pattern was given
  std::optional<ExactNumber> stored;      ///< what the bits stand for
  std::optional<ExactNumber> value;       ///< the same times the scale: what comes back
  std::optional<ExactNumber> error;       ///< value − x, if both are finite
  std::optional<ExactNumber> relative;    ///< error / |x|, unless x is 0
  std::optional<Neighbour> below, above;  ///< of the value
  std::vector<std::string> steps;         ///< the derivation, one line each
};

[[nodiscard]] NumberReport report_number(const NumberRequest& request, const ScalarFormat& format);

/// The pattern in its parts: «0 10000011 1001…», «0 11001.001».
struct BitFields {
  std::string sign, exponent, mantissa;  ///< of fixed point: sign, integer bits, fraction bits
};
[[nodiscard]] BitFields bit_fields(const ScalarFormat& format, std::uint64_t bits);
/// The parts with what sets them apart: a space, or the point of fixed point.
[[nodiscard]] std::string joined(const ScalarFormat& format, const BitFields& fields);
/// «0x4E48», as many digits as the width needs.
[[nodiscard]] std::string hexadecimal(const ScalarFormat& format, std::uint64_t bits);
/// Exponent field and the exponent that it means: (131, 4). Nothing for fixed point, infinity and NaN.
struct ExponentPair {
  int biased, actual;
};
[[nodiscard]] std::optional<ExponentPair> exponents(const ScalarFormat& format, std::uint64_t bits);

/// All digits if they are few, else the first ones with «≈».
[[nodiscard]] std::string brief(const ExactNumber& value, std::size_t longest = 21);
/// «2⁻¹⁴».
[[nodiscard]] std::string power_of_two(int exponent);
/// «−12» in superscript digits.
[[nodiscard]] std::string superscript(int number);

/// The derivation; `report` has everything but its steps.
[[nodiscard]] std::vector<std::string> explain_encoding(const NumberRequest& request,
                                                        const NumberReport& report);
[[nodiscard]] std::vector<std::string> explain_pattern(const ScalarFormat& format, std::uint64_t bits);

/// One line for each report. `colour` sets the fields of the bits apart by colour.
[[nodiscard]] std::string number_table(const std::vector<NumberReport>& reports, bool colour);
/// Everything about one.
[[nodiscard]] std::string number_details(const NumberRequest& request, const NumberReport& report,
                                         bool colour);

}  // namespace kerf::cli
