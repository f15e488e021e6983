// Holds every table that this CPU can run to the definition, on sizes around every vector and tile edge.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/kernels/dispatch.h"
#include "kerf/numbers/float16.h"

namespace kerf::kernels {
namespace {

constexpr std::size_t kSizes[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 172, 576, 1000};
constexpr double kEps = 0x1p-24;
// What a write beyond the end would destroy.
constexpr float kCanary = 12345.0F;

std::vector<float> normal_numbers(std::size_t n, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> x(n);
  for (float& v : x) v = static_cast<float>(rng.normal());
  return x;
}

// n numbers and one canary.
std::vector<float> output(std::size_t n) {
  std::vector<float> y(n + 1, 0.0F);
  y[n] = kCanary;
  return y;
}

// |computed − exact| of a sum of n products, however it is ordered: n roundings of at most Σ|a·b|.
double sum_bound(std::size_t n, double sum_of_magnitudes) {
  return static_cast<double>(n + 4) * kEps * sum_of_magnitudes;
}

// --- checks of one loop against double precision; each returns the first complaint ---
using Complaint = std::string;

Complaint check_dot(const KernelTable& table) {
  for (const std::size_t n : kSizes) {
    const auto a = normal_numbers(n, 1);
    const auto b = normal_numbers(n, 2);
    double exact = 0;
    double magnitudes = 0;
    for (std::size_t i = 0; i < n; ++i) {
      exact += static_cast<double>(a[i]) * b[i];
      magnitudes += std::fabs(static_cast<double>(a[i]) * b[i]);
    }
    if (!(std::fabs(table.dot_f32(a.data(), b.data(), n) - exact) <= sum_bound(n, magnitudes)))
      return "dot_f32 at n = " + std::to_string(n);
  }
  return "";
}

Complaint check_gemm(const KernelTable& table) {
  for (const std::size_t n_t : {0, 1, 2, 3, 4, 5, 9})
    for (const std::size_t n_r : {0, 1, 2, 3, 4, 5, 6, 7, 8, 13})
      for (const std::size_t n_k : {0, 1, 7, 8, 15, 16, 17, 33, 64, 100}) {
        const std::size_t lda = n_k + 3;
        const std::size_t ldb = n_k + 5;
        const std::size_t ldc = n_r + 2;
        const auto a = normal_numbers(n_t * lda, 3);
        const auto b = normal_numbers(n_r * ldb, 4);
        std::vector<float> c(n_t * ldc + 1, kCanary);
        table.gemm_f32(a.data(), lda, b.data(), ldb, c.data(), ldc, n_t, n_r, n_k);
        for (std::size_t t = 0; t < n_t; ++t)
          for (std::size_t r = 0; r < ldc; ++r) {
            const float expected =
                r < n_r ? table.dot_f32(a.data() + t * lda, b.data() + r * ldb, n_k) : kCanary;
            // Bit for bit: a tile and a single row add in the same order.
            if (std::memcmp(&c[t * ldc + r], &expected, 4) != 0)
              return "gemm_f32 at T, R, K = " + std::to_string(n_t) + ", " + std::to_string(n_r) + ", " +
                     std::to_string(n_k);
          }
        if (c.back() != kCanary) return "gemm_f32 writes beyond C";
      }
  return "";
}

Complaint check_weighted_sum(const KernelTable& table) {
  for (const std::size_t n : kSizes)
    for (const std::size_t n_j : {0, 1, 2, 5, 33}) {
      const std::size_t ldx = n + 2;
      const auto weight = normal_numbers(n_j, 5);
      const auto x = normal_numbers(n_j * ldx, 6);
      auto y = output(n);
      table.weighted_sum(weight.data(), x.data(), ldx, y.data(), n_j, n);
      for (std::size_t i = 0; i < n; ++i) {
        double exact = 0;
        double magnitudes = 0;
        for (std::size_t j = 0; j < n_j; ++j) {
          exact += static_cast<double>(weight[j]) * x[j * ldx + i];
          magnitudes += std::fabs(static_cast<double>(weight[j]) * x[j * ldx + i]);
        }
        if (!(std::fabs(y[i] - exact) <= sum_bound(n_j, magnitudes)))
          return "weighted_sum at n = " + std::to_string(n);
      }
      if (y[n] != kCanary) return "weighted_sum writes beyond y";
    }
  return "";
}

Complaint check_reductions(const KernelTable& table) {
  for (const std::size_t n : kSizes) {
    const auto x = normal_numbers(n, 7);
    double squares = 0;
    float largest = -std::numeric_limits<float>::infinity();
    for (const float v : x) {
      squares += static_cast<double>(v) * v;
      largest = std::fmax(largest, v);
    }
    if (!(std::fabs(table.sum_squares(x.data(), n) - squares) <= sum_bound(n, squares)))
      return "sum_squares at n = " + std::to_string(n);
    if (n > 0 && table.max_f32(x.data(), n) != largest) return "max_f32 at n = " + std::to_string(n);
  }
  // The largest number in every place, all others far below: a forgotten tail or lane shows.
  for (std::size_t n = 1; n < 70; ++n)
    for (std::size_t place = 0; place < n; ++place) {
      std::vector<float> x(n, -1e30F);
      x[place] = -5.0F;
      if (table.max_f32(x.data(), n) != -5.0F) return "max_f32 overlooks a place";
    }
  return "";
}

// One loop over rows that writes n numbers, against its formula in double precision.
struct Elementwise {
  const char* name;
  std::function<void(const KernelTable&, const float* a, const float* b, float* y, std::size_t n)> run;
  double (*formula)(double a, double b);
  double relative;  // allowed error per magnitude of the result
};

const Elementwise kElementwise[] = {
    {"axpy_f32",
     [](auto& k, auto* a, auto* b, float* y, auto n) {
       std::copy(b, b + n, y);
       k.axpy_f32(0.75F, a, y, n);
     },
     [](double a, double b) { return b + 0.75 * a; }, 8 * kEps},
    {"scale_by", [](auto& k, auto* a, auto* b, float* y, auto n) { k.scale_by(a, 0.3F, b, y, n); },
     [](double a, double b) { return a * static_cast<double>(0.3F) * b; }, 4 * kEps},
    {"scale_f32",
     [](auto& k, auto* a, auto*, float* y, auto n) {
       std::copy(a, a + n, y);
       k.scale_f32(0.3F, y, n);
     },
     [](double a, double) { return a * static_cast<double>(0.3F); }, 2 * kEps},
    {"exp_shifted", [](auto& k, auto* a, auto*, float* y, auto n) { k.exp_shifted(a, 0.5F, y, n); },
     [](double a, double) { return std::exp(a - 0.5); }, 16 * kEps},
    {"silu_mul", [](auto& k, auto* a, auto* b, float* y, auto n) { k.silu_mul(a, b, y, n); },
     [](double a, double b) { return a / (1 + std::exp(-a)) * b; }, 16 * kEps},
    {"gelu_mul", [](auto& k, auto* a, auto* b, float* y, auto n) { k.gelu_mul(a, b, y, n); },
     [](double a, double b) {
       // tanh by its exponential: 1 + tanh(u) would cancel. The exponent 2u reaches 90 and its rounding
       // errors become relative errors of the result.
       const double u = std::sqrt(2 / std::numbers::pi) * (a + 0.044715 * a * a * a);
       return a / (1 + std::exp(-2 * u)) * b;
     },
     512 * kEps},
};

Complaint check_elementwise(const KernelTable& table) {
  for (const Elementwise& loop : kElementwise)
    for (const std::size_t n : kSizes) {
      auto a = normal_numbers(n, 8);
      for (float& v : a) v *= 3;
      const auto b = normal_numbers(n, 9);
      auto y = output(n);
      loop.run(table, a.data(), b.data(), y.data(), n);
      for (std::size_t i = 0; i < n; ++i) {
        const double exact = loop.formula(a[i], b[i]);
        const double scale = std::fabs(exact) + (loop.name[0] == 'a' ? std::fabs(b[i]) : 0.0);
        if (!(std::fabs(y[i] - exact) <= loop.relative * scale))
          return std::string(loop.name) + " at n = " + std::to_string(n) + ": " + std::to_string(y[i]) +
                 " instead of " + std::to_string(exact);
      }
      if (y[n] != kCanary) return std::string(loop.name) + " writes beyond y";
      // The same number in another place of another length.
      if (n > 9) {
        auto shifted = output(n - 3);
        loop.run(table, a.data() + 3, b.data() + 3, shifted.data(), n - 3);
        if (std::memcmp(shifted.data(), y.data() + 3, (n - 3) * 4) != 0)
          return std::string(loop.name) + " depends on the place";
      }
    }
  return "";
}

Complaint check_exp(const KernelTable& table) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {-kInf, -1000, -104, -100, -88,   -87, -1e-8F, 0,
                                1e-8F, 1,     10,   88,   88.7F, 89,  kInf};
  std::vector<float> y(x.size());
  table.exp_shifted(x.data(), 0, y.data(), x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto exact = static_cast<float>(std::exp(static_cast<double>(x[i])));
    // Subnormal results carry the absolute error of their last place.
    const float bound = exact * 8e-7F + std::numeric_limits<float>::denorm_min();
    if (std::isinf(exact) ? y[i] != exact : !(std::fabs(y[i] - exact) <= bound))
      return "exp(" + std::to_string(x[i]) + ") = " + std::to_string(y[i]);
  }
  if (y[0] != 0) return "exp(−∞) is not 0";
  const float nan = std::numeric_limits<float>::quiet_NaN();
  if (!std::isnan(table.exp_shifted(&nan, 0, y.data(), 1))) return "exp loses a NaN";

