// The charts of a study.
#pragma once

#include <string>

#include "kerf/report/plot.h"
#include "kerf/study/study.h"

namespace kerf::study {

/// A drawing for wide screens or for narrow ones.
enum class Screen { wide, narrow };

/// A frame of the width of the screen; narrow drawings share one height.
[[nodiscard]] report::PlotFrame frame_of(Screen screen, std::string title, double wide_height);

/// Formats above this many bits would press the others together and are left to the tables.
inline constexpr double kChartBits = 9;

/// Colour and shape of a family in every chart.
[[nodiscard]] report::Tone tone_of(Family family) noexcept;

/// A point per format, bits to the right and SQNR upward, under the line of the bound.
[[nodiscard]] std::string sqnr_chart(const StudyReport& report, const SourceScores& source, Screen screen);

/// The same points by their distance to the bound, which 6 dB per bit hide in the chart above.
[[nodiscard]] std::string distance_chart(const StudyReport& report, const SourceScores& source,
                                         Screen screen);

/// The numbers of a matrix or sample and the levels that they are rounded to.
[[nodiscard]] std::string level_chart(const LevelUse& use, Screen screen);

/// Kurtosis of each matrix in the order of the model, a colour per kind of matrix.
[[nodiscard]] std::string kurtosis_chart(const ModelStudy& model, Screen screen);

}  // namespace kerf::study
