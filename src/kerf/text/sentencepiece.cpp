// tokenizer.model: SentencePiece's ModelProto, a protocol buffer.
//
//   field                      what
//   1  repeated message        piece: 1 string text, 2 float score, 3 enum type (as TokenType)
//   2  message trainer_spec    3 enum model_type (1 Unigram, 2 BPE), 35 bool byte_fallback
//   3  message normalizer_spec 2 bytes compiled rules, 3 bool add_dummy_prefix (default true),
//                              4 bool remove_extra_whitespaces (default true)
// Source: sentencepiece_model.proto.
#include <bit>
#include <optional>

#include "kerf/base/bits.h"
#include "kerf/text/json_access.h"
#include "kerf/text/unicode.h"
#include "kerf/text/vocabulary_file.h"

namespace kerf::text {
namespace {

using Json = nlohmann::json;

/// Walks the fields of one message. Anything malformed ends it with ok() false.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view bytes) : bytes_(bytes) {}

  struct Field {
    std::uint32_t number = 0;
    std::uint64_t value = 0;  ///< of a varint or fixed-size field
    std::string_view bytes;   ///< of a length-delimited field
  };

  std::optional<Field> next() {
    std::uint64_t tag = 0;
    if (bytes_.empty() || !ok_ || !varint(tag)) return std::nullopt;
    Field field{static_cast<std::uint32_t>(tag >> 3), 0, {}};
    switch (tag & 7) {
      case 0:
        ok_ = varint(field.value);
        break;
      case 1:
        ok_ = fixed(8, field.value);
        break;
      case 2:
        ok_ = varint(field.value) && field.value <= bytes_.size();
        if (!ok_) return std::nullopt;
        field.bytes = bytes_.substr(0, field.value);
        bytes_.remove_prefix(field.value);
        break;
      case 5:
        ok_ = fixed(4, field.value);
        break;
      default:
        ok_ = false;  // groups are not used
    }
    if (!ok_ || field.number == 0) return ok_ = false, std::nullopt;
    return field;
  }
  [[nodiscard]] bool ok() const noexcept { return ok_; }

 private:
  bool varint(std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<std::uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    return ok_ = false;
  }

  bool fixed(std::size_t n, std::uint64_t& value) {
    if (bytes_.size() < n) return ok_ = false;
    value = n == 4 ? load_le<std::uint32_t>(bytes_.data()) : load_le<std::uint64_t>(bytes_.data());
    bytes_.remove_prefix(n);
    return true;
  }

  std::string_view bytes_;
  bool ok_ = true;
};

std::string to_base64(std::string_view bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  std::uint32_t bits = 0;
  int n_bits = 0;
  for (const char byte : bytes) {
    bits = bits << 8 | static_cast<std::uint8_t>(byte);
    for (n_bits += 8; n_bits >= 6;) text.push_back(kDigits[bits >> (n_bits -= 6) & 63]);
  }
  if (n_bits > 0) text.push_back(kDigits[bits << (6 - n_bits) & 63]);
  while (text.size() % 4 != 0) text.push_back('=');
  return text;
}

class SentencePieceModel {
 public:
  SentencePieceModel(std::string_view bytes, std::string where) : bytes_(bytes), where_(std::move(where)) {}

  Result<VocabularyFile> read() {
    ProtoReader reader(bytes_);
    while (const auto field = reader.next()) {
      if (field->number == 1 && !read_piece(field->bytes)) return broken();
      if (field->number == 2 && !read_trainer(field->bytes)) return broken();
      if (field->number == 3 && !read_normalizer(field->bytes)) return broken();
    }
    if (!reader.ok() || file_.vocabulary->size() == 0) return broken();
    if (model_type_ != 1 && model_type_ != 2)
      return fail(
          ErrorKind::unsupported, where_,
          fmt::format("SentencePiece model type {} is not supported; Unigram and BPE are", model_type_));
    file_.where = where_;
    KERF_CHECK_OK(describe());
    return std::move(file_);
  }

 private:
  tl::unexpected<Error> broken() const {
    return fail(ErrorKind::input, where_, "is not a SentencePiece model, or is cut off");
  }

