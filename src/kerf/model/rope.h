// Rotary position embedding (Su et al. 2021, «RoFormer», eq. 34), with the scalings that models use.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kerf/base/threads.h"
#include "kerf/model/config.h"

namespace kerf {

/// How far each pair of a head turns per position.
struct RopeFrequencies {
  std::vector<float> per_pair;    // [W/2]
  float attention_factor = 1.0F;  // multiplies sine and cosine
};

/// per_pair[i] = 1 / (config.factor · factors[i] · base^(2i/W)) for W = `width` turned elements; no `factors`
/// means ones, and YaRN has a factor for each pair. Factors are what llama3 (rope_freqs) and longrope
/// (rope_factors_long, _short) store.
[[nodiscard]] RopeFrequencies rope_frequencies(const RopeConfig& config, std::size_t width,
                                               std::span<const float> factors);

/// Cosines and sines of a run of positions, shared by all heads and layers.
struct RopeTable {
  std::vector<float> cosines;  // [T, W/2]
  std::vector<float> sines;    // [T, W/2]
  std::size_t n_pairs = 0;     // W/2
};

/// Fills `table` for positions first … first + n − 1.
void fill_rope_table(const RopeFrequencies& frequencies, std::size_t first, std::size_t n, RopeTable& table);

/// Turns the first W elements of each of `n_heads` heads of `head_width` elements, in place; row t of x (rows
/// are `stride` floats apart) is at the table's t-th position.
void rope(const RopeTable& table, RopePairs pairs, float* x, std::size_t n_tokens, std::size_t n_heads,
          std::size_t head_width, std::size_t stride, ThreadPool& pool);

/// The table of the way back: a turn by the opposite angle is the turn's transpose.
[[nodiscard]] RopeTable turned_back(RopeTable table);

}  // namespace kerf
