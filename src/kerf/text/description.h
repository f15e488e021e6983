// What a tokenizer.json says beside its vocabulary and merges: normalizer, pre-tokenizer, decoder,
// post-processor, added tokens and the flags of the model. Source: the `tokenizers` library's format.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "kerf/text/bpe.h"
#include "kerf/text/pipeline.h"

namespace kerf::text {

/// Members that a tokenizer.json gives to its «model», without vocabulary and merges.
struct ModelSettings {
  std::string type;  ///< «BPE», «Unigram»
  std::string unknown_token;
  TokenId unknown_id = kNoToken;  ///< Unigram
  bool byte_fallback = false;
  bool fuse_unknown = false;
  bool ignore_merges = false;
};

Result<ModelSettings> read_model_settings(const nlohmann::json& model, const std::string& where);

/// Added tokens; one without «content» is spelled as in the vocabulary, if that has it.
Result<std::vector<AddedToken>> read_added_tokens(const nlohmann::json& description,
                                                  const Vocabulary& vocabulary, const std::string& where);

/// How the words of a byte-level pre-tokenizer reach the model.
enum class ByteLevel : std::uint8_t {
  none,    ///< there is none
  last,    ///< it is the last step: the model takes bytes
  mapped,  ///< steps follow: words are already written in the byte-level alphabet
};

/// Reads «normalizer», «pre_tokenizer», «decoder» and «post_processor» of `description` into `pipeline`,
/// whose vocabulary is complete. Errors: input, unsupported (naming the step).
Result<ByteLevel> read_steps(const nlohmann::json& description, const std::string& where, Pipeline& pipeline);

/// The model itself; `merges` and `extra` are BpeModel's. Errors: unsupported.
Result<void> make_model(const ModelSettings& settings, ByteLevel byte_level, std::span<const Merge> merges,
                        Vocabulary extra, const std::string& where, Pipeline& pipeline);

/// The regular expressions that make up a byte-level pre-tokenizer, in order; empty if it is not made of
/// isolating splits only.
std::vector<std::string> splitting_patterns(const nlohmann::json& pre_tokenizer);

}  // namespace kerf::text
