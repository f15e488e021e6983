// GGUF headers, and the header that kerf would write for what it read.
#include "entry.h"
#include "kerf/io/gguf.h"
#include "use_container.h"

const char* const kCorpusEnding = ".gguf";

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto container = kerf::parse_gguf({data, size}, "fuzz");
  if (!container) return 0;
  kerf::fuzz::use(*container);
  std::vector<kerf::PlannedTensor> tensors;
  for (const auto& tensor : container->tensors) tensors.push_back({tensor.name, tensor.format, tensor.shape});
  (void)kerf::GgufWriter::file_bytes(container->metadata, tensors);
  return 0;
}
