// config.json of a Hugging Face folder, up to the metadata that a GGUF file of the model would have.
#include "entry.h"
#include "kerf/model/hf_metadata.h"
#include "kerf/model/hf_rope.h"

const char* const kCorpusEnding = "config.json";

namespace {

kerf::Result<void> describe(const kerf::HfConfig& config) {
  KERF_TRY(const std::string class_name, config.architecture());
  const kerf::Architecture* architecture = kerf::architecture_of_hugging_face(class_name);
  if (architecture == nullptr) return {};
  KERF_CHECK_OK(kerf::check_supported(config, *architecture));
  KERF_TRY(const kerf::HfDimensions sizes, kerf::read_dimensions(config, architecture->hf));
  kerf::Metadata metadata("fuzz");
  KERF_CHECK_OK(kerf::describe_model(config, *architecture, sizes, metadata));
  KERF_TRY(const auto tensors, kerf::describe_rope(config, *architecture, sizes, metadata));
  return {};
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config = kerf::HfConfig::parse({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (config) (void)describe(*config);
  return 0;
}
