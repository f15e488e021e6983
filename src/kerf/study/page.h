// A study as one self-contained page.
#pragma once

#include <string>
#include <string_view>

#include "kerf/study/study.h"

namespace kerf::study {

/// HTML with inline SVG and CSS, no scripts, nothing fetched from anywhere.
[[nodiscard]] std::string study_page(const StudyReport& report, std::string_view version);

}  // namespace kerf::study
