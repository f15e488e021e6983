// GGUF headers, the header that kerf would write for what it read, and the tokenizer that it describes.
#include "entry.h"
#include "kerf/io/gguf.h"
#include "kerf/text/tokenizer.h"
#include "use_container.h"
#include "use_tokenizer.h"

const char* const kCorpusEnding = ".gguf";

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto container = kerf::parse_gguf({data, size}, "fuzz");
  if (!container) return 0;
  kerf::fuzz::use(*container);
  std::vector<kerf::PlannedTensor> tensors;
  for (const auto& tensor : container->tensors) tensors.push_back({tensor.name, tensor.format, tensor.shape});
  (void)kerf::GgufWriter::file_bytes(container->metadata, tensors);
  if (const auto tokenizer = kerf::tokenizer_from_metadata(container->metadata)) kerf::fuzz::use(**tokenizer);
  return 0;
}
