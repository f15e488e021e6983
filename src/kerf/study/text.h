// A study as plain text.
#pragma once

#include <string>
#include <string_view>

#include "kerf/study/study.h"

namespace kerf::study {

/// What the distances of a source are measured to: «D(R) = 2^(−2R)», «Shannon's lower bound» …
[[nodiscard]] std::string_view bound_name(const SourceScores& source) noexcept;

/// The table of one source, by bits per weight; the best of each class of half a bit has a star.
[[nodiscard]] std::string source_table(const StudyReport& report, const SourceScores& source,
                                       Selection selection);

/// The same for several distributions side by side: SQNR and distance to the bound of each.
[[nodiscard]] std::string comparison_table(const StudyReport& report,
                                           const std::vector<const SourceScores*>& sources,
                                           Selection selection);

/// Everything: the model, its heaviest columns, the distributions.
[[nodiscard]] std::string study_text(const StudyReport& report, Selection selection);

}  // namespace kerf::study
