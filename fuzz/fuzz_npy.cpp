// Arrays of NumPy.
#include "entry.h"
#include "kerf/io/npy.h"

const char* const kCorpusEnding = ".npy";

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)kerf::parse_npy({data, size}, "fuzz");
  return 0;
}
