// Pre-tokenizers: cut text into the words that the model then encodes one by one.
// The steps and their behaviours are those of tokenizer.json («pre_tokenizer»).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/function_ref.h"
#include "kerf/base/result.h"
#include "kerf/text/word_scanner.h"

namespace kerf::text {

/// What becomes of the matches of a splitting expression.
enum class SplitBehavior : std::uint8_t {
  isolated,              ///< each match is a word
  removed,               ///< matches are dropped
  merged_with_previous,  ///< a match ends the word before it
  merged_with_next,      ///< a match begins the word after it
  contiguous,            ///< a run of matches is a word
};

/// When Metaspace puts a blank in front of a text.
enum class PrependScheme : std::uint8_t { never, first, always };

/// A word and whether it is the beginning of the whole text.
struct Word {
  std::string_view text;
  bool first = false;
};
using WordSink = FunctionRef<void(Word)>;

/// One step: takes a word apart, or rewrites it.
class PreStep {
 public:
  virtual ~PreStep() = default;
  virtual void apply(Word word, WordSink sink) const = 0;
};
using PreStepPtr = std::shared_ptr<const PreStep>;

PreStepPtr scan_step(WordPattern pattern);
/// Splits at the matches of `regex`; those with a hand-written equal get that. With `invert`, what lies
/// between the matches counts as matches.
Result<PreStepPtr> split_step(std::string_view regex, SplitBehavior behavior, bool invert,
                              const std::string& where);
PreStepPtr literal_step(std::string_view text, SplitBehavior behavior, bool invert);
/// Splits off digits (any \p{N}), each on its own if `individual`.
PreStepPtr digits_step(bool individual);
/// ASCII and Unicode punctuation.
PreStepPtr punctuation_step(SplitBehavior behavior);
/// Splits at white space and drops it.
PreStepPtr white_space_step();
/// Puts a blank in front of a word that does not begin with one.
PreStepPtr prefix_space_step();
/// Writes the bytes in the byte-level alphabet.
PreStepPtr byte_level_step();
/// Blanks become `replacement`; with `split`, each begins a word.
PreStepPtr metaspace_step(std::string replacement, PrependScheme scheme, bool split);

/// The steps in a row: each works on every word that the one before it made.
class PreTokenizer {
 public:
  void add(PreStepPtr step) { steps_.push_back(std::move(step)); }
  [[nodiscard]] bool empty() const noexcept { return steps_.empty(); }
  /// Calls `sink` with each word in order; words are valid during the call. Empty words are left out.
  void split(Word text, WordSink sink) const { apply_from(0, text, sink); }

 private:
  void apply_from(std::size_t step, Word word, WordSink sink) const;
  std::vector<PreStepPtr> steps_;
};

}  // namespace kerf::text
