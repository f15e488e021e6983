// Codebook: levels that each row, or each block, brings along. x = level[code].
#pragma once

#include <cstddef>
#include <cstdint>

#include "kerf/formats/format.h"

namespace kerf {

/// How the levels and codes of such a format are stored. A place is a row header if levels are per row, else
/// a block.
struct Codebook {
  static constexpr std::size_t kMaxLevels = 16;

  std::uint32_t n_levels;
  bool per_row;  ///< levels are in the header of the row; else in each block

  /// Writes n_levels ascending finite levels and replaces them by what decode() will use: still ascending,
  /// some possibly equal. Codes are left alone.
  void (*store_levels)(float* levels, std::uint8_t* place) noexcept;
  void (*load_levels)(const std::uint8_t* place, float* levels) noexcept;
  /// codes[block_size], each below n_levels; levels are left alone.
  void (*store_codes)(const std::uint8_t* codes, std::uint8_t* block) noexcept;
  void (*load_codes)(const std::uint8_t* block, std::uint8_t* codes) noexcept;
};

}  // namespace kerf
