// tokenizer.json: the file of the `tokenizers` library.
#include <algorithm>
#include <limits>

#include "kerf/base/json.h"
#include "kerf/text/json_access.h"
#include "kerf/text/json_reader.h"
#include "kerf/text/unicode.h"
#include "kerf/text/vocabulary_file.h"

namespace kerf::text {
namespace {

using Json = nlohmann::json;

// Ids are places in tables: a file may not ask for more than this.
constexpr std::int64_t kMaxTokens = 1 << 24;

/// The parts of the file, unread.
struct Members {
  std::string_view vocabulary, merges;
  std::string rest = "{";   // everything else but «model», as one object
  std::string model = "{";  // the other members of «model»

  static void append(std::string& object, std::string_view key, std::string_view value) {
    object.append(object.size() > 1 ? ",\"" : "\"").append(key).append("\":").append(value);
  }
};

bool is_plain(std::string_view key) noexcept {
  return std::all_of(key.begin(), key.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

class TokenizerJson {
 public:
  TokenizerJson(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {
    file_.where = where_;
  }

  Result<VocabularyFile> read() {
    if (valid_prefix(text_) != text_.size()) return fail(ErrorKind::input, where_, "is not valid UTF-8");
    KERF_CHECK_OK(find_members());
    KERF_TRY(*file_.description, parse_json(members_.rest, where_));
    KERF_TRY(Json model, parse_json(members_.model, where_));
    KERF_TRY(file_.settings, read_model_settings(model, where_));
    if (members_.vocabulary.empty()) return input("has no vocabulary");
    KERF_TRY(file_.added, read_added_tokens(*file_.description, *file_.vocabulary, where_));
    KERF_CHECK_OK(members_.vocabulary.front() == '[' ? read_scored_pieces() : read_pieces());
    KERF_CHECK_OK(place_pieces());
    if (!members_.merges.empty()) KERF_CHECK_OK(read_merges());
    (*file_.description)["model"] = std::move(model);
    return std::move(file_);
  }

 private:
  /// `begin` and `length` are of its text in texts_: one string of its own for each would cost more than all
  /// the rest of the reading.
  struct Piece {
    std::size_t begin;
    std::size_t length;
    std::int64_t id;
    double score;
  };

  [[nodiscard]] std::string_view text_of(const Piece& piece) const {
    return std::string_view(texts_).substr(piece.begin, piece.length);
  }

  void add_piece(std::string_view text, std::int64_t id, double score) {
    pieces_.push_back({texts_.size(), text.size(), id, score});
    texts_ += text;
  }

  tl::unexpected<Error> input(std::string what) const {
    return fail(ErrorKind::input, where_, std::move(what));
  }

  Result<void> find_members() {
    JsonReader reader(text_, where_);
    std::string key;
    std::string_view value;
    bool has_model = false;
    reader.begin_object();
    while (reader.next_key(key)) {
      if (key == "model" && !has_model) {
        has_model = true;
        KERF_CHECK_OK(find_model_members(reader));
      } else if (reader.raw(value)) {
        if (!is_plain(key) || key == "model") return input(fmt::format("has an unexpected member «{}»", key));
        Members::append(members_.rest, key, value);
      }
    }
    if (reader.failed()) return reader.error();
    if (!has_model) return input("has no «model»; is it a tokenizer.json?");
    members_.rest += '}', members_.model += '}';
    return {};
  }

  Result<void> find_model_members(JsonReader& reader) {
    std::string key;
    std::string_view value;
    reader.begin_object();
    while (reader.next_key(key)) {
      if (!reader.raw(value)) break;
      if (key == "vocab")
        members_.vocabulary = value;
      else if (key == "merges")
        members_.merges = value;
      else if (is_plain(key))
        Members::append(members_.model, key, value);
    }
    if (reader.failed()) return reader.error();
    return {};
  }

  /// {"piece": id, …}
  Result<void> read_pieces() {
    JsonReader reader(members_.vocabulary, where_);
    pieces_.reserve(members_.vocabulary.size() / 16);
    texts_.reserve(members_.vocabulary.size());
    std::string text;
    std::int64_t id = 0;
    reader.begin_object();
    while (reader.next_key(text) && reader.read_integer(id)) add_piece(text, id, 0);
    if (reader.failed()) return reader.error();
    return {};
  }

  /// [["piece", score], …]
  Result<void> read_scored_pieces() {
    JsonReader reader(members_.vocabulary, where_);
    std::string text;
    double score = 0;
    reader.begin_array();
    while (reader.next_element()) {
      const bool complete = reader.begin_array() && reader.next_element() && reader.read_string(text) &&
                            reader.next_element() && reader.read_number(score) && !reader.next_element();
      if (!complete || reader.failed()) break;
      add_piece(text, static_cast<std::int64_t>(pieces_.size()), score);
    }
    if (reader.failed()) return reader.error();
    return {};
  }

  /// Puts the pieces in the order of their ids, the added tokens among and behind them.
  Result<void> place_pieces() {
    std::int64_t n = 0;
    std::size_t n_bytes = 0;
    for (const Piece& piece : pieces_) {
      if (piece.id < 0 || piece.id >= kMaxTokens)
        return input(fmt::format("token «{}» has the id {}", text_of(piece), piece.id));
      n = std::max(n, piece.id + 1);
      n_bytes += piece.length;
    }
    for (const AddedToken& token : file_.added) {
      if (token.id >= kMaxTokens) return input(fmt::format("token «{}» has the id {}", token.text, token.id));
      n = std::max<std::int64_t>(n, token.id + 1);
    }
    if (n > 16 + 64 * static_cast<std::int64_t>(pieces_.size() + file_.added.size()))
      return input(fmt::format("has {} tokens with ids up to {}", pieces_.size(), n - 1));
    std::vector<const Piece*> by_id(static_cast<std::size_t>(n), nullptr);
    for (const Piece& piece : pieces_) {
      const Piece*& place = by_id[static_cast<std::size_t>(piece.id)];
      if (place != nullptr)
        return input(fmt::format("tokens «{}» and «{}» have the same id {}", text_of(*place), text_of(piece),
                                 piece.id));
      place = &piece;
    }
    std::vector<const AddedToken*> added_by_id(by_id.size(), nullptr);
    for (const AddedToken& token : file_.added) added_by_id[static_cast<std::size_t>(token.id)] = &token;
    file_.vocabulary->reserve(by_id.size(), n_bytes);
    for (std::size_t id = 0; id < by_id.size(); ++id) add_token(by_id[id], added_by_id[id]);
    return {};
  }

  void add_token(const Piece* piece, const AddedToken* added) {
    const TokenType type = added == nullptr ? TokenType::normal
                           : added->special ? TokenType::control
                                            : TokenType::user_defined;
    Vocabulary& vocabulary = *file_.vocabulary;
    if (piece == nullptr && added == nullptr) {
      vocabulary.add(fmt::format("[PAD{}]", vocabulary.size()), TokenType::unused);
      return;
    }
    const TokenId id = vocabulary.add(piece != nullptr ? text_of(*piece) : added->text, type,
                                      piece != nullptr ? static_cast<float>(piece->score) : 0.0F);
    const bool byte = file_.settings.byte_fallback && byte_of_piece(vocabulary.piece(id)) >= 0;
    if (piece != nullptr && is_unknown(id, text_of(*piece)))
      vocabulary.set_type(id, TokenType::unknown);
    else if (byte)
      vocabulary.set_type(id, TokenType::byte);
  }

  /// A byte-level vocabulary knows every text; where such a file names an unknown token, it is another
  /// special token («<|endoftext|>»).
  [[nodiscard]] bool is_unknown(TokenId id, std::string_view text) const {
    const ModelSettings& settings = file_.settings;
    if (settings.type == "Unigram") return id == settings.unknown_id;
    return text == settings.unknown_token &&
           member(member(*file_.description, "decoder"), "type") != "ByteLevel";
  }

  /// ["a b", …] or [["a", "b"], …]
  Result<void> read_merges() {
    JsonReader reader(members_.merges, where_);
    std::string left, right, joined;
    file_.merges.reserve(members_.merges.size() / 16);
    reader.begin_array();
    while (reader.next_element()) {
      if (reader.peek() == '[') {
        const bool complete = reader.begin_array() && reader.next_element() && reader.read_string(left) &&
                              reader.next_element() && reader.read_string(right) && !reader.next_element();
        if (!complete) break;
      } else {
        if (!reader.read_string(left)) break;
        const std::size_t blank = left.find(' ');
        if (blank == std::string::npos || left.find(' ', blank + 1) != std::string::npos)
          return input(fmt::format("merge «{}» is not two tokens", left));
        right.assign(left, blank + 1);
        left.resize(blank);
      }
      KERF_CHECK_OK(add_merge(left, right, joined));
    }
    if (reader.failed()) return reader.error();
    return {};
  }

  Result<void> add_merge(const std::string& left, const std::string& right, std::string& joined) {
    joined.assign(left).append(right);
    const Vocabulary& vocabulary = *file_.vocabulary;
    const Merge merge{vocabulary.find(left), vocabulary.find(right),
                      vocabulary.find_near(last_result(), joined),
                      static_cast<std::uint32_t>(file_.merges.size())};
    if (merge.left == kNoToken || merge.right == kNoToken || merge.result == kNoToken)
      return input(fmt::format("merge {} («{}» and «{}») needs a token that the vocabulary lacks",
                               file_.merges.size(), left, right));
    file_.merges.push_back(merge);
    return {};
  }

  [[nodiscard]] TokenId last_result() const { return file_.merges.empty() ? 0 : file_.merges.back().result; }

  std::string_view text_;
  std::string where_;
  Members members_;
  std::string texts_;
  std::vector<Piece> pieces_;
  VocabularyFile file_;
};

}  // namespace

VocabularyFile::VocabularyFile()
    : vocabulary(std::make_shared<Vocabulary>()), description(std::make_unique<nlohmann::json>()) {}
VocabularyFile::~VocabularyFile() = default;
VocabularyFile::VocabularyFile(VocabularyFile&&) noexcept = default;
VocabularyFile& VocabularyFile::operator=(VocabularyFile&&) noexcept = default;

Result<VocabularyFile> read_tokenizer_json(std::string_view text, const std::string& where) {
  return TokenizerJson(text, where).read();
}

Result<Pipeline> make_pipeline(const VocabularyFile& file) {
  Pipeline pipeline;
  pipeline.vocabulary = file.vocabulary;
  pipeline.added = file.added;
  KERF_TRY(const ByteLevel byte_level, read_steps(*file.description, file.where, pipeline));
  KERF_CHECK_OK(make_model(file.settings, byte_level, file.merges, file.extra, file.where, pipeline));
  return pipeline;
}

}  // namespace kerf::text
