// How much each candidate loses on a matrix of numbers.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/study/candidate.h"

namespace kerf::study {

/// Rows to be rounded: x[n_rows, row_length].
struct Rows {
  std::vector<float> x;
  std::size_t n_rows = 0;
  std::size_t row_length = 0;
};

/// Σ (x − x̂)², Σ x² and the bits of everything rounded.
struct Loss {
  double error = 0;
  double power = 0;
  double bits = 0;
  std::uint64_t n = 0;  ///< numbers; 0 if the rows do not fit

  [[nodiscard]] bool fits() const noexcept { return n > 0; }
  [[nodiscard]] double bits_per_weight() const noexcept { return bits / static_cast<double>(n); }
  /// ‖x − x̂‖² / ‖x‖², 0 for nothing but zeros.
  [[nodiscard]] double relative_error() const noexcept { return power > 0 ? error / power : 0; }
};

/// −10 log₁₀ of a relative squared error: ∞ for 0.
[[nodiscard]] double decibels(double relative_error) noexcept;

/// Counts finished numbers over threads; only the caller's thread speaks to `progress`.
class Tracker {
 public:
  Tracker(Progress& progress, std::uint64_t total) : progress_(progress) {
    progress_.start("rounding", total, "numbers");
  }
  void add(std::uint64_t n, unsigned worker, std::string_view detail) {
    const std::uint64_t done = done_.fetch_add(n, std::memory_order_relaxed) + n;
    if (worker == 0) progress_.advance(done, detail);
  }
  [[nodiscard]] bool cancelled() const noexcept { return progress_.cancelled(); }

 private:
  Progress& progress_;
  std::atomic<std::uint64_t> done_ = 0;
};

/// The loss of every candidate on `rows`, in their order, the same for any number of threads. `detail` is
/// shown as progress. Errors: cancelled, those of round_row().
Result<std::vector<Loss>> measure(const Candidates& candidates, const Rows& rows, ThreadPool& pool,
                                  Tracker& tracker, std::string_view detail);

/// float32 in and out per second on one thread.
struct Speed {
  double encode_gbps = 0;  ///< bytes of binary32 read by the quantizer
  double decode_gbps = 0;  ///< bytes of binary32 written by the decoder
};

/// Times a candidate that has a format on rows that fit it: processor time of this thread, best of several
/// rounds.
[[nodiscard]] Speed time_candidate(const Candidate& candidate, const Rows& rows);

}  // namespace kerf::study
