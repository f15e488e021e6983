// Tokenizers from the tokenizer.ggml.* keys of a GGUF file.
// Source: the GGUF specification, «Tokenizer»; what it leaves open, as llama.cpp reads it.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "kerf/base/json.h"
#include "kerf/text/bpe.h"
#include "kerf/text/description.h"
#include "kerf/text/gguf_keys.h"
#include "kerf/text/json_access.h"
#include "kerf/text/pipeline.h"
#include "kerf/text/pre_names.h"
#include "kerf/text/unigram.h"

namespace kerf {
namespace text {
namespace {

constexpr std::string_view kBlank = "\u2581";

class GgufVocabulary {
 public:
  explicit GgufVocabulary(const Metadata& metadata) : metadata_(metadata) {}

  Result<std::shared_ptr<const Tokenizer>> make() {
    KERF_TRY(const std::string model, metadata_.string("tokenizer.ggml.model"));
    KERF_CHECK_OK(read_tokens());
    pipeline_.vocabulary = vocabulary_;
    if (metadata_.contains(kDescriptionKey)) {
      KERF_CHECK_OK(make_as_described());
    } else if (model == "gpt2") {
      KERF_CHECK_OK(make_byte_level_bpe());
    } else if (model == "llama") {
      KERF_CHECK_OK(make_sentencepiece_bpe());
    } else if (model == "t5") {
      KERF_CHECK_OK(make_unigram());
    } else {
      return fail(ErrorKind::unsupported, metadata_.where(),
                  fmt::format("tokenizer model «{}» is not one that kerf reads (gpt2, llama, t5)", model));
    }
    KERF_CHECK_OK(read_special_ids());
    return make_tokenizer(std::move(pipeline_));
  }

 private:
  Result<void> read_tokens() {
    KERF_TRY(const auto* tokens, metadata_.strings("tokenizer.ggml.tokens"));
    if (tokens->empty() || tokens->size() > std::numeric_limits<TokenId>::max() / 2)
      return fail(ErrorKind::input, metadata_.where(),
                  fmt::format("a vocabulary of {} tokens makes no sense", tokens->size()));
    KERF_TRY(const auto* types, optional_integers("tokenizer.ggml.token_type", tokens->size()));
    KERF_TRY(const auto* scores, optional_floats("tokenizer.ggml.scores", tokens->size()));
    std::size_t n_bytes = 0;
    for (const std::string& token : *tokens) n_bytes += token.size();
    if (n_bytes > Vocabulary::kMaxBytes)
      return fail(ErrorKind::input, metadata_.where(), "the tokens are longer than 2 GiB together");
    vocabulary_->reserve(tokens->size(), n_bytes);
    for (std::size_t i = 0; i < tokens->size(); ++i) {
      const std::int64_t type = types != nullptr ? (*types)[i] : 1;
      vocabulary_->add((*tokens)[i],
                       type >= 1 && type <= 6 ? static_cast<TokenType>(type) : TokenType::normal,
                       scores != nullptr ? static_cast<float>((*scores)[i]) : 0.0F);
    }
    return {};
  }

  template <class T>
  Result<const std::vector<T>*> sized(Result<const std::vector<T>*> list, std::string_view key,
                                      std::size_t n) const {
    if (!metadata_.contains(key)) return nullptr;
    if (list && (*list)->size() != n)
      return fail(ErrorKind::input, metadata_.where(),
                  fmt::format("«{}» has {} entries for {} tokens", key, (*list)->size(), n));
    return list;
  }
  Result<const std::vector<std::int64_t>*> optional_integers(std::string_view key, std::size_t n) const {
    return sized(metadata_.integers(key), key, n);
  }
  Result<const std::vector<double>*> optional_floats(std::string_view key, std::size_t n) const {
    return sized(metadata_.floats(key), key, n);
  }

  /// «left right» lines as merges of ids. Those that name a missing token can never apply and are left out.
  Result<std::vector<Merge>> read_merges() const {
    KERF_TRY(const auto* lines, metadata_.strings("tokenizer.ggml.merges"));
    std::vector<Merge> merges;
    merges.reserve(lines->size());
    std::string joined;
    for (std::size_t rank = 0; rank < lines->size(); ++rank) {
      const std::string_view line = (*lines)[rank];
      const std::size_t blank = line.find(' ', 1);
      if (blank == std::string_view::npos) continue;
      const std::string_view left = line.substr(0, blank), right = line.substr(blank + 1);
      joined.assign(left).append(right);
      const Merge merge{vocabulary_->find(left), vocabulary_->find(right),
                        vocabulary_->find_near(merges.empty() ? 0 : merges.back().result, joined),
                        static_cast<std::uint32_t>(rank)};
      if (merge.left != kNoToken && merge.right != kNoToken && merge.result != kNoToken)
        merges.push_back(merge);
    }
    return merges;
  }

