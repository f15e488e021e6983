// The steps of a tokenizer.json, by the name that «type» gives them.
#include <array>

#include "kerf/text/description.h"
#include "kerf/text/json_access.h"

namespace kerf::text {
namespace {

using Json = nlohmann::json;

constexpr int kMaxNesting = 8;  // of «Sequence» in «Sequence»

template <class Enum, std::size_t N>
Result<Enum> named(const std::string& name, const std::array<std::pair<std::string_view, Enum>, N>& names,
                   const std::string& where) {
  for (const auto& [spelling, value] : names)
    if (spelling == name) return value;
  return fail(ErrorKind::unsupported, where, fmt::format("«{}» is not a known choice", name));
}

class StepReader {
 public:
  StepReader(std::string where, Pipeline& pipeline) : where_(std::move(where)), pipeline_(pipeline) {}

  Result<ByteLevel> read(const Json& description) {
    KERF_CHECK_OK(each(member(description, "normalizer"), "normalizers", 0,
                       [&](const Json& step, const std::string& type) { return normalizer(step, type); }));
    KERF_CHECK_OK(each(member(description, "pre_tokenizer"), "pretokenizers", 0,
                       [&](const Json& step, const std::string& type) { return pre_tokenizer(step, type); }));
    KERF_CHECK_OK(each(member(description, "decoder"), "decoders", 0,
                       [&](const Json& step, const std::string& type) { return decoder(step, type); }));
    KERF_CHECK_OK(
        each(member(description, "post_processor"), "processors", 0,
             [&](const Json& step, const std::string& type) { return post_processor(step, type); }));
    return byte_level_;
  }

 private:
  /// Calls `read` for a step, or for each of a «Sequence».
  Result<void> each(const Json& step, const char* list_name, int nesting,
                    FunctionRef<Result<void>(const Json&, const std::string&)> read) {
    if (step.is_null()) return {};
    KERF_TRY(const std::string type, string_or(step, "type", "", where_));
    if (type != "Sequence") return read(step, type);
    const Json& list = member(step, list_name);
    if (!list.is_array() || nesting == kMaxNesting)
      return fail(ErrorKind::input, where_, fmt::format("a «Sequence» has no usable «{}»", list_name));
    for (const Json& inner : list) KERF_CHECK_OK(each(inner, list_name, nesting + 1, read));
    return {};
  }

  tl::unexpected<Error> unsupported(const char* kind, const std::string& type) const {
    return fail(ErrorKind::unsupported, where_, fmt::format("the {} «{}» is not supported", kind, type));
  }

  Result<void> normalizer(const Json& step, const std::string& type) {
    Normalizer& steps = pipeline_.normalizer;
    static constexpr std::array<std::pair<std::string_view, NormalForm>, 4> kForms = {
        {{"NFC", NormalForm::nfc},
         {"NFD", NormalForm::nfd},
         {"NFKC", NormalForm::nfkc},
         {"NFKD", NormalForm::nfkd}}};
    for (const auto& [name, form] : kForms)
      if (type == name) return steps.add(normal_form_step(form)), Result<void>();
    if (type == "Lowercase") return steps.add(lowercase_step()), Result<void>();
    if (type == "StripAccents") return steps.add(strip_accents_step()), Result<void>();
    if (type == "Nmt") return steps.add(nmt_step()), Result<void>();
    if (type == "Strip") {
      KERF_TRY(const bool left, bool_or(step, "strip_left", true, where_));
      KERF_TRY(const bool right, bool_or(step, "strip_right", true, where_));
      return steps.add(strip_step(left, right)), Result<void>();
    }
    if (type == "Prepend") {
      KERF_TRY(std::string prefix, string_or(step, "prepend", "", where_));
      return steps.add(prepend_step(std::move(prefix))), Result<void>();
    }
    if (type == "Replace") return replace(step);
    if (type == "Precompiled") {
      KERF_TRY(const std::string rules, string_or(step, "precompiled_charsmap", "", where_));
      if (rules.empty()) return {};
      // Not in files of `tokenizers`: how kerf notes that a SentencePiece model is to be followed.
      KERF_TRY(const bool by_prefix, bool_or(step, "by_prefix", false, where_));
      KERF_TRY(std::string bytes, from_base64(rules));
      KERF_TRY(NormalizerStepPtr made, precompiled_step(std::move(bytes), !by_prefix, where_));
      return steps.add(std::move(made)), Result<void>();
    }
    return unsupported("normalizer", type);
  }

  Result<void> replace(const Json& step) {
    KERF_TRY(std::string content, string_or(step, "content", "", where_));
    const Json& pattern = member(step, "pattern");
    KERF_TRY(std::string text, string_or(pattern, "String", "", where_));
    KERF_TRY(const std::string regex, string_or(pattern, "Regex", "", where_));
    if (regex.empty()) {
      pipeline_.normalizer.add(replace_step(std::move(text), std::move(content)));
      return {};
    }
    KERF_TRY(NormalizerStepPtr made, replace_regex_step(regex, std::move(content), where_));
    pipeline_.normalizer.add(std::move(made));
    return {};
  }