  for (const std::size_t n : kSizes) {
    const auto logits = normal_numbers(n, 10);
    auto e = output(n);
    const double sum = table.exp_shifted(logits.data(), 1.0F, e.data(), n);
    double exact = 0;
    for (std::size_t i = 0; i < n; ++i) exact += e[i];
    if (!(std::fabs(sum - exact) <= sum_bound(n, exact))) return "exp_shifted: wrong sum";
  }
  return "";
}

Complaint check_rotation(const KernelTable& table) {
  for (const std::size_t n : kSizes) {
    const auto x = normal_numbers(2 * n, 11);
    std::vector<float> cos(n);
    std::vector<float> sin(n);
    for (std::size_t i = 0; i < n; ++i) {
      cos[i] = static_cast<float>(std::cos(0.1 * static_cast<double>(i)));
      sin[i] = static_cast<float>(std::sin(0.1 * static_cast<double>(i)));
    }
    for (const bool halves : {true, false}) {
      auto y = output(2 * n);
      std::copy(x.begin(), x.end(), y.begin());
      (halves ? table.rotate_halves : table.rotate_neighbours)(y.data(), cos.data(), sin.data(), n);
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t ia = halves ? i : 2 * i;
        const std::size_t ib = halves ? i + n : 2 * i + 1;
        const double a = static_cast<double>(x[ia]) * cos[i] - static_cast<double>(x[ib]) * sin[i];
        const double b = static_cast<double>(x[ib]) * cos[i] + static_cast<double>(x[ia]) * sin[i];
        const double bound = 4 * kEps * (std::fabs(x[ia]) + std::fabs(x[ib]));
        if (!(std::fabs(y[ia] - a) <= bound && std::fabs(y[ib] - b) <= bound))
          return std::string(halves ? "rotate_halves" : "rotate_neighbours") + " at n = " + std::to_string(n);
      }
      if (y[2 * n] != kCanary) return "a rotation writes beyond x";
    }
  }
  return "";
}