  /// As kerf itself has written it: exactly what the Hugging Face folder said.
  Result<void> make_as_described() {
    KERF_TRY(const std::string text, metadata_.string(kDescriptionKey));
    KERF_TRY(const nlohmann::json description,
             parse_json(text, fmt::format("{}: {}", metadata_.where(), kDescriptionKey)));
    KERF_TRY(const ModelSettings settings,
             read_model_settings(member(description, "model"), metadata_.where()));
    KERF_TRY(pipeline_.added, read_added_tokens(description, *vocabulary_, metadata_.where()));
    for (const AddedToken& token : pipeline_.added)
      if (!vocabulary_->contains(token.id))
        return fail(ErrorKind::input, metadata_.where(),
                    fmt::format("added token {} is beyond the vocabulary", token.id));
    KERF_TRY(const ByteLevel byte_level, read_steps(description, metadata_.where(), pipeline_));
    Vocabulary extra;
    std::vector<Merge> merges;
    if (metadata_.contains("tokenizer.ggml.merges")) {
      KERF_TRY(merges, read_merges());
    } else if (settings.type == "BPE") {
      merges = merges_by_score(*vocabulary_, extra);
    }
    for (const auto& id : member(description, "end_token_ids"))
      if (id.is_number_unsigned() && id.get<std::uint64_t>() < vocabulary_->size())
        pipeline_.ends.push_back(static_cast<TokenId>(id.get<std::uint64_t>()));
    return make_model(settings, byte_level, merges, std::move(extra), metadata_.where(), pipeline_);
  }

  Result<void> make_byte_level_bpe() {
    KERF_TRY(const std::string pre, metadata_.string_or("tokenizer.ggml.pre", "default"));
    const NamedPreTokenizer* named = find_pre_tokenizer(pre);
    if (named == nullptr)
      return fail(ErrorKind::unsupported, metadata_.where(),
                  fmt::format("pre-tokenizer «{}» is not one that kerf knows; name a known one in "
                              "«tokenizer.ggml.pre»",
                              pre));
    KERF_TRY(const std::vector<Merge> merges, read_merges());
    for (const std::string_view pattern : named->patterns) {
      KERF_TRY(PreStepPtr step, split_step(pattern, SplitBehavior::isolated, false, metadata_.where()));
      pipeline_.pre_tokenizer.add(std::move(step));
    }
    if (named->composes) pipeline_.normalizer.add(normal_form_step(NormalForm::nfc));
    KERF_TRY(const bool prefix_space, metadata_.boolean_or("tokenizer.ggml.add_space_prefix", false));
    if (prefix_space) pipeline_.normalizer.add(prepend_step(" "));
    pipeline_.decode = {true, {}, prefix_space};
    adds_bos_ = named->adds_bos;
    collect_added_tokens();
    pipeline_.model = std::make_shared<BpeModel>(vocabulary_, Vocabulary(), merges,
                                                 BpeOptions{true, named->ignore_merges, {}});
    return {};
  }

  Result<void> make_sentencepiece_bpe() {
    Vocabulary extra;
    std::vector<Merge> merges;
    if (metadata_.contains("tokenizer.ggml.merges")) {
      KERF_TRY(merges, read_merges());
    } else {
      merges = merges_by_score(*vocabulary_, extra);
    }
    KERF_TRY(const bool prefix_space, metadata_.boolean_or("tokenizer.ggml.add_space_prefix", true));
    if (prefix_space) pipeline_.normalizer.add(prepend_step(" "));
    pipeline_.normalizer.add(replace_step(" ", std::string(kBlank)));
    pipeline_.decode = {false, std::string(kBlank), prefix_space};
    adds_bos_ = true;
    default_bos_ = 1, default_eos_ = 2;
    KERF_TRY(const TokenId unknown, special_id("unknown", 0));
    collect_added_tokens();
    pipeline_.model = std::make_shared<BpeModel>(vocabulary_, std::move(extra), merges,
                                                 BpeOptions{false, false, {unknown, true, true}});
    return {};
  }

