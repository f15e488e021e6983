// safetensors headers.
#include "entry.h"
#include "kerf/io/safetensors.h"
#include "use_container.h"

const char* const kCorpusEnding = ".safetensors";

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (const auto container = kerf::parse_safetensors({data, size}, "fuzz")) kerf::fuzz::use(*container);
  return 0;
}
