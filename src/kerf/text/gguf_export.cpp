// The tokenizer.ggml.* keys for a vocabulary that came from a Hugging Face folder.
// What those keys cannot say (normalizers, unnamed patterns, flags of added tokens) goes into one key of
// kerf's own, kerf.tokenizer.json: the tokenizer.json without its vocabulary and merges.
#include <algorithm>

#include "kerf/text/gguf_keys.h"
#include "kerf/text/json_access.h"
#include "kerf/text/pre_names.h"
#include "kerf/text/vocabulary_file.h"

namespace kerf {
namespace text {
namespace {

using Json = nlohmann::json;

class GgufExport {
 public:
  GgufExport(const VocabularyFile& file, const FolderSettings& settings, Metadata& metadata)
      : file_(file), vocabulary_(*file.vocabulary), settings_(settings), metadata_(metadata) {}

  Result<void> write(std::uint64_t n_rows) {
    if (n_rows < vocabulary_.size())
      return fail(ErrorKind::input, file_.where,
                  fmt::format("has {} tokens, but the embedding only {} rows; is it another model's?",
                              vocabulary_.size(), n_rows));
    pipeline_.vocabulary = file_.vocabulary;
    KERF_TRY(byte_level_, read_steps(*file_.description, file_.where, pipeline_));
    apply_folder_settings(settings_, pipeline_);
    KERF_CHECK_OK(write_model());
    write_tokens(n_rows);
    write_special_ids();
    if (!settings_.chat_template.empty())
      metadata_.set("tokenizer.chat_template", MetaValue::of_string(settings_.chat_template));
    metadata_.set(std::string(kDescriptionKey), MetaValue::of_string(describe()));
    return {};
  }

 private:
  Result<void> write_model() {
    const bool unigram = file_.settings.type == "Unigram";
    if (byte_level_ != ByteLevel::none && !unigram) {
      set_string("tokenizer.ggml.model", "gpt2");
      set_string("tokenizer.ggml.pre", pre_name());
      write_merges();
      return {};
    }
    if (pipeline_.decode.blank != "\u2581")
      return fail(
          ErrorKind::unsupported, file_.where,
          "a vocabulary that is neither byte-level nor SentencePiece-like has no place in a GGUF file");
    set_string("tokenizer.ggml.model", unigram ? "t5" : "llama");
    set_string("tokenizer.ggml.pre", "default");
    set_bool("tokenizer.ggml.add_space_prefix", pipeline_.decode.strips_leading_blank);
    unigram ? write_unigram() : write_scores();
    return {};
  }

  /// The name of the very patterns, or of those that are most like them.
  std::string pre_name() const {
    const Json& normalizer = member(*file_.description, "normalizer");
    const bool composes = member(normalizer, "type") == "NFC";
    const auto patterns = splitting_patterns(member(*file_.description, "pre_tokenizer"));
    const std::vector<std::string_view> views(patterns.begin(), patterns.end());
    const std::string_view name = name_of_patterns(views, file_.settings.ignore_merges, composes);
    if (!name.empty()) return std::string(name);
    const auto mentions = [&](std::string_view part) {
      return std::any_of(patterns.begin(), patterns.end(),
                         [&](const std::string& p) { return p.find(part) != std::string::npos; });
    };
    if (mentions(R"(\p{N}{1,3})")) return file_.settings.ignore_merges ? "llama-bpe" : "dbrx";
    return mentions(R"(\r\n\p{L}\p{N})") ? "qwen2" : "gpt-2";
  }

  void write_merges() {
    std::vector<std::string> lines;
    lines.reserve(file_.merges.size());
    for (const Merge& merge : file_.merges)
      lines.push_back(fmt::format("{} {}", vocabulary_.piece(merge.left), vocabulary_.piece(merge.right)));
    metadata_.set("tokenizer.ggml.merges", MetaValue::of_strings(std::move(lines)));
  }

  /// SentencePiece-like BPE is merged by score. Where the file has merges instead, a token's score is its
  /// first merge's rank, which gives the same order; the merges go along for readers that know them.
  void write_scores() {
    scores_.resize(vocabulary_.size());
    for (std::size_t id = 0; id < scores_.size(); ++id)
      scores_[id] = static_cast<double>(vocabulary_.score(static_cast<TokenId>(id)));
    if (file_.merged_by_score) return;
    std::fill(scores_.begin(), scores_.end(), -static_cast<double>(file_.merges.size()));
    for (const Merge& merge : file_.merges) {
      double& score = scores_[static_cast<std::size_t>(merge.result)];
      score = std::max(score, -static_cast<double>(merge.rank));
    }
    write_merges();
  }