  Result<SplitBehavior> behavior_of(const Json& step, const char* missing) const {
    static constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kBehaviors = {
        {{"Isolated", SplitBehavior::isolated},
         {"Removed", SplitBehavior::removed},
         {"MergedWithPrevious", SplitBehavior::merged_with_previous},
         {"MergedWithNext", SplitBehavior::merged_with_next},
         {"Contiguous", SplitBehavior::contiguous}}};
    KERF_TRY(const std::string name, string_or(step, "behavior", missing, where_));
    return named(name, kBehaviors, where_);
  }

  Result<void> pre_tokenizer(const Json& step, const std::string& type) {
    PreTokenizer& steps = pipeline_.pre_tokenizer;
    if (byte_level_ == ByteLevel::last) {
      // Something follows: from here on words are written in the alphabet.
      steps.add(byte_level_step());
      byte_level_ = ByteLevel::mapped;
    }
    if (type == "ByteLevel") return byte_level(step);
    if (type == "Split") return split(step);
    if (type == "Metaspace") return metaspace(step);
    if (type == "WhitespaceSplit") return steps.add(white_space_step()), Result<void>();
    if (type == "Digits") {
      KERF_TRY(const bool individual, bool_or(step, "individual_digits", false, where_));
      return steps.add(digits_step(individual)), Result<void>();
    }
    if (type == "Punctuation") {
      KERF_TRY(const SplitBehavior behavior, behavior_of(step, "Isolated"));
      return steps.add(punctuation_step(behavior)), Result<void>();
    }
    // The joiners are word characters to the expression engine that this step is written with.
    if (type == "Whitespace")
      return add_split(R"([\w\x{200c}\x{200d}]+|[^\w\s\x{200c}\x{200d}]+)", SplitBehavior::removed, true);
    return unsupported("pre-tokenizer", type);
  }

  Result<void> add_split(const std::string& regex, SplitBehavior behavior, bool invert) {
    KERF_TRY(PreStepPtr made, split_step(regex, behavior, invert, where_));
    pipeline_.pre_tokenizer.add(std::move(made));
    return {};
  }

  Result<void> byte_level(const Json& step) {
    if (byte_level_ == ByteLevel::mapped) return unsupported("pre-tokenizer", "second ByteLevel");
    KERF_TRY(const bool prefix_space, bool_or(step, "add_prefix_space", false, where_));
    KERF_TRY(const bool use_regex, bool_or(step, "use_regex", true, where_));
    if (prefix_space) pipeline_.pre_tokenizer.add(prefix_space_step());
    if (use_regex) pipeline_.pre_tokenizer.add(scan_step({}));
    byte_level_ = ByteLevel::last;
    return {};
  }

  Result<void> split(const Json& step) {
    KERF_TRY(const SplitBehavior behavior, behavior_of(step, "Isolated"));
    KERF_TRY(const bool invert, bool_or(step, "invert", false, where_));
    const Json& pattern = member(step, "pattern");
    KERF_TRY(const std::string regex, string_or(pattern, "Regex", "", where_));
    if (!regex.empty()) return add_split(regex, behavior, invert);
    KERF_TRY(const std::string text, string_or(pattern, "String", "", where_));
    if (text.empty()) return fail(ErrorKind::input, where_, "a «Split» has no pattern");
    pipeline_.pre_tokenizer.add(literal_step(text, behavior, invert));
    return {};
  }

  /// «prepend_scheme», or «add_prefix_space» as older files have it.
  Result<PrependScheme> scheme_of(const Json& step) const {
    static constexpr std::array<std::pair<std::string_view, PrependScheme>, 3> kSchemes = {
        {{"never", PrependScheme::never},
         {"first", PrependScheme::first},
         {"always", PrependScheme::always}}};
    KERF_TRY(const bool prefix_space, bool_or(step, "add_prefix_space", true, where_));
    KERF_TRY(const std::string scheme,
             string_or(step, "prepend_scheme", prefix_space ? "always" : "never", where_));
    return named(scheme, kSchemes, where_);
  }

  Result<void> metaspace(const Json& step) {
    KERF_TRY(std::string replacement, string_or(step, "replacement", "\u2581", where_));
    KERF_TRY(const PrependScheme scheme, scheme_of(step));
    KERF_TRY(const bool split, bool_or(step, "split", true, where_));
    if (replacement.empty()) return fail(ErrorKind::input, where_, "a «Metaspace» has an empty replacement");
    pipeline_.pre_tokenizer.add(metaspace_step(std::move(replacement), scheme, split));
    return {};
  }

