#include "kerf/study/level_use.h"

#include <map>

namespace kerf::study {
namespace {

/// Numbers over the scales of their groups, for a format with an adjustable grid.
LevelUse scaled_use(const Candidate& candidate, const Rows& rows) {
  const Format& format = *candidate.format();
  const Grid& grid = *format.grid;
  LevelUse out;
  out.scaled = true;
  for (const float level : grid.levels) out.levels.push_back({level, 0});
  std::vector<std::uint8_t> bytes(format.row_bytes(rows.row_length));
  float scale[Grid::kMaxGroups], offset[Grid::kMaxGroups];
  std::uint8_t codes[Grid::kMaxBlock];
  const std::size_t group = format.block_size / grid.n_groups;
  for (std::size_t row = 0; row < rows.n_rows; ++row) {
    const float* x = rows.x.data() + row * rows.row_length;
    candidate.encode(x, bytes.data(), 1, rows.row_length);
    const std::uint8_t* block = bytes.data() + format.header_bytes;
    for (std::size_t i = 0; i < rows.row_length; ++i) {
      const std::size_t place = i % format.block_size;
      if (place == 0) {
        grid.load(block, scale, offset, codes);
        block += format.block_bytes;
      }
      // A group without scale is all offset: it says nothing about the levels.
      if (scale[place / group] == 0) continue;
      out.values.push_back((x[i] - offset[place / group]) / scale[place / group]);
      ++out.levels[codes[place]].n;
    }
  }
  return out;
}

LevelUse first_row_use(const Rows& rows, const std::vector<float>& back) {
  LevelUse out;
  out.values.assign(rows.x.begin(), rows.x.begin() + static_cast<std::ptrdiff_t>(rows.row_length));
  std::map<float, std::uint64_t> counts;
  for (const float value : back) ++counts[value];
  for (const auto& [value, n] : counts) out.levels.push_back({value, n});
  return out;
}

}  // namespace

Result<LevelUse> level_use(const Candidate& candidate, const Rows& rows) {
  LevelUse out;
  if (const Format* format = candidate.format(); format != nullptr && format->grid != nullptr) {
    out = scaled_use(candidate, rows);
  } else {
    std::vector<float> back(rows.row_length);
    KERF_CHECK_OK(candidate.round_row(rows.x.data(), back.data(), rows.row_length));
    out = first_row_use(rows, back);
  }
  out.candidate = candidate.name();
  return out;
}

}  // namespace kerf::study