  bool read_piece(std::string_view bytes) {
    ProtoReader reader(bytes);
    std::string_view text;
    float score = 0;
    std::uint64_t type = 1;
    while (const auto field = reader.next()) {
      if (field->number == 1) text = field->bytes;
      if (field->number == 2) score = std::bit_cast<float>(static_cast<std::uint32_t>(field->value));
      if (field->number == 3) type = field->value;
    }
    if (!reader.ok() || type < 1 || type > 6 || valid_prefix(text) != text.size()) return false;
    const TokenId id = file_.vocabulary->add(text, static_cast<TokenType>(type), score);
    const bool special = type == 2 || type == 3;
    if (special || type == 4) file_.added.push_back({id, std::string(text), special});
    if (type == 2) file_.settings.unknown_id = id;
    return true;
  }

  bool read_trainer(std::string_view bytes) {
    ProtoReader reader(bytes);
    while (const auto field = reader.next()) {
      if (field->number == 3) model_type_ = field->value;
      if (field->number == 35) file_.settings.byte_fallback = field->value != 0;
    }
    return reader.ok();
  }

  bool read_normalizer(std::string_view bytes) {
    ProtoReader reader(bytes);
    while (const auto field = reader.next()) {
      if (field->number == 2) rules_ = field->bytes;
      if (field->number == 3) dummy_prefix_ = field->value != 0;
      if (field->number == 4) remove_extra_blanks_ = field->value != 0;
    }
    return reader.ok();
  }

  /// What a tokenizer.json that does the same would say.
  Result<void> describe() {
    file_.settings.type = model_type_ == 1 ? "Unigram" : "BPE";
    file_.settings.fuse_unknown = true;
    if (file_.settings.unknown_id != kNoToken)
      file_.settings.unknown_token = file_.vocabulary->piece(file_.settings.unknown_id);
    auto steps = Json::array();
    if (!rules_.empty())
      steps.push_back(
          {{"type", "Precompiled"}, {"precompiled_charsmap", to_base64(rules_)}, {"by_prefix", true}});
    if (remove_extra_blanks_) {
      // Blanks only: other white space is text.
      steps.push_back({{"type", "Replace"}, {"pattern", {{"Regex", R"(\A +| +\z)"}}}, {"content", ""}});
      steps.push_back({{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", " "}});
    }
    if (dummy_prefix_) steps.push_back({{"type", "Prepend"}, {"prepend", " "}});
    steps.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}});
    Json& description = *file_.description;
    description["normalizer"] = {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
    description["decoder"] = {{"type", "Metaspace"},
                              {"replacement", "\u2581"},
                              {"prepend_scheme", dummy_prefix_ ? "always" : "never"}};
    description["model"] = {
        {"type", file_.settings.type}, {"byte_fallback", file_.settings.byte_fallback}, {"fuse_unk", true}};
    if (model_type_ == 2) return make_merges();
    description["model"]["unk_id"] = std::max(file_.settings.unknown_id, 0);
    return {};
  }

  Result<void> make_merges() {
    file_.merged_by_score = true;
    // The file does not say so, but every model with such a vocabulary begins its texts with BOS.
    const TokenId bos = file_.vocabulary->find("<s>") != kNoToken ? file_.vocabulary->find("<s>")
                                                                  : file_.vocabulary->find("<bos>");
    if (bos != kNoToken && file_.vocabulary->type(bos) == TokenType::control)
      (*file_.description)["post_processor"] = {
          {"type", "TemplateProcessing"},
          {"single",
           Json::array({Json{{"SpecialToken", {{"id", "bos"}}}}, Json{{"Sequence", {{"id", "A"}}}}})},
          {"special_tokens", {{"bos", {{"ids", Json::array({static_cast<std::uint64_t>(bos)})}}}}}};
    file_.merges = merges_by_score(*file_.vocabulary, file_.extra);
    if (file_.settings.unknown_id != kNoToken)
      (*file_.description)["model"]["unk_token"] = file_.settings.unknown_token;
    return {};
  }

  std::string_view bytes_;
  std::string where_;
  std::string_view rules_;
  std::uint64_t model_type_ = 1;
  bool dummy_prefix_ = true, remove_extra_blanks_ = true;
  VocabularyFile file_;
};

}  // namespace

Result<VocabularyFile> read_sentencepiece_model(std::string_view bytes, const std::string& where) {
  return SentencePieceModel(bytes, where).read();
}

}  // namespace kerf::text