// Over every bit pattern, in rows of odd length.
Complaint check_halves(const KernelTable& table) {
  std::vector<std::uint16_t> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  std::vector<float> singles(halves.size());
  std::vector<std::uint16_t> back(halves.size());
  constexpr std::size_t kRow = 61;
  for (std::size_t i = 0; i < halves.size(); i += kRow) {
    const std::size_t n = std::min(kRow, halves.size() - i);
    table.f16_to_f32(halves.data() + i, singles.data() + i, n);
    table.f32_to_f16(singles.data() + i, back.data() + i, n);
  }
  for (std::size_t i = 0; i < halves.size(); ++i) {
    const float exact = kerf::f16_to_f32(halves[i]);
    if (std::isnan(exact)) {
      if (!std::isnan(singles[i]) || !std::isnan(kerf::f16_to_f32(back[i]))) return "binary16 NaN lost";
    } else if (singles[i] != exact || back[i] != halves[i]) {
      return "binary16 pattern " + std::to_string(i);
    }
  }
  // Ties, overflow and underflow of rounding.
  const std::vector<float> hard = {1 + 0x1p-11F, 1 + 0x3p-11F, 65519,  65520, -1e30F,
                                   0x1p-25F,     0x1.8p-25F,   1e-30F, 0.1F};
  std::vector<std::uint16_t> rounded(hard.size());
  table.f32_to_f16(hard.data(), rounded.data(), hard.size());
  for (std::size_t i = 0; i < hard.size(); ++i)
    if (rounded[i] != kerf::f32_to_f16(hard[i])) return "rounding " + std::to_string(hard[i]);
  return "";
}

