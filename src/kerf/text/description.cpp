#include "kerf/text/description.h"

#include "kerf/text/json_access.h"
#include "kerf/text/unigram.h"

namespace kerf::text {

using Json = nlohmann::json;

Result<ModelSettings> read_model_settings(const Json& model, const std::string& where) {
  ModelSettings settings;
  KERF_TRY(settings.type, string_or(model, "type", "BPE", where));
  KERF_TRY(settings.unknown_token, string_or(model, "unk_token", "", where));
  KERF_TRY(settings.unknown_id, id_or_none(model, "unk_id", where));
  KERF_TRY(settings.byte_fallback, bool_or(model, "byte_fallback", false, where));
  KERF_TRY(settings.fuse_unknown, bool_or(model, "fuse_unk", false, where));
  KERF_TRY(settings.ignore_merges, bool_or(model, "ignore_merges", false, where));
  if (settings.type != "BPE" && settings.type != "Unigram")
    return fail(ErrorKind::unsupported, where,
                fmt::format("the vocabulary is of type «{}»; kerf reads BPE and Unigram", settings.type));
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    KERF_TRY(const std::string affix, string_or(model, name, "", where));
    if (!affix.empty())
      return fail(ErrorKind::unsupported, where, fmt::format("a «{}» («{}») is not supported", name, affix));
  }
  return settings;
}

Result<std::vector<AddedToken>> read_added_tokens(const Json& description, const Vocabulary& vocabulary,
                                                  const std::string& where) {
  const Json& list = member(description, "added_tokens");
  std::vector<AddedToken> tokens;
  if (list.is_null()) return tokens;
  if (!list.is_array()) return fail(ErrorKind::input, where, "«added_tokens» is not a list");
  tokens.reserve(list.size());
  for (const Json& entry : list) {
    AddedToken token;
    KERF_TRY(token.id, id_or_none(entry, "id", where));
    if (token.id == kNoToken) return fail(ErrorKind::input, where, "an added token has no id");
    KERF_TRY(token.text,
             string_or(entry, "content",
                       vocabulary.contains(token.id) ? std::string(vocabulary.piece(token.id)) : "", where));
    KERF_TRY(token.special, bool_or(entry, "special", false, where));
    KERF_TRY(token.normalized, bool_or(entry, "normalized", false, where));
    KERF_TRY(token.strip_left, bool_or(entry, "lstrip", false, where));
    KERF_TRY(token.strip_right, bool_or(entry, "rstrip", false, where));
    KERF_TRY(token.single_word, bool_or(entry, "single_word", false, where));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Result<void> make_model(const ModelSettings& settings, ByteLevel byte_level, std::span<const Merge> merges,
                        Vocabulary extra, const std::string& where, Pipeline& pipeline) {
  if (settings.unknown_id != kNoToken &&
      static_cast<std::size_t>(settings.unknown_id) >= pipeline.vocabulary->size())
    return fail(ErrorKind::input, where,
                fmt::format("«unk_id» is {}, but the vocabulary has {} tokens", settings.unknown_id,
                            pipeline.vocabulary->size()));
  UnknownPolicy unknown{settings.unknown_id, settings.byte_fallback, settings.fuse_unknown};
  if (settings.type == "Unigram") {
    if (byte_level == ByteLevel::last)
      return fail(ErrorKind::unsupported, where, "a Unigram vocabulary over bytes is not supported");
    unknown.fuse = true;
    pipeline.model = std::make_shared<UnigramModel>(pipeline.vocabulary, unknown);
    return {};
  }
  if (!settings.unknown_token.empty()) {
    unknown.unknown = pipeline.vocabulary->find(settings.unknown_token);
    if (unknown.unknown == kNoToken)
      return fail(ErrorKind::input, where,
                  fmt::format("«unk_token» is «{}», which the vocabulary lacks", settings.unknown_token));
  }
  const BpeOptions options{byte_level == ByteLevel::last, settings.ignore_merges, unknown};
  pipeline.model = std::make_shared<BpeModel>(pipeline.vocabulary, std::move(extra), merges, options);
  return {};
}

}  // namespace kerf::text