  Result<void> make_unigram() {
    Normalizer& steps = pipeline_.normalizer;
    if (metadata_.contains("tokenizer.ggml.precompiled_charsmap")) {
      KERF_TRY(const auto* rules, metadata_.integers("tokenizer.ggml.precompiled_charsmap"));
      KERF_TRY(NormalizerStepPtr made,
               precompiled_step(std::string(rules->begin(), rules->end()), false, metadata_.where()));
      steps.add(std::move(made));
    }
    KERF_TRY(const bool trims, metadata_.boolean_or("tokenizer.ggml.remove_extra_whitespaces", false));
    if (trims) {
      for (const auto& [blanks, kept] : {std::pair(R"(\A +| +\z)", ""), {" {2,}", " "}}) {
        KERF_TRY(NormalizerStepPtr made, replace_regex_step(blanks, kept, metadata_.where()));
        steps.add(std::move(made));
      }
    }
    KERF_TRY(const bool prefix_space, metadata_.boolean_or("tokenizer.ggml.add_space_prefix", false));
    if (prefix_space) steps.add(prepend_step(" "));
    steps.add(replace_step(" ", std::string(kBlank)));
    pipeline_.decode = {false, std::string(kBlank), prefix_space};
    adds_eos_ = true;
    default_eos_ = 1;
    KERF_TRY(const TokenId unknown, special_id("unknown", 2));
    pipeline_.model = std::make_shared<UnigramModel>(vocabulary_, UnknownPolicy{unknown, true, true});
    collect_added_tokens();
    return {};
  }

  /// «tokenizer.ggml.<name>_token_id». An id beyond the vocabulary is an error.
  Result<TokenId> special_id(std::string_view name, TokenId missing) const {
    const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
    if (!metadata_.contains(key)) return vocabulary_->contains(missing) ? missing : kNoToken;
    KERF_TRY(const std::uint64_t id, metadata_.u64(key));
    // Converters write 2^32 − 1 for «none».
    if (id == std::numeric_limits<std::uint32_t>::max()) return kNoToken;
    if (id >= vocabulary_->size())
      return fail(
          ErrorKind::input, metadata_.where(),
          fmt::format("«{}» is {}, beyond the vocabulary of {} tokens", key, id, vocabulary_->size()));
    return static_cast<TokenId>(id);
  }

  Result<void> read_special_ids() {
    KERF_TRY(pipeline_.bos, special_id("bos", default_bos_));
    KERF_TRY(pipeline_.eos, special_id("eos", default_eos_));
    for (const TokenId id : ending_tokens(*vocabulary_, pipeline_.eos)) pipeline_.ends.push_back(id);
    for (const char* name : {"eot", "eom"}) {
      KERF_TRY(const TokenId id, special_id(name, kNoToken));
      if (id != kNoToken) pipeline_.ends.push_back(id);
    }
    KERF_TRY(const bool add_bos, metadata_.boolean_or("tokenizer.ggml.add_bos_token", adds_bos_));
    KERF_TRY(const bool add_eos, metadata_.boolean_or("tokenizer.ggml.add_eos_token", adds_eos_));
    if (add_bos && pipeline_.bos != kNoToken && pipeline_.prefix.empty())
      pipeline_.prefix.push_back(pipeline_.bos);
    if (add_eos && pipeline_.eos != kNoToken && pipeline_.suffix.empty())
      pipeline_.suffix.push_back(pipeline_.eos);
    return {};
  }

  void collect_added_tokens() {
    for (std::size_t i = 0; i < vocabulary_->size(); ++i) {
      const auto id = static_cast<TokenId>(i);
      const TokenType type = vocabulary_->type(id);
      const bool special = type == TokenType::control || type == TokenType::unknown;
      if (special || type == TokenType::user_defined)
        pipeline_.added.push_back({id, std::string(vocabulary_->piece(id)), special});
    }
  }

  const Metadata& metadata_;
  std::shared_ptr<Vocabulary> vocabulary_ = std::make_shared<Vocabulary>();
  Pipeline pipeline_;
  bool adds_bos_ = false, adds_eos_ = false;
  TokenId default_bos_ = kNoToken, default_eos_ = kNoToken;
};

}  // namespace
}  // namespace text

Result<std::shared_ptr<const Tokenizer>> tokenizer_from_metadata(const Metadata& metadata) {
  return text::GgufVocabulary(metadata).make();
}

}  // namespace kerf