  void write_unigram() {
    scores_.resize(vocabulary_.size());
    for (std::size_t id = 0; id < scores_.size(); ++id)
      scores_[id] = static_cast<double>(vocabulary_.score(static_cast<TokenId>(id)));
  }

  void write_tokens(std::uint64_t n_rows) {
    std::vector<std::string> tokens;
    std::vector<std::int64_t> types;
    tokens.reserve(n_rows), types.reserve(n_rows);
    for (std::size_t i = 0; i < vocabulary_.size(); ++i) {
      const auto id = static_cast<TokenId>(i);
      tokens.emplace_back(vocabulary_.piece(id));
      types.push_back(static_cast<std::int64_t>(vocabulary_.type(id)));
    }
    for (std::uint64_t id = tokens.size(); id < n_rows; ++id) {
      tokens.push_back(fmt::format("[PAD{}]", id));
      types.push_back(static_cast<std::int64_t>(TokenType::unused));
    }
    metadata_.set("tokenizer.ggml.tokens", MetaValue::of_strings(std::move(tokens)));
    metadata_.set("tokenizer.ggml.token_type", MetaValue::of_i32s(std::move(types)));
    if (scores_.empty()) return;
    scores_.resize(n_rows, -1e6);
    metadata_.set("tokenizer.ggml.scores", MetaValue::of_f32s(std::move(scores_)));
  }

  void write_special_ids() {
    const TokenId unknown = settings_.unknown != kNoToken ? settings_.unknown : file_.settings.unknown_id;
    set_id("tokenizer.ggml.bos_token_id", pipeline_.bos);
    set_id("tokenizer.ggml.eos_token_id", pipeline_.eos);
    set_id("tokenizer.ggml.unknown_token_id", unknown);
    set_id("tokenizer.ggml.padding_token_id", settings_.padding);
    for (const TokenId id : settings_.ends)
      if (id != pipeline_.eos && !metadata_.contains("tokenizer.ggml.eot_token_id"))
        set_id("tokenizer.ggml.eot_token_id", id);
    const auto has = [](const std::vector<TokenId>& ids, TokenId id) {
      return id != kNoToken && std::find(ids.begin(), ids.end(), id) != ids.end();
    };
    set_bool("tokenizer.ggml.add_bos_token", has(pipeline_.prefix, pipeline_.bos));
    set_bool("tokenizer.ggml.add_eos_token", has(pipeline_.suffix, pipeline_.eos));
  }

  /// The description with only what differs from the defaults, so that it stays small.
  std::string describe() const {
    auto added = Json::array();
    for (const AddedToken& token : file_.added) {
      Json entry = {{"id", token.id}};
      if (token.text != vocabulary_.piece(token.id)) entry["content"] = token.text;
      for (const auto& [name, flag] : {std::pair("special", token.special),
                                       {"normalized", token.normalized},
                                       {"lstrip", token.strip_left},
                                       {"rstrip", token.strip_right},
                                       {"single_word", token.single_word}})
        if (flag) entry[name] = true;
      added.push_back(std::move(entry));
    }
    Json description = {{"added_tokens", std::move(added)}, {"end_token_ids", pipeline_.ends}};
    for (const char* name : {"normalizer", "pre_tokenizer", "decoder", "post_processor", "model"})
      if (const Json& value = member(*file_.description, name); !value.is_null()) description[name] = value;
    return description.dump();
  }

  void set_string(const char* key, std::string value) {
    metadata_.set(key, MetaValue::of_string(std::move(value)));
  }
  void set_bool(const char* key, bool value) { metadata_.set(key, MetaValue::of_bool(value)); }
  void set_id(const char* key, TokenId id) {
    if (id != kNoToken) metadata_.set(key, MetaValue::of_u32(static_cast<std::uint32_t>(id)));
  }

  const VocabularyFile& file_;
  const Vocabulary& vocabulary_;
  const FolderSettings& settings_;
  Metadata& metadata_;
  Pipeline pipeline_;
  ByteLevel byte_level_ = ByteLevel::none;
  std::vector<double> scores_;
};

}  // namespace
}  // namespace text

Result<void> vocabulary_to_metadata(const std::filesystem::path& folder, std::uint64_t vocabulary_size,
                                    Metadata& metadata) {
  KERF_TRY(const text::VocabularyFile file, text::read_vocabulary_file(folder));
  KERF_TRY(const text::FolderSettings settings, text::read_folder_settings(folder, *file.vocabulary));
  return text::GgufExport(file, settings, metadata).write(vocabulary_size);
}

}  // namespace kerf
