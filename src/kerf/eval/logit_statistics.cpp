// With m = max z, e_i = exp(z_i − m), S = Σ e_i:  ln p_i = z_i − m − ln S.
// For base b and model q:  KL = Σ p_i (ln p_i − ln q_i) = Σ e_i (b_i − q_i) / S_b − (m_b + ln S_b) + (m_q +
// ln S_q), one pass over both rows once the maxima are known.
#include "kerf/eval/logit_statistics.h"

#include <algorithm>
#include <cmath>

#include "kerf/base/bits.h"

namespace kerf {
namespace {

constexpr std::size_t kLanes = 8;  // fixed, so that every instruction set adds in the same order

/// e^x for x in [−inf, 0], relative error below 1e-15, 0 below −700. Branch-free so that loops vectorise.
/// e^x = 2^k · e^r with |r| ≤ ln2 / 2, e^r by its Taylor polynomial of degree 13.
inline double exp_of_negative(double x) noexcept {
  constexpr double kShift = 0x1.8p52;  // adding it rounds to an integer that sits in the low mantissa bits
  const double clamped = x < -700.0 ? -700.0 : x;
  const double shifted = clamped * 1.4426950408889634 + kShift;
  const double k = shifted - kShift;
  const double r = (clamped - k * 0x1.62e42fefa38p-1) - k * 0x1.ef35793c7673p-45;
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  const auto exponent = (std::bit_cast<std::uint64_t>(shifted) + 1023) << 52;
  const double result = p * std::bit_cast<double>(exponent);
  return x < -700.0 ? 0.0 : result;
}

KERF_CLONES float max_of(const float* x, std::size_t n) noexcept {
  float lanes[kLanes];
  std::fill(std::begin(lanes), std::end(lanes), x[0]);
  const std::size_t whole = n / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = x[i + lane] > lanes[lane] ? x[i + lane] : lanes[lane];
  float largest = *std::max_element(std::begin(lanes), std::end(lanes));
  for (std::size_t i = whole; i < n; ++i) largest = std::max(largest, x[i]);
  return largest;
}

KERF_CLONES double sum_of_exp(const float* x, float largest, std::size_t n) noexcept {
  double lanes[kLanes] = {};
  const std::size_t whole = n / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] += exp_of_negative(static_cast<double>(x[i + lane]) - largest);
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  for (std::size_t i = whole; i < n; ++i) sum += exp_of_negative(static_cast<double>(x[i]) - largest);
  return sum;
}

struct BaseSums {
  double exp = 0;       // Σ e_i
  double weighted = 0;  // Σ e_i (b_i − q_i)
};

KERF_CLONES BaseSums base_sums(const float* base, const float* model, float largest, std::size_t n) noexcept {
  double exps[kLanes] = {};
  double weighted[kLanes] = {};
  const std::size_t whole = n / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double b = base[i + lane];
      const double e = exp_of_negative(b - largest);
      exps[lane] += e;
      weighted[lane] += e * (b - model[i + lane]);
    }
  BaseSums sums;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    sums.exp += exps[lane];
    sums.weighted += weighted[lane];
  }
  for (std::size_t i = whole; i < n; ++i) {
    const double e = exp_of_negative(static_cast<double>(base[i]) - largest);
    sums.exp += e;
    sums.weighted += e * (static_cast<double>(base[i]) - model[i]);
  }
  return sums;
}

TokenScore score(const float* logits, std::size_t n, std::int32_t token, float largest,
                 double log_sum) noexcept {
  TokenScore result;
  result.nll = log_sum - logits[token];
  result.probability = std::exp(-result.nll);
  result.top = static_cast<std::int32_t>(std::find(logits, logits + n, largest) - logits);
  return result;
}

}  // namespace

TokenScore score_token(const float* logits, std::size_t n_vocabulary, std::int32_t token) noexcept {
  const float largest = max_of(logits, n_vocabulary);
  const double log_sum = largest + std::log(sum_of_exp(logits, largest, n_vocabulary));
  return score(logits, n_vocabulary, token, largest, log_sum);
}

PairScore score_pair(const float* logits, const float* base_logits, std::size_t n_vocabulary,
                     std::int32_t token) noexcept {
  const float largest = max_of(logits, n_vocabulary);
  const float base_largest = max_of(base_logits, n_vocabulary);
  const double log_sum = largest + std::log(sum_of_exp(logits, largest, n_vocabulary));
  const BaseSums sums = base_sums(base_logits, logits, base_largest, n_vocabulary);
  const double base_log_sum = base_largest + std::log(sums.exp);
  PairScore pair;
  pair.model = score(logits, n_vocabulary, token, largest, log_sum);
  pair.base = score(base_logits, n_vocabulary, token, base_largest, base_log_sum);
  // Rounding can make a divergence of nearly equal rows a tiny negative number.
  pair.kl = std::max(0.0, sums.weighted / sums.exp - base_log_sum + log_sum);
  return pair;
}

}  // namespace kerf
