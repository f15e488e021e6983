// For tests: the small checkpoints under tests/golden/models and what other programs computed with them.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/bits.h"
#include "kerf/text/tokenizer.h"

namespace kerf::golden {

inline constexpr std::string_view kModels[] = {
    "llama",  "llama3",  "llama-linear", "mistral",         "qwen2", "qwen2-yarn",    "qwen3",
    "gemma3", "mixtral", "qwen3moe",     "qwen3moe-shares", "phi3",  "phi3-longrope", "gpt2"};

inline std::filesystem::path folder(std::string_view model) {
  return std::filesystem::path(KERF_SOURCE_DIR) / "tests/golden/models" / model;
}

/// The numbers of an .npy file (version 1: a header of u16 length behind eight bytes) of type T.
template <class T>
std::vector<T> read_npy(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
  if (bytes.size() < 10) return {};
  const std::size_t start = 10U + load_le<std::uint16_t>(bytes.data() + 8);
  std::vector<T> numbers((bytes.size() - start) / sizeof(T));
  std::memcpy(numbers.data(), bytes.data() + start, numbers.size() * sizeof(T));
  return numbers;
}

inline std::vector<TokenId> tokens(std::string_view model) {
  return read_npy<TokenId>(folder(model) / "tokens.npy");
}
inline std::vector<float> logits(std::string_view model) {
  return read_npy<float>(folder(model) / "logits.npy");
}

}  // namespace kerf::golden
