// A vocabulary as a file describes it, before it becomes a tokenizer or the keys of a GGUF file.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "kerf/text/bpe.h"
#include "kerf/text/description.h"
#include "kerf/text/pipeline.h"

namespace kerf::text {

/// What a file holds, in kerf's terms.
struct VocabularyFile {
  VocabularyFile();
  ~VocabularyFile();
  VocabularyFile(VocabularyFile&&) noexcept;
  VocabularyFile& operator=(VocabularyFile&&) noexcept;

  std::string where;
  std::shared_ptr<Vocabulary> vocabulary;
  Vocabulary extra;  ///< symbols between two merges, as BpeModel wants them
  std::vector<Merge> merges;
  bool merged_by_score = false;  ///< merges follow from the scores
  ModelSettings settings;
  std::vector<AddedToken> added;
  /// The members of tokenizer.json without vocabulary and merges.
  std::unique_ptr<nlohmann::json> description;
};

/// Reads a tokenizer.json. Errors: input, unsupported.
Result<VocabularyFile> read_tokenizer_json(std::string_view text, const std::string& where);

/// Reads a tokenizer.model (SentencePiece's ModelProto), as the equal tokenizer.json.
Result<VocabularyFile> read_sentencepiece_model(std::string_view bytes, const std::string& where);

/// tokenizer.json or tokenizer.model, by content; of a folder, whichever it holds.
Result<VocabularyFile> read_vocabulary_file(const std::filesystem::path& path);

/// The steps that the description asks for, around the model. Special ids are left to the caller.
Result<Pipeline> make_pipeline(const VocabularyFile& file);

/// What the other files of a Hugging Face folder say about the vocabulary.
struct FolderSettings {
  TokenId bos = kNoToken, eos = kNoToken, unknown = kNoToken, padding = kNoToken;
  std::vector<TokenId> ends;  ///< all ids that generation_config.json or config.json call eos
  bool adds_bos = false;      ///< tokenizer_config.json says so
  bool adds_eos = false;
  std::string chat_template;  ///< empty if there is none
};

/// Reads tokenizer_config.json, generation_config.json, config.json and chat_template.jinja in `folder`, as
/// far as they exist. Ids beyond the vocabulary are errors.
Result<FolderSettings> read_folder_settings(const std::filesystem::path& folder,
                                            const Vocabulary& vocabulary);

/// Fills bos, eos and ends, and the BOS or EOS that settings ask for where the file has no post-processor.
void apply_folder_settings(const FolderSettings& settings, Pipeline& pipeline);

}  // namespace kerf::text
