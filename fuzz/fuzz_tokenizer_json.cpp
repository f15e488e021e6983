// tokenizer.json of Hugging Face: the description, and the tokenizer that comes of it.
#include <nlohmann/json.hpp>

#include "entry.h"
#include "kerf/text/vocabulary_file.h"
#include "use_tokenizer.h"

const char* const kCorpusEnding = "tokenizer.json";

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = kerf::text::read_tokenizer_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!file) return 0;
  if (auto pipeline = kerf::text::make_pipeline(*file))
    kerf::fuzz::use(*kerf::text::make_tokenizer(*std::move(pipeline)));
  return 0;
}
