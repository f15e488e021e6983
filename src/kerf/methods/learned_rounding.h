// Learned rounding: a quantized weight whose codes, scales and offsets follow gradients.
//
// Behind each code stands a real number v in units of the format's levels; the code is the level nearest to
// v, and the gradient passes through that rounding as if it were not there (straight-through estimator,
// Bengio et al. 2013). With x̂ = scale · level[code] + offset and G the gradient at x̂: v gets G·scale, the
// scale Σ G·level, the offset Σ G. When a scale or offset has changed, v changes with it such that
// scale · v + offset stays: coarse scales jump, and codes have to follow. Steps are those of Adam (Kingma and
// Ba 2015), or of the sign alone, as in SignRound (Cheng et al. 2023). Parameters are stored by the format
// and read back before they are used, so what is learned is what a reader of the file decodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kerf/base/threads.h"
#include "kerf/formats/format.h"

namespace kerf {

struct LearningOptions {
  /// Decay of the running means of the gradient and of its square; both 0: the sign of the gradient.
  float momentum = 0.9F;
  float momentum_of_squares = 0.95F;
  /// Where v starts between the stored code (0) and the edge of its cell towards the original number (1).
  float lean = 0.8F;
};

/// How far one step of full size goes, in mean distances between neighbouring levels.
struct LearningRates {
  float levels = 0;   ///< of v
  float scales = 0;   ///< of scales: how far the outermost level moves
  float offsets = 0;  ///< of offsets
};

class LearnedWeight {
 public:
  /// Whether the format's codes stand for single numbers on adjustable grids.
  [[nodiscard]] static bool can_learn(const Format& format) noexcept;

  /// A weight [n_rows, n_cols] in `bytes`, which step() rewrites and which must outlive it. `w` is what it
  /// should be, [n_rows, n_cols]; nullptr if nobody knows, and then v starts at the codes. can_learn(format).
  LearnedWeight(const Format& format, std::uint8_t* bytes, const float* w, std::size_t n_rows,
                std::size_t n_cols, const LearningOptions& options, ThreadPool& pool);

  /// One step against the gradient dw [n_rows, n_cols] of a loss of any unit. Rows do not know of each other:
  /// the same bytes for any number of threads.
  void step(const float* dw, const LearningRates& rates, ThreadPool& pool);

  [[nodiscard]] std::size_t n_rows() const noexcept { return n_rows_; }
  [[nodiscard]] std::size_t n_cols() const noexcept { return n_cols_; }

  /// Memory of one with n numbers.
  [[nodiscard]] static std::uint64_t memory_bytes(const Format& format, std::uint64_t n,
                                                  const LearningOptions& options) noexcept;

 private:
  /// Running means of a gradient and of its square; empty without momentum.
  struct Moments {
    std::vector<float> first, second;
  };
  struct Rule;
  class Row;

  void open_row(std::size_t row, const float* w);
  void step_row(std::size_t row, const float* dw, const Rule& rule);
  void move_group(const Row& row, const Rule& rule, const float* dw, std::size_t n, const std::uint8_t* codes,
                  float stored_scale, std::size_t group, float* v);

  const Format& format_;
  const Format& inner_;  // the one with the grid
  std::uint8_t* bytes_;
  std::size_t n_rows_, n_cols_;
  LearningOptions options_;
  std::size_t row_bytes_, blocks_per_row_;
  std::vector<float> edges_;  // between neighbouring levels
  float outermost_ = 1;       // max |level|
  float distance_ = 1;        // mean of neighbouring levels
  std::uint32_t n_steps_ = 0;
  std::vector<float> v_;        // [n_rows, n_cols]
  std::vector<float> scales_;   // [n_rows, groups]: before the format rounds them
  std::vector<float> offsets_;  // likewise
  Moments of_v_, of_scales_, of_offsets_;
};

}  // namespace kerf
