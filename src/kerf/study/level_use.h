// Which levels of a format the numbers of a tensor fall on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kerf/study/candidate.h"
#include "kerf/study/measure.h"

namespace kerf::study {

/// Numbers and the levels that they were rounded to, on one scale.
struct LevelUse {
  struct Level {
    double value = 0;
    std::uint64_t n = 0;  ///< numbers rounded to it
  };
  std::string tensor;
  std::string candidate;
  /// True: each number less its offset, over its scale, so that one set of levels serves all groups. False:
  /// the numbers of the first row, and the distinct values that came back.
  bool scaled = false;
  std::vector<float> values;
  std::vector<Level> levels;  ///< ascending
};

/// Rounds `rows`, which fit. Errors: those of round_row().
Result<LevelUse> level_use(const Candidate& candidate, const Rows& rows);

}  // namespace kerf::study
