#include "kerf/text/pretokenize.h"

#include <utf8proc.h>

#include "kerf/text/byte_level.h"
#include "kerf/text/regex.h"
#include "kerf/text/unicode.h"

namespace kerf::text {
namespace {

/// Turns a sequence of (text, is a match) into words. Source: the behaviours as tokenizer.json names them.
class Splitter {
 public:
  Splitter(Word word, SplitBehavior behavior, bool invert, WordSink sink)
      : word_(word), behavior_(behavior), invert_(invert), sink_(sink) {}

  /// The next match, at or behind the end of the last one.
  void match(std::size_t begin, std::size_t end) {
    if (begin > at_) piece(at_, begin, invert_);
    if (end > begin) piece(begin, end, !invert_);
    // An empty match cuts where it stands.
    if (end == begin && behavior_ == SplitBehavior::isolated) flush(begin);
    at_ = end;
  }

  void finish() {
    if (at_ < word_.text.size()) piece(at_, word_.text.size(), invert_);
    flush(word_.text.size());
  }

 private:
  void piece(std::size_t begin, std::size_t end, bool matched) {
    switch (behavior_) {
      case SplitBehavior::isolated:
        flush(begin);
        break;
      case SplitBehavior::removed:
        flush(begin);
        if (matched) begin_ = end;
        break;
      case SplitBehavior::merged_with_previous:
        // A match joins what came before, unless that was a match as well.
        if (!matched || last_matched_) flush(begin);
        break;
      case SplitBehavior::merged_with_next:
        if (matched || !last_matched_) flush(begin);
        break;
      case SplitBehavior::contiguous:
        if (matched != last_matched_) flush(begin);
        break;
    }
    last_matched_ = matched;
  }

  /// Ends the current word at `end`.
  void flush(std::size_t end) {
    if (end > begin_) sink_({word_.text.substr(begin_, end - begin_), word_.first && begin_ == 0});
    begin_ = std::max(begin_, end);
  }

  Word word_;
  SplitBehavior behavior_;
  bool invert_;
  WordSink sink_;
  std::size_t at_ = 0;     // end of the last match
  std::size_t begin_ = 0;  // of the current word
  bool last_matched_ = false;
};

class ScanStep final : public PreStep {
 public:
  explicit ScanStep(WordPattern pattern) : pattern_(pattern) {}
  void apply(Word word, WordSink sink) const override {
    while (!word.text.empty()) {
      const std::size_t n = first_word(pattern_, word.text);
      sink({word.text.substr(0, n), word.first});
      word.text.remove_prefix(n);
      word.first = false;
    }
  }

 private:
  WordPattern pattern_;
};

class RegexStep final : public PreStep {
 public:
  RegexStep(Regex regex, SplitBehavior behavior, bool invert)
      : regex_(std::move(regex)), behavior_(behavior), invert_(invert) {}
  void apply(Word word, WordSink sink) const override {
    Splitter splitter(word, behavior_, invert_, sink);
    Regex::Matches matches(regex_, word.text);
    while (const auto span = matches.next()) splitter.match(span->begin, span->end);
    splitter.finish();
  }

 private:
  Regex regex_;
  SplitBehavior behavior_;
  bool invert_;
};

/// Splits at single characters that have a property.
template <class Property>
class CharacterStep final : public PreStep {
 public:
  CharacterStep(Property property, SplitBehavior behavior) : property_(property), behavior_(behavior) {}
  void apply(Word word, WordSink sink) const override {
    Splitter splitter(word, behavior_, false, sink);
    for (std::size_t at = 0; at < word.text.size();) {
      const Character c = decode_utf8(word.text.substr(at));
      if (c.valid && property_(c.code)) splitter.match(at, at + c.length);
      at += c.length;
    }
    splitter.finish();
  }

