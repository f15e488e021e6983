#include "kerf/text/normalize.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>

#include "kerf/text/regex.h"
#include "kerf/text/unicode.h"

namespace kerf::text {
namespace {

utf8proc_option_t options_of(NormalForm form) noexcept {
  const int compat = form == NormalForm::nfkc || form == NormalForm::nfkd ? UTF8PROC_COMPAT : 0;
  const bool composed = form == NormalForm::nfc || form == NormalForm::nfkc;
  return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | compat |
                                        (composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE));
}

/// Characters that every form (NFC: also the second line) keeps as they are, and before which a text may be
/// cut: they compose with nothing to their left.
bool is_inert(char32_t code, bool nfc) noexcept {
  if (code < 0x80) return true;
  return nfc && (code < 0x300 || (code >= 0x2010 && code <= 0x2027) || (code >= 0x3001 && code <= 0x3029) ||
                 (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0xAC00 && code <= 0xD7A3));
}

class NormalFormStep final : public NormalizerStep {
 public:
  explicit NormalFormStep(NormalForm form) : form_(form) {}

  /// Only the parts around characters that may change are given to the general algorithm.
  void apply(std::string& text) const override {
    std::string result;
    std::size_t copied = 0, last_inert = 0;
    for (std::size_t at = 0; at < text.size();) {
      const Character c = decode_utf8(std::string_view(text).substr(at));
      if (is_inert(c.code, form_ == NormalForm::nfc)) {
        last_inert = at;
        at += c.length;
        continue;
      }
      // The inert character before may be the base of what follows.
      const std::size_t begin = std::max(copied, last_inert);
      at = end_of_run(text, at);
      result.append(text, copied, begin - copied);
      append_normalized(std::string_view(text).substr(begin, at - begin), result);
      copied = last_inert = at;
    }
    if (copied == 0) return;
    result.append(text, copied);
    text = std::move(result);
  }

 private:
  std::size_t end_of_run(std::string_view text, std::size_t at) const noexcept {
    while (at < text.size()) {
      const Character c = decode_utf8(text.substr(at));
      if (is_inert(c.code, form_ == NormalForm::nfc)) break;
      at += c.length;
    }
    return at;
  }

  void append_normalized(std::string_view run, std::string& result) const {
    utf8proc_uint8_t* mapped = nullptr;
    const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(run.data()),
                                     static_cast<utf8proc_ssize_t>(run.size()), &mapped, options_of(form_));
    if (length < 0) {
      result.append(run);
      return;
    }
    result.append(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(length));
    std::free(mapped);
  }

  NormalForm form_;
};

/// Rewrites a text character by character: `rule(code, out)`.
template <class Rule>
class PerCharacterStep final : public NormalizerStep {
 public:
  explicit PerCharacterStep(Rule rule) : rule_(rule) {}
  void apply(std::string& text) const override {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
      const Character c = decode_utf8(std::string_view(text).substr(at));
      rule_(c.code, result);
      at += c.length;
    }
    text = std::move(result);
  }

 private:
  Rule rule_;
};

template <class Rule>
NormalizerStepPtr per_character(Rule rule) {
  return std::make_shared<PerCharacterStep<Rule>>(rule);
}

class StripStep final : public NormalizerStep {
 public:
  StripStep(bool left, bool right) : left_(left), right_(right) {}
  void apply(std::string& text) const override {
    std::size_t begin = 0, end = 0;
    bool inside = false;
    for (std::size_t at = 0; at < text.size();) {
      const Character c = decode_utf8(std::string_view(text).substr(at));
      const bool blank = is_space(class_of(c.code));
      at += c.length;
      if (blank && !inside) begin = at;
      inside = inside || !blank;
      if (!blank) end = at;
    }
    if (right_) text.resize(end);
    if (left_) text.erase(0, std::min(begin, text.size()));
  }

 private:
  bool left_, right_;
};

class AffixStep final : public NormalizerStep {
 public:
  AffixStep(std::string affix, bool front) : affix_(std::move(affix)), front_(front) {}
  void apply(std::string& text) const override {
    if (!text.empty()) text.insert(front_ ? 0 : text.size(), affix_);
  }

 private:
  std::string affix_;
  bool front_;
};

class ReplaceStep final : public NormalizerStep {
 public:
  ReplaceStep(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}
  void apply(std::string& text) const override {
    std::size_t at = text.find(from_);
    if (from_.empty() || at == std::string::npos) return;
    std::string result;
    result.reserve(text.size() + text.size() / 4);
    std::size_t copied = 0;
    for (; at != std::string::npos; at = text.find(from_, copied)) {
      result.append(text, copied, at - copied).append(to_);
      copied = at + from_.size();
    }
    text = std::move(result.append(text, copied));
  }

 private:
  std::string from_, to_;
};

class ReplaceRegexStep final : public NormalizerStep {
 public:
  ReplaceRegexStep(Regex regex, std::string to) : regex_(std::move(regex)), to_(std::move(to)) {}
  void apply(std::string& text) const override {
    std::string result;
    std::size_t copied = 0;
    Regex::Matches matches(regex_, text);
    while (const auto span = matches.next()) {
      if (span->begin < copied) continue;
      result.append(text, copied, span->begin - copied).append(to_);
      copied = span->end;
    }
    text = result.append(text, copied);
  }

 private:
  Regex regex_;
  std::string to_;
};

void lowercase(char32_t code, std::string& out) {
  // The only character whose lower case is two characters.
  if (code == 0x130)
    out.append("i\u0307");
  else
    append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code))));
}

void apply_nmt(char32_t code, std::string& out) {
  const bool dropped = (code >= 0x01 && code <= 0x08) || code == 0x0B || (code >= 0x0E && code <= 0x1F) ||
                       code == 0x7F || code == 0x8F || code == 0x9F;
  if (dropped) return;
  const bool blank = code == 0x09 || code == 0x0A || code == 0x0C || code == 0x0D || code == 0x1680 ||
                     (code >= 0x200B && code <= 0x200F) || code == 0x2028 || code == 0x2029 ||
                     code == 0x2581 || code == 0xFEFF || code == 0xFFFD;
  append_utf8(out, blank ? U' ' : code);
}

}  // namespace

NormalizerStepPtr normal_form_step(NormalForm form) {
  return std::make_shared<NormalFormStep>(form);
}

NormalizerStepPtr lowercase_step() {
  return per_character(lowercase);
}

NormalizerStepPtr strip_step(bool left, bool right) {
  return std::make_shared<StripStep>(left, right);
}

NormalizerStepPtr strip_accents_step() {
  return per_character([](char32_t code, std::string& out) {
    if (class_of(code) != CharClass::mark) append_utf8(out, code);
  });
}

NormalizerStepPtr prepend_step(std::string prefix) {
  return std::make_shared<AffixStep>(std::move(prefix), true);
}

NormalizerStepPtr append_step(std::string suffix) {
  return std::make_shared<AffixStep>(std::move(suffix), false);
}

NormalizerStepPtr replace_step(std::string from, std::string to) {
  return std::make_shared<ReplaceStep>(std::move(from), std::move(to));
}

Result<NormalizerStepPtr> replace_regex_step(std::string_view regex, std::string to,
                                             const std::string& where) {
  KERF_TRY(Regex compiled, Regex::compile(regex, where));
  return std::make_shared<ReplaceRegexStep>(std::move(compiled), std::move(to));
}

NormalizerStepPtr nmt_step() {
  return per_character(apply_nmt);
}

}  // namespace kerf::text
