// matmul over every format × every table of this CPU, and the encoded loops against the formats themselves.
#include "kerf/kernels/matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/kernels/dispatch.h"

namespace kerf {
namespace {

using kernels::EncodedRows;
using kernels::KernelTable;
using kernels::runnable_tables;

std::vector<float> normal_numbers(std::size_t n, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> x(n);
  for (float& v : x) v = static_cast<float>(rng.normal());
  return x;
}

// Normal numbers if the format can write them without a quantizer; else random bytes, preferably such that
// decode to moderate numbers: a wrong number must not hide behind a far larger neighbour.
std::vector<std::uint8_t> sound_rows(const Format& format, std::size_t n_rows, std::size_t n_cols,
                                     std::uint64_t seed) {
  const std::size_t row_bytes = format.row_bytes(n_cols);
  std::vector<std::uint8_t> bytes(n_rows * row_bytes);
  if (format.plain() && format.encode_plain != nullptr) {
    format.encode_plain(normal_numbers(n_rows * n_cols, seed).data(), bytes.data(), n_rows * n_cols);
    return bytes;
  }
  Rng rng(seed);
  std::vector<float> decoded(format.block_size);
  std::vector<std::uint8_t> trial(format.row_bytes(format.block_size));  // a row of one block
  const auto largest_below = [&](float limit) {
    format.decode(trial.data(), decoded.data(), format.block_size);
    float largest = 0;
    for (const float v : decoded) {
      if (!(std::fabs(v) < limit)) return false;
      largest = std::fmax(largest, std::fabs(v));
    }
    return largest > 1e-3F;
  };
  for (std::size_t r = 0; r < n_rows; ++r) {
    std::uint8_t* row = bytes.data() + r * row_bytes;
    for (std::size_t at = format.header_bytes; at < row_bytes; at += format.block_bytes) {
      const bool first = at == format.header_bytes;
      int tries = 0;
      do {
        for (std::size_t i = first ? 0 : format.header_bytes; i < trial.size(); ++i)
          trial[i] = static_cast<std::uint8_t>(rng.next());
        // Wide integers are hardly ever moderate.
      } while (!largest_below(++tries < 50 ? 1e4F : 1e20F));
      std::memcpy(row, trial.data(), format.header_bytes);
      std::memcpy(row + at, trial.data() + format.header_bytes, format.block_bytes);
    }
  }
  return bytes;
}

bool same_numbers(const float* a, const float* b, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    if (std::memcmp(a + i, b + i, 4) != 0 && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  return true;
}

// Row lengths around the edges of vectors, in whole blocks.
std::vector<std::size_t> row_lengths(const Format& format) {
  if (format.plain()) return {1, 7, 8, 15, 16, 17, 31, 33, 64, 100, 172, 576, 1000};
  std::vector<std::size_t> lengths;
  for (const std::size_t n : {1, 2, 3, 7}) lengths.push_back(n * format.block_size);
  if (format.any_length) lengths.push_back(2 * format.block_size + 1);
  return lengths;
}

// --- encoded loops; the checks return the first complaint ---

// Any bytes at all, also those that decode to infinities and NaN.
std::string check_decode(const EncodedRows& rows, const Format& format) {
  Rng rng(1);
  for (const std::size_t n : row_lengths(format))
    for (int repeat = 0; repeat < 50; ++repeat) {
      std::vector<std::uint8_t> bytes(format.row_bytes(n));
      for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(rng.next());
      std::vector<float> expected(n);
      std::vector<float> decoded(n + 1, 7.0F);
      format.decode(bytes.data(), expected.data(), n);
      rows.decode(bytes.data(), decoded.data(), n);
      if (!same_numbers(expected.data(), decoded.data(), n))
        return "decodes other numbers at K = " + std::to_string(n);
      if (decoded[n] != 7.0F) return "decode writes beyond the row";
    }
  return "";
}

std::string check_matvec(const KernelTable& table, const EncodedRows& rows, const Format& format) {
  for (const std::size_t n_k : row_lengths(format))
    for (const std::size_t n_r : {0, 1, 2, 3, 4, 5, 7, 8, 13}) {
      const auto bytes = sound_rows(format, n_r, n_k, n_r);
      const auto x = normal_numbers(n_k, 3);
      std::vector<float> w(n_r * n_k);
      for (std::size_t r = 0; r < n_r; ++r)
        format.decode(bytes.data() + r * format.row_bytes(n_k), w.data() + r * n_k, n_k);
      std::vector<float> expected(n_r);
      std::vector<float> y(n_r + 1, 7.0F);
      table.gemm_f32(x.data(), n_k, w.data(), n_k, expected.data(), n_r, 1, n_r, n_k);
      rows.matvec(bytes.data(), x.data(), y.data(), n_r, n_k);
      if (!same_numbers(expected.data(), y.data(), n_r))
        return "other sums at R, K = " + std::to_string(n_r) + ", " + std::to_string(n_k);
      if (y[n_r] != 7.0F) return "matvec writes beyond y";
    }
  return "";
}

std::string check_encoded(const KernelTable& table, const EncodedRows& rows) {
  const Format* format = format_of_gguf_type(rows.gguf_type);
  if (format == nullptr) return "no format has its number";
  if (rows.block_size != format->block_size || rows.block_bytes != format->block_bytes) return "other block";
  const std::string complaint = check_decode(rows, *format);
  return complaint.empty() ? check_matvec(table, rows, *format) : complaint;
}

TEST(EncodedRows, DecodeAndMultiplyWithTheBitsOfTheFormats) {
  for (const KernelTable* table : runnable_tables())
    for (std::size_t i = 0; i < table->n_encoded; ++i)
      EXPECT_EQ(check_encoded(*table, table->encoded[i]), "")
          << table->isa << ", GGUF type " << table->encoded[i].gguf_type;
}

// The loops of one format under the number of another whose blocks have the same size.
TEST(EncodedRows, WrongLoopsAreRefused) {
  int n_refused = 0;
  for (const KernelTable* table : runnable_tables())
    for (std::size_t i = 0; i < table->n_encoded; ++i)
      for (std::size_t j = 0; j < table->n_encoded; ++j) {
        EncodedRows mixed = table->encoded[i];
        const EncodedRows& other = table->encoded[j];
        if (i == j || mixed.block_size != other.block_size || mixed.block_bytes != other.block_bytes)
          continue;
        mixed.decode = other.decode;
        EXPECT_NE(check_encoded(*table, mixed), "") << mixed.gguf_type;
        mixed = table->encoded[i];
        mixed.matvec = other.matvec;
        EXPECT_NE(check_encoded(*table, mixed), "") << mixed.gguf_type;
        ++n_refused;
      }
  if (runnable_tables().size() == 1) GTEST_SKIP() << "this CPU has only the definition";
  EXPECT_GE(n_refused, 2);
}

// --- matmul ---

struct Problem {
  Problem(const Format& format, std::size_t n_rows, std::size_t n_cols, std::size_t n_tokens)
      : bytes(sound_rows(format, n_rows, n_cols, 11)),
        weight{.format = &format, .bytes = bytes.data(), .n_rows = n_rows, .n_cols = n_cols},
        x(normal_numbers(n_tokens * n_cols, 12)),
        n_tokens(n_tokens) {}

  [[nodiscard]] std::size_t stride() const { return weight.n_rows + 3; }
  [[nodiscard]] std::vector<float> product(const KernelTable& table, unsigned n_threads) const {
    std::vector<float> y(n_tokens * stride(), 7.0F);
    ThreadPool pool(n_threads);
    matmul(table, weight, x.data(), n_tokens, y.data(), stride(), pool);
    return y;
  }

  std::vector<std::uint8_t> bytes;
  WeightView weight;
  std::vector<float> x;
  std::size_t n_tokens;
};

// Against decoding and summing in double precision.
std::string check_product(const Problem& p, const std::vector<float>& y) {
  const std::size_t n_k = p.weight.n_cols;
  std::vector<float> row(n_k);
  for (std::size_t r = 0; r < p.stride(); ++r) {
    if (r < p.weight.n_rows)
      p.weight.format->decode(p.bytes.data() + r * p.weight.format->row_bytes(n_k), row.data(), n_k);
    for (std::size_t t = 0; t < p.n_tokens; ++t) {
      const float computed = y[t * p.stride() + r];
      if (r >= p.weight.n_rows) {
        if (computed != 7.0F) return "writes between the rows of y";
        continue;
      }
      double exact = 0;
      double magnitudes = 0;
      for (std::size_t k = 0; k < n_k; ++k) {
        const double term = static_cast<double>(row[k]) * p.x[t * n_k + k];
        exact += term;
        magnitudes += std::fabs(term);
      }
      if (!(std::fabs(computed - exact) <= static_cast<double>(n_k + 4) * 0x1p-24 * magnitudes))
        return "y[" + std::to_string(t) + ", " + std::to_string(r) + "] = " + std::to_string(computed) +
               " instead of " + std::to_string(exact);
    }
  }
  return "";
}

TEST(Matmul, EveryFormatOnEveryTable) {
  for (const Format* format : all_formats())
    for (const std::size_t n_cols : {row_lengths(*format).front(), row_lengths(*format).back()})
      for (const std::size_t n_tokens : {1, 2, 5}) {
        const Problem p(*format, 37, n_cols, n_tokens);
        for (const KernelTable* table : runnable_tables())
          EXPECT_EQ(check_product(p, p.product(*table, 2)), "")
              << format->name << ", " << table->isa << ", K = " << n_cols << ", T = " << n_tokens;
      }
}

TEST(Matmul, TheBitsDoNotDependOnThreads) {
  for (const char* name : {"F32", "F16", "Q4_1", "Q6_K", "TQ2_0"}) {
    const Format* format = find_format(name);
    if (format == nullptr) continue;
    for (const std::size_t n_tokens : {1, 6})
      for (const KernelTable* table : runnable_tables()) {
        const Problem p(*format, 211, 512, n_tokens);
        const auto alone = p.product(*table, 1);
        for (const unsigned n_threads : {2U, 3U})
          EXPECT_TRUE(same_numbers(alone.data(), p.product(*table, n_threads).data(), alone.size()))
              << name << ", " << table->isa << ", " << n_threads << " threads";
      }
  }
}

TEST(Matmul, TheBitsDoNotDependOnTheOtherTokens) {
  for (const Format* format : all_formats())
    for (const KernelTable* table : runnable_tables()) {
      const Problem p(*format, 29, row_lengths(*format).back(), 7);
      const auto together = p.product(*table, 2);
      ThreadPool pool(1);
      for (std::size_t t = 0; t < p.n_tokens; ++t) {
        std::vector<float> y(p.weight.n_rows);
        matmul(*table, p.weight, p.x.data() + t * p.weight.n_cols, 1, y.data(), y.size(), pool);
        EXPECT_TRUE(same_numbers(y.data(), together.data() + t * p.stride(), y.size()))
            << format->name << ", " << table->isa << ", token " << t;
      }
    }
}

// A weight in a file may begin at any byte.
TEST(Matmul, WeightsNeedNoAlignment) {
  const Problem p(formats::f32, 19, 33, 3);
  std::vector<std::uint8_t> moved(p.bytes.size() + 1);
  std::memcpy(moved.data() + 1, p.bytes.data(), p.bytes.size());
  Problem shifted = p;
  shifted.weight.bytes = moved.data() + 1;
  for (const KernelTable* table : runnable_tables()) {
    const auto aligned = p.product(*table, 1);
    EXPECT_TRUE(same_numbers(aligned.data(), shifted.product(*table, 1).data(), aligned.size()))
        << table->isa;
  }
}

TEST(Matmul, NothingIsNotAnError) {
  ThreadPool pool(2);
  float y = 7.0F;
  const std::vector<std::uint8_t> bytes(64);
  matmul({.format = &formats::f32, .bytes = bytes.data(), .n_rows = 0, .n_cols = 4}, nullptr, 1, &y, 1, pool);
  matmul({.format = &formats::f32, .bytes = bytes.data(), .n_rows = 1, .n_cols = 4}, nullptr, 0, &y, 1, pool);
  EXPECT_EQ(y, 7.0F);
  // A sum of nothing is 0.
  matmul({.format = &formats::f32, .bytes = bytes.data(), .n_rows = 1, .n_cols = 0}, nullptr, 1, &y, 1, pool);
  EXPECT_EQ(y, 0.0F);
}

}  // namespace
}  // namespace kerf
