#include "kerf/kernels/matmul_transposed.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/kernels/transpose.h"

namespace kerf {
namespace {

std::vector<float> normals(std::size_t n, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

TEST(Transpose, OddSizesAndStrides) {
  for (const std::size_t n_rows : {1U, 4U, 17U, 35U})
    for (const std::size_t n_cols : {1U, 3U, 8U, 21U}) {
      const std::size_t ldx = n_cols + 3, ldy = n_rows + 1;
      const auto x = normals(n_rows * ldx, 1);
      std::vector<float> y(n_cols * ldy, 7.0F);
      transpose(x.data(), ldx, n_rows, n_cols, y.data(), ldy);
      for (std::size_t c = 0; c < n_cols; ++c) {
        for (std::size_t r = 0; r < n_rows; ++r) ASSERT_EQ(y[c * ldy + r], x[r * ldx + c]);
        ASSERT_EQ(y[c * ldy + n_rows], 7.0F) << "written beyond row " << c;
      }
    }
}

struct Case {
  std::size_t n_rows, n_cols, n_tokens;
  const Format* format;
};

/// The bytes of a weight of any values that the format likes.
std::vector<std::uint8_t> bytes_of(const Case& c) {
  std::vector<std::uint8_t> bytes(c.format->row_bytes(c.n_cols) * c.n_rows);
  if (c.format == &formats::f32) {
    const auto values = normals(c.n_rows * c.n_cols, 5);
    std::memcpy(bytes.data(), values.data(), bytes.size());
  } else {
    Rng rng(6);  // Q8_0: a scale of about 1/64 and any codes
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = i % 34 == 0 ? 0x12 : i % 34 == 1 ? 0x24 : static_cast<std::uint8_t>(rng.next());
  }
  return bytes;
}

TEST(MatmulTransposed, IsTheDefinition) {
  // The last has more rows than a slab.
  for (const Case& c : {Case{5, 32, 3, &formats::q8_0}, Case{70, 96, 17, &formats::q8_0},
                        Case{37, 41, 5, &formats::f32}, Case{3100, 64, 6, &formats::q8_0}}) {
    const auto bytes = bytes_of(c);
    const WeightView w{c.format, bytes.data(), c.n_rows, c.n_cols};
    std::vector<float> decoded(c.n_rows * c.n_cols);
    decode_rows(*c.format, bytes.data(), c.n_rows, c.n_cols, decoded.data());
    const std::size_t stride = c.n_rows + 7;
    const auto dy = normals(c.n_tokens * stride, 2);
    for (const bool add : {false, true}) {
      const auto before = normals(c.n_tokens * c.n_cols, 3);
      std::vector<float> one = before, three = before;
      ThreadPool single(1), several(3);
      matmul_transposed(w, dy.data(), stride, c.n_tokens, one.data(), add, single);
      matmul_transposed(w, dy.data(), stride, c.n_tokens, three.data(), add, several);
      EXPECT_EQ(one, three) << "the bits depend on the number of threads";
      for (std::size_t t = 0; t < c.n_tokens; ++t)
        for (std::size_t k = 0; k < c.n_cols; ++k) {
          double sum = add ? before[t * c.n_cols + k] : 0.0, size = std::fabs(sum);
          for (std::size_t r = 0; r < c.n_rows; ++r) {
            sum += double{dy[t * stride + r]} * decoded[r * c.n_cols + k];
            size += std::fabs(double{dy[t * stride + r]} * decoded[r * c.n_cols + k]);
          }
          ASSERT_NEAR(one[t * c.n_cols + k], sum, 1e-6 * size) << c.n_rows << " " << t << " " << k;
        }
    }
  }
}

}  // namespace
}  // namespace kerf
