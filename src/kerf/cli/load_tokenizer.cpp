#include "kerf/cli/load_tokenizer.h"

#include "kerf/io/container.h"

namespace kerf::cli {

Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored) || path.extension() == ".json" ||
      path.extension() == ".model")
    return tokenizer_from_hugging_face(path);
  KERF_TRY(const Container container, open_container(path));
  return tokenizer_from_metadata(container.metadata);
}

}  // namespace kerf::cli
