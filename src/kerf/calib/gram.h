// The moments of a weight's inputs x [T, K]: what column error feedback, scale searches and corrections of
// biases want to know of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/base/threads.h"

namespace kerf {

/// Sums over tokens. Products of a batch are added in binary32, batches in binary64. The same bits for any
/// number of threads; unlike an Observer's state not for other batches.
class Gram {
 public:
  enum class Moments : std::uint8_t {
    diagonal,  ///< of each column alone
    full,      ///< of all pairs of columns
  };

  Gram(std::size_t n_columns, Moments moments);

  /// Adds x [n_tokens, K], each token weighted by token_weights [n_tokens] >= 0 if they are given. Errors:
  /// numeric (NaN or infinity, with its place), and then nothing was added.
  Result<void> add(const float* x, std::size_t n_tokens, const float* token_weights, ThreadPool& pool);

  /// As if column k of every x had been divided by factors[k] > 0.
  void divide_columns(std::span<const float> factors);

  [[nodiscard]] std::size_t n_columns() const noexcept { return n_columns_; }
  [[nodiscard]] std::uint64_t n_tokens() const noexcept { return n_tokens_; }
  [[nodiscard]] bool is_full() const noexcept { return !products_.empty(); }

  /// Σ w·x·xᵀ / Σ w, [K, K], symmetric. Ends the gathering. Of full moments only.
  [[nodiscard]] std::span<const double> second_moments(ThreadPool& pool);
  /// Σ w·x² / Σ w of each column: what an importance matrix holds.
  [[nodiscard]] std::vector<float> mean_square() const;
  /// Of each column, every token alike.
  [[nodiscard]] std::vector<float> mean() const;
  [[nodiscard]] std::vector<float> mean_magnitude() const;
  [[nodiscard]] const std::vector<float>& largest_magnitude() const noexcept { return largest_; }

  /// Memory of one with K columns that is fed batches of n_tokens.
  static std::uint64_t bytes(std::size_t n_columns, std::size_t n_tokens, Moments moments) noexcept;

 private:
  Result<void> add_columns(const float* x, std::size_t n_tokens, const float* token_weights,
                           ThreadPool& pool);
  void transpose(const float* x, std::size_t n_tokens, const float* token_weights, ThreadPool& pool);
  void add_products(std::size_t n_tokens, ThreadPool& pool);

  std::size_t n_columns_;
  std::uint64_t n_tokens_ = 0;
  double weight_ = 0;               ///< Σ w
  std::vector<double> squares_;     ///< [K] Σ w·x²
  std::vector<double> sums_;        ///< [K] Σ x
  std::vector<double> magnitudes_;  ///< [K] Σ |x|
  std::vector<float> largest_;      ///< [K] max |x|
  std::vector<double> products_;    ///< [K, K], tiles on and above the diagonal; after the end all of it
  std::vector<float> columns_;      ///< [K, T + padding]: √w·x of the batch, transposed
  std::vector<float> tiles_;        ///< one tile per worker
  bool ended_ = false;
};

}  // namespace kerf
