// Importance matrices of both forms, and calibrations: what is read is written and used.
#include "entry.h"
#include "kerf/calib/calibration.h"
#include "kerf/io/gguf.h"

const char* const kCorpusEnding = ".calib";

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)kerf::parse_importance({data, size}, "fuzz");
  const auto container = kerf::parse_gguf({data, size}, "fuzz");
  if (!container) return 0;
  if (const auto calibration = kerf::Calibration::from(*container)) {
    (void)calibration->importance_matrix();
    for (const auto& [key, observer] : calibration->entries()) (void)observer->state();
  }
  return 0;
}