  Result<void> decoder(const Json& step, const std::string& type) {
    DecodeRules& rules = pipeline_.decode;
    if (type == "ByteLevel") {
      rules.byte_level = true;
    } else if (type == "Metaspace") {
      KERF_TRY(rules.blank, string_or(step, "replacement", "\u2581", where_));
      KERF_TRY(const PrependScheme scheme, scheme_of(step));
      rules.strips_leading_blank = scheme != PrependScheme::never;
    } else if (type == "Replace") {
      KERF_TRY(const std::string content, string_or(step, "content", "", where_));
      if (content != " ") return unsupported("decoder", "Replace by other than a blank");
      KERF_TRY(rules.blank, string_or(member(step, "pattern"), "String", "", where_));
    } else if (type == "Strip") {
      rules.strips_leading_blank = member(step, "start") == 1;
    } else if (type != "ByteFallback" && type != "Fuse") {
      return unsupported("decoder", type);
    }
    return {};
  }

  Result<void> post_processor(const Json& step, const std::string& type) {
    if (type == "ByteLevel") return {};
    if (type == "TemplateProcessing") return read_template(step);
    if (type == "RobertaProcessing" || type == "BertProcessing") {
      KERF_CHECK_OK(add_template_token(member(step, "cls"), pipeline_.prefix));
      return add_template_token(member(step, "sep"), pipeline_.suffix);
    }
    return unsupported("post-processor", type);
  }

  Result<void> read_template(const Json& step) {
    const Json& single = member(step, "single");
    if (!single.is_array()) return fail(ErrorKind::input, where_, "a template has no «single»");
    bool before = true;
    for (const Json& part : single) {
      if (!member(part, "Sequence").is_null()) before = false;
      const Json& special = member(part, "SpecialToken");
      if (special.is_null()) continue;
      KERF_TRY(const std::string name, string_or(special, "id", "", where_));
      const Json& ids = member(member(member(step, "special_tokens"), name.c_str()), "ids");
      if (!ids.is_array())
        return fail(ErrorKind::input, where_, fmt::format("the template's token «{}» has no ids", name));
      for (const Json& id : ids)
        KERF_CHECK_OK(
            add_template_token(Json::array({name, id}), before ? pipeline_.prefix : pipeline_.suffix));
    }
    return {};
  }

  /// A [text, id] pair.
  Result<void> add_template_token(const Json& pair, std::vector<TokenId>& ids) const {
    const bool valid = pair.is_array() && pair.size() == 2 && pair[1].is_number_unsigned() &&
                       pair[1].get<std::uint64_t>() < pipeline_.vocabulary->size();
    if (!valid)
      return fail(ErrorKind::input, where_, "a token of the post-processor is not in the vocabulary");
    ids.push_back(static_cast<TokenId>(pair[1].get<std::uint64_t>()));
    return {};
  }

  Result<std::string> from_base64(std::string_view text) const {
    std::string bytes;
    std::uint32_t bits = 0;
    int n_bits = 0;
    while (text.ends_with('=')) text.remove_suffix(1);
    for (const char c : text) {
      static constexpr std::string_view kDigits =
          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
      const std::size_t digit = kDigits.find(c);
      if (digit == std::string_view::npos)
        return fail(ErrorKind::input, where_, "«precompiled_charsmap» is not base64");
      bits = bits << 6 | static_cast<std::uint32_t>(digit);
      n_bits += 6;
      if (n_bits < 8) continue;
      n_bits -= 8;
      bytes.push_back(static_cast<char>(bits >> n_bits));
    }
    return bytes;
  }

  std::string where_;
  Pipeline& pipeline_;
  ByteLevel byte_level_ = ByteLevel::none;
};

/// Appends the patterns of a step; false if it is something else than isolating splits.
bool collect_patterns(const Json& step, std::vector<std::string>& patterns) {
  const Json& type = member(step, "type");
  if (type == "Sequence") {
    const Json& list = member(step, "pretokenizers");
    return std::all_of(list.begin(), list.end(),
                       [&](const Json& inner) { return collect_patterns(inner, patterns); });
  }
  const Json& regex = member(member(step, "pattern"), "Regex");
  if (type == "Split" && regex.is_string()) {
    patterns.push_back(regex.get<std::string>());
    const bool inverted = member(step, "invert") == true;
    return member(step, "behavior") == (inverted ? "Removed" : "Isolated");
  }
  if (type == "Digits") {
    patterns.emplace_back(R"(\p{N})");
    return member(step, "individual_digits") == true;
  }
  if (type != "ByteLevel" || member(step, "add_prefix_space") == true) return false;
  if (member(step, "use_regex") != false) patterns.emplace_back(kGpt2Regex);
  return true;
}

}  // namespace

Result<ByteLevel> read_steps(const Json& description, const std::string& where, Pipeline& pipeline) {
  return StepReader(where, pipeline).read(description);
}

std::vector<std::string> splitting_patterns(const Json& pre_tokenizer) {
  std::vector<std::string> patterns;
  if (!collect_patterns(pre_tokenizer, patterns)) patterns.clear();
  return patterns;
}

}  // namespace kerf::text
