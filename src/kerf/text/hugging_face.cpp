// A Hugging Face folder: which file holds the vocabulary, and what the files beside it say.
#include <algorithm>

#include "kerf/base/file.h"
#include "kerf/base/json.h"
#include "kerf/text/json_access.h"
#include "kerf/text/vocabulary_file.h"

namespace kerf {
namespace text {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFileBytes = 1ULL << 28;

/// Null if there is no such file.
Result<Json> read_optional_json(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return Json();
  KERF_TRY(const std::string text, read_file(path, kMaxFileBytes));
  return parse_json(text, path.string());
}

class SettingsReader {
 public:
  SettingsReader(const fs::path& folder, const Vocabulary& vocabulary)
      : folder_(folder), vocabulary_(vocabulary) {}

  Result<FolderSettings> read() {
    KERF_TRY(const Json generation, read_optional_json(folder_ / "generation_config.json"));
    KERF_TRY(const Json model, read_optional_json(folder_ / "config.json"));
    KERF_TRY(const Json tokenizer, read_optional_json(folder_ / "tokenizer_config.json"));
    KERF_CHECK_OK(read_tokenizer_config(tokenizer));
    for (const Json* config : {&generation, &model}) {
      KERF_CHECK_OK(read_ids(member(*config, "eos_token_id")));
      KERF_CHECK_OK(fill(*config, "bos_token_id", settings_.bos));
      KERF_CHECK_OK(fill(*config, "pad_token_id", settings_.padding));
    }
    if (settings_.eos == kNoToken && !settings_.ends.empty()) settings_.eos = settings_.ends.front();
    KERF_CHECK_OK(read_chat_template(tokenizer));
    return std::move(settings_);
  }

 private:
  Result<void> read_tokenizer_config(const Json& config) {
    const std::string where = (folder_ / "tokenizer_config.json").string();
    settings_.bos = named_token(config, "bos_token");
    settings_.eos = named_token(config, "eos_token");
    settings_.unknown = named_token(config, "unk_token");
    settings_.padding = named_token(config, "pad_token");
    KERF_TRY(settings_.adds_bos, bool_or(config, "add_bos_token", false, where));
    KERF_TRY(settings_.adds_eos, bool_or(config, "add_eos_token", false, where));
    return {};
  }

  /// A token given as its text, or as an object with «content».
  TokenId named_token(const Json& config, const char* name) const {
    const Json& value = member(config, name);
    const Json& text = value.is_object() ? member(value, "content") : value;
    return text.is_string() ? vocabulary_.find(text.get_ref<const std::string&>()) : kNoToken;
  }

  Result<void> fill(const Json& config, const char* name, TokenId& id) const {
    const Json& value = member(config, name);
    if (id != kNoToken || value.is_array()) return {};
    KERF_TRY(const TokenId found, id_or_none(config, name, folder_.string()));
    if (vocabulary_.contains(found)) id = found;
    return {};
  }

  /// One id or a list of ids. Those beyond the vocabulary can never be produced and are left out.
  Result<void> read_ids(const Json& value) {
    if (value.is_null()) return {};
    const Json list = value.is_array() ? value : Json::array({value});
    for (const Json& id : list) {
      if (!id.is_number_integer())
        return fail(ErrorKind::input, folder_.string(), "«eos_token_id» is neither an id nor a list of ids");
      const auto token = id.get<std::int64_t>();
      if (token >= 0 && token < static_cast<std::int64_t>(vocabulary_.size()))
        settings_.ends.push_back(static_cast<TokenId>(token));
    }
    return {};
  }

  /// In tokenizer_config.json (a text, or a list of named ones), else in a file of its own.
  Result<void> read_chat_template(const Json& config) {
    const Json& value = member(config, "chat_template");
    if (value.is_string()) {
      settings_.chat_template = value.get<std::string>();
      return {};
    }
    if (value.is_array())
      for (const Json& entry : value)
        if (member(entry, "name") == "default" && member(entry, "template").is_string())
          settings_.chat_template = member(entry, "template").get<std::string>();
    const fs::path path = folder_ / "chat_template.jinja";
    std::error_code ignored;
    if (!settings_.chat_template.empty() || !fs::exists(path, ignored)) return {};
    KERF_TRY(settings_.chat_template, read_file(path, kMaxFileBytes));
    return {};
  }

  const fs::path& folder_;
  const Vocabulary& vocabulary_;
  FolderSettings settings_;
};

/// The file to read: `path` itself, or the vocabulary in the folder.
Result<fs::path> find_vocabulary(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path;
  for (const char* name : {"tokenizer.json", "tokenizer.model"})
    if (fs::exists(path / name, ignored)) return path / name;
  return fail(ErrorKind::not_found, path.string(),
              "the folder has neither tokenizer.json nor tokenizer.model");
}

}  // namespace

Result<VocabularyFile> read_vocabulary_file(const fs::path& path) {
  KERF_TRY(const fs::path file, find_vocabulary(path));
  KERF_TRY(const std::string bytes, read_file(file, kMaxFileBytes));
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  // A SentencePiece model begins with the tag 0x0A, which is a line feed, so the name has the last word.
  const bool json = first != std::string::npos && bytes[first] == '{' && file.extension() != ".model";
  return json || file.extension() == ".json" ? read_tokenizer_json(bytes, file.string())
                                             : read_sentencepiece_model(bytes, file.string());
}

Result<FolderSettings> read_folder_settings(const fs::path& folder, const Vocabulary& vocabulary) {
  return SettingsReader(folder, vocabulary).read();
}

void apply_folder_settings(const FolderSettings& settings, Pipeline& pipeline) {
  pipeline.bos = settings.bos;
  pipeline.eos = settings.eos;
  if (pipeline.bos == kNoToken && !pipeline.prefix.empty()) pipeline.bos = pipeline.prefix.front();
  if (pipeline.eos == kNoToken && !pipeline.suffix.empty()) pipeline.eos = pipeline.suffix.back();
  if (pipeline.eos == kNoToken)
    for (const char* name : {"</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>"})
      if (pipeline.eos == kNoToken) pipeline.eos = pipeline.vocabulary->find(name);
  if (pipeline.prefix.empty() && settings.adds_bos && pipeline.bos != kNoToken)
    pipeline.prefix.push_back(pipeline.bos);
  if (pipeline.suffix.empty() && settings.adds_eos && pipeline.eos != kNoToken)
    pipeline.suffix.push_back(pipeline.eos);
  pipeline.ends = ending_tokens(*pipeline.vocabulary, pipeline.eos);
  for (const TokenId id : settings.ends)
    if (std::find(pipeline.ends.begin(), pipeline.ends.end(), id) == pipeline.ends.end())
      pipeline.ends.push_back(id);
}

}  // namespace text

Result<std::shared_ptr<const Tokenizer>> tokenizer_from_hugging_face(const std::filesystem::path& path) {
  KERF_TRY(const text::VocabularyFile file, text::read_vocabulary_file(path));
  KERF_TRY(text::Pipeline pipeline, text::make_pipeline(file));
  std::error_code ignored;
  const auto folder = std::filesystem::is_directory(path, ignored) ? path : path.parent_path();
  KERF_TRY(const text::FolderSettings settings, text::read_folder_settings(folder, *file.vocabulary));
  text::apply_folder_settings(settings, pipeline);
  return text::make_tokenizer(std::move(pipeline));
}

}  // namespace kerf
