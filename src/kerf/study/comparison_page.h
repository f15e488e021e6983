// A comparison of quantized files as a page and as a model card.
#pragma once

#include <string>
#include <string_view>

#include "kerf/study/comparison.h"

namespace kerf::study {

/// One self-contained HTML page; fetches nothing, runs nothing. `version` is that of kerf.
[[nodiscard]] std::string comparison_page(const ComparisonReport& report, std::string_view version);

/// What a publisher puts beside the files, in Markdown: a chapter per file.
[[nodiscard]] std::string model_card(const ComparisonReport& report, std::string_view version);

}  // namespace kerf::study
