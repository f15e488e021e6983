#include "kerf/quantizers/feedback_header.h"

#include <gtest/gtest.h>

#include <cstring>

#include "kerf/quantizers/feedback_for_tests.h"

namespace kerf {
namespace {

constexpr std::size_t kN = 50;
constexpr std::size_t kRows = 3;

/// d·M·dᵀ of row r for d = w − scale · y − offset.
double cost(const Numbers& m, const Numbers& w, const std::vector<Column>& y, std::size_t r, double scale,
            double offset) {
  Numbers back(kN);
  for (std::size_t j = 0; j < kN; ++j) back[j] = static_cast<float>(scale * y[j][r] + offset);
  return costs(m, Numbers(&w[r * kN], &w[r * kN] + kN), back)[0];
}

// Blocks stay, headers move: to the least cost, and the gradient is that of the new targets.
TEST(RowHeaders, MoveToWhereTheyCostLeast) {
  const Numbers m = autoregressive(kN, .8);
  const Numbers w = normal_numbers(1, kRows * kN);
  for (const char* name : {"INT4_ROW", "UINT4_ROW"}) {
    const Format& format = *find_format(name);
    const std::size_t row_bytes = format.row_bytes(kN);
    FormatBytes rows(kRows * row_bytes);
    quantize_rows(format, w.data(), nullptr, rows.data(), kRows, kN);
    RowHeaders headers(format, {m.data(), kN}, kN);
    headers.load(rows.data(), row_bytes, kRows);
    std::vector<Column> x(kN);
    std::vector<Column> y(kN);
    std::vector<Column> gradient(kN);
    headers.divide(w.data(), kRows, x.data());
    for (std::size_t j = 0; j < kN; ++j)
      for (std::size_t r = 0; r < kRows; ++r)
        y[j][r] = std::rint(x[j][r] * .8F + (format.row_scale->has_offset ? 1 : 0));
    headers.refit(y.data(), x.data(), gradient.data());
    for (std::size_t r = 0; r < kRows; ++r) {
      std::uint8_t header[8] = {};
      headers.store(r, header);
      float scale;
      float offset = 0;
      std::memcpy(&scale, header, 4);
      if (format.row_scale->has_offset) std::memcpy(&offset, header + 4, 4);
      const double least = cost(m, w, y, r, scale, offset);
      for (const double factor : {.995, 1.005})
        EXPECT_GT(cost(m, w, y, r, scale * factor, offset), least) << name;
      for (const double step :
           format.row_scale->has_offset ? std::vector<double>{-.01, .01} : std::vector<double>{})
        EXPECT_GT(cost(m, w, y, r, scale, offset + step), least) << name;
      for (std::size_t j = 0; j < kN; ++j) {
        EXPECT_NEAR(x[j][r], (w[r * kN + j] - offset) / scale,
                    1e-5F * std::fabs(w[r * kN + j] / scale) + 1e-5F);
        double expected = 0;
        for (std::size_t i = 0; i < kN; ++i) expected += (x[i][r] - y[i][r]) * m[j * kN + i];
        EXPECT_NEAR(gradient[j][r], expected, 1e-3) << name << " " << j;
      }
    }
  }
}

}  // namespace
}  // namespace kerf