constexpr Complaint (*kChecks[])(const KernelTable&) = {check_dot,        check_gemm,  check_weighted_sum,
                                                        check_reductions, check_exp,   check_elementwise,
                                                        check_rotation,   check_halves};

TEST(Kernels, EveryTableAgreesWithTheDefinition) {
  for (const KernelTable* table : runnable_tables())
    for (const auto check : kChecks) EXPECT_EQ(check(*table), "") << table->isa;
}

// --- tables that are wrong in one place must be refused ---
float dot_without_tail(const float* a, const float* b, std::size_t n) {
  return scalar_table.dot_f32(a, b, n / 16 * 16);
}
void gemm_that_swaps_rows(const float* a, std::size_t lda, const float* b, std::size_t ldb, float* c,
                          std::size_t ldc, std::size_t n_t, std::size_t n_r, std::size_t n_k) {
  scalar_table.gemm_f32(a, lda, b, ldb, c, ldc, n_t, n_r, n_k);
  if (n_t > 0 && n_r > 1) std::swap(c[0], c[1]);
}
void silu_of_up(const float* gate, const float* up, float* y, std::size_t n) {
  scalar_table.silu_mul(up, gate, y, n);
}
void truncate_to_f16(const float* x, std::uint16_t* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(x[i]) & 0xFFFFE000U;
    y[i] = kerf::f32_to_f16(std::bit_cast<float>(bits));
  }
}
void rotate_backwards(float* x, const float* cos, const float* sin, std::size_t n) {
  std::vector<float> negated(sin, sin + n);
  for (float& v : negated) v = -v;
  scalar_table.rotate_halves(x, cos, negated.data(), n);
}

TEST(Kernels, WrongTablesAreRefused) {
  const auto refused = [](auto member, auto wrong) {
    KernelTable table = scalar_table;
    table.*member = wrong;
    for (const auto check : kChecks)
      if (!check(table).empty()) return true;
    return false;
  };
  EXPECT_TRUE(refused(&KernelTable::dot_f32, dot_without_tail));
  EXPECT_TRUE(refused(&KernelTable::gemm_f32, gemm_that_swaps_rows));
  EXPECT_TRUE(refused(&KernelTable::silu_mul, silu_of_up));
  EXPECT_TRUE(refused(&KernelTable::gelu_mul, scalar_table.silu_mul));
  EXPECT_TRUE(refused(&KernelTable::f32_to_f16, truncate_to_f16));
  EXPECT_TRUE(refused(&KernelTable::rotate_halves, rotate_backwards));
}

}  // namespace
}  // namespace kerf::kernels