 private:
  Property property_;
  SplitBehavior behavior_;
};

template <class Property>
PreStepPtr character_step(Property property, SplitBehavior behavior) {
  return std::make_shared<CharacterStep<Property>>(property, behavior);
}

bool is_punctuation(char32_t code) noexcept {
  if (code < 0x80) return code > ' ' && code < 0x7F && class_of(code) == CharClass::other;
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

class PrefixSpaceStep final : public PreStep {
 public:
  void apply(Word word, WordSink sink) const override {
    if (word.text.starts_with(' ')) return sink(word);
    sink({std::string(" ").append(word.text), word.first});
  }
};

class ByteLevelStep final : public PreStep {
 public:
  void apply(Word word, WordSink sink) const override { sink({to_byte_level(word.text), word.first}); }
};

class MetaspaceStep final : public PreStep {
 public:
  MetaspaceStep(std::string replacement, PrependScheme scheme, bool split)
      : replacement_(std::move(replacement)), scheme_(scheme), split_(split) {}

  void apply(Word word, WordSink sink) const override {
    std::string text;
    text.reserve(word.text.size() + word.text.size() / 4);
    for (const char c : word.text) c == ' ' ? text.append(replacement_) : text.append(1, c);
    const bool wanted = scheme_ == PrependScheme::always || (scheme_ == PrependScheme::first && word.first);
    if (wanted && !text.starts_with(replacement_)) text.insert(0, replacement_);
    split_ ? cut(text, word.first, sink) : sink({text, word.first});
  }

 private:
  /// Every replacement begins a word.
  void cut(std::string_view text, bool first, WordSink sink) const {
    Splitter splitter({text, first}, SplitBehavior::merged_with_next, false, sink);
    for (std::size_t at = text.find(replacement_); at != std::string_view::npos;
         at = text.find(replacement_, at + replacement_.size()))
      splitter.match(at, at + replacement_.size());
    splitter.finish();
  }

  std::string replacement_;
  PrependScheme scheme_;
  bool split_;
};

}  // namespace

PreStepPtr scan_step(WordPattern pattern) {
  return std::make_shared<ScanStep>(pattern);
}

Result<PreStepPtr> split_step(std::string_view regex, SplitBehavior behavior, bool invert,
                              const std::string& where) {
  const auto known = recognise_pattern(regex);
  // The known patterns leave no gaps: isolating matches or dropping what is between them is the same.
  const bool isolates =
      (behavior == SplitBehavior::isolated && !invert) || (behavior == SplitBehavior::removed && invert);
  if (known && isolates) return scan_step(*known);
  if (regex == R"(\p{N})" && isolates && !invert) return digits_step(true);
  KERF_TRY(Regex compiled, Regex::compile(regex, where));
  return std::make_shared<RegexStep>(std::move(compiled), behavior, invert);
}

PreStepPtr literal_step(std::string_view text, SplitBehavior behavior, bool invert) {
  return std::make_shared<RegexStep>(Regex::literal(text), behavior, invert);
}

PreStepPtr digits_step(bool individual) {
  return character_step([](char32_t code) { return class_of(code) == CharClass::number; },
                        individual ? SplitBehavior::isolated : SplitBehavior::contiguous);
}

PreStepPtr punctuation_step(SplitBehavior behavior) {
  return character_step(is_punctuation, behavior);
}

PreStepPtr white_space_step() {
  return character_step([](char32_t code) { return is_space(class_of(code)); }, SplitBehavior::removed);
}

PreStepPtr prefix_space_step() {
  return std::make_shared<PrefixSpaceStep>();
}

PreStepPtr byte_level_step() {
  return std::make_shared<ByteLevelStep>();
}

PreStepPtr metaspace_step(std::string replacement, PrependScheme scheme, bool split) {
  return std::make_shared<MetaspaceStep>(std::move(replacement), scheme, split);
}

void PreTokenizer::apply_from(std::size_t step, Word word, WordSink sink) const {
  if (word.text.empty()) return;
  if (step == steps_.size()) return sink(word);
  steps_[step]->apply(word, [&](Word part) { apply_from(step + 1, part, sink); });
}

}  // namespace kerf::text
