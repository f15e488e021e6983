#include <fmt/format.h>

#include "kerf/io/printable.h"
#include "kerf/io/verify.h"

namespace kerf {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";

std::size_t length_of(const MetaValue& value) {
  return std::visit(
      [](const auto& held) -> std::size_t {
        if constexpr (requires { held.size(); })
          return held.size();
        else
          return 1;
      },
      value.value);
}

/// The embedding under the name that GGUF or Hugging Face gives it.
const StoredTensor* embedding_of(const Container& container) {
  for (const char* name : {"token_embd.weight", "model.embed_tokens.weight", "transformer.wte.weight",
                           "wte.weight", "model.language_model.embed_tokens.weight"})
    if (const StoredTensor* tensor = container.find(name)) return tensor;
  return nullptr;
}

void check_ids(const Metadata& metadata, std::size_t n_tokens, std::vector<std::string>& out) {
  for (const auto& [key, value] : metadata.entries()) {
    if (!key.starts_with(kPrefix) || !key.ends_with("_token_id")) continue;
    const auto* id = std::get_if<std::int64_t>(&value.value);
    if (id == nullptr)
      out.push_back(fmt::format("«{}» is not a number", printable(key)));
    else if (*id == 0xFFFFFFFF || *id == -1)  // how some writers say «none»
      continue;
    else if (*id < 0 || static_cast<std::uint64_t>(*id) >= n_tokens)
      out.push_back(
          fmt::format("«{}» is {}, but the vocabulary has {} tokens", printable(key), *id, n_tokens));
  }
}

void check_lengths(const Metadata& metadata, std::size_t n_tokens, std::vector<std::string>& out) {
  for (const char* name : {"scores", "token_type"}) {
    const std::string key = std::string(kPrefix) + name;
    const MetaValue* value = metadata.find(key);
    if (value == nullptr) continue;
    if (!value->is_array() || length_of(*value) != n_tokens)
      out.push_back(fmt::format("«{}» has {} entries, but the vocabulary has {} tokens", key,
                                length_of(*value), n_tokens));
  }
}

void check_embedding(const Container& container, std::size_t n_tokens, std::vector<std::string>& out) {
  const StoredTensor* embedding = embedding_of(container);
  if (embedding == nullptr) return;
  const std::uint64_t rows = embedding->n_rows();
  // Hugging Face models often have spare rows; GGUF readers demand one token for each.
  if (rows < n_tokens || (container.kind == "gguf" && rows != n_tokens))
    out.push_back(fmt::format("«{}» has {} rows, but the vocabulary has {} tokens",
                              printable(embedding->name), rows, n_tokens));
}

}  // namespace

std::vector<std::string> vocabulary_complaints(const Metadata& metadata, const Container& container) {
  std::vector<std::string> out;
  const MetaValue* tokens = metadata.find("tokenizer.ggml.tokens");
  if (tokens == nullptr) return out;
  if (!std::holds_alternative<std::vector<std::string>>(tokens->value))
    return {"«tokenizer.ggml.tokens» is not an array of strings"};
  const std::size_t n_tokens = length_of(*tokens);
  check_ids(metadata, n_tokens, out);
  check_lengths(metadata, n_tokens, out);
  check_embedding(container, n_tokens, out);
  return out;
}

}  // namespace kerf
