// Made-up numbers of a known distribution, and how well any code of R bits per number can do on them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/result.h"

namespace kerf::study {

/// Independent numbers of mean 0 and variance 1.
class Distribution {
 public:
  enum class Kind { gaussian, laplace, uniform, student_t };

  static constexpr double kDefaultNu = 5;

  /// «gaussian», «laplace», «uniform», «student-t». `nu` is the degrees of freedom of the last, above 2 (at 2
  /// and below the variance is infinite). Errors: usage.
  static Result<Distribution> make(std::string_view name, double nu = kDefaultNu);
  /// All names that make() knows.
  [[nodiscard]] static const std::vector<std::string_view>& names();

  [[nodiscard]] std::string_view name() const noexcept { return name_; }
  /// For people: «Student-t, ν = 5».
  [[nodiscard]] const std::string& title() const noexcept { return title_; }

  /// Fills dst[n] with row number `row` of the sample that `seed` names; the same on any thread.
  void fill(std::uint64_t seed, std::uint64_t row, float* dst, std::size_t n) const;

  /// Differential entropy in nats.
  [[nodiscard]] double entropy() const noexcept { return entropy_; }

  /// The SQNR in dB that no code of `bits` per number exceeds: that of Shannon's lower bound
  /// D(R) ≥ exp(2h) / (2πe) · 2^(−2R) (Shannon 1959), which for the Gaussian is D(R) = 2^(−2R) itself. For
  /// the others it is below the true D(R) by an amount that vanishes as the rate grows; it is a bound all the
  /// same.
  [[nodiscard]] double bound_db(double bits) const noexcept;
  /// Whether bound_db() is the rate-distortion function and not just below it.
  [[nodiscard]] bool bound_is_exact() const noexcept { return kind_ == Kind::gaussian; }

 private:
  Kind kind_ = Kind::gaussian;
  std::string_view name_;
  std::string title_;
  double nu_ = kDefaultNu;
  double entropy_ = 0;
};

/// The SQNR in dB of the Gaussian D(R) = 2^(−2R): 6.02 per bit.
[[nodiscard]] double gaussian_bound_db(double bits) noexcept;

}  // namespace kerf::study
