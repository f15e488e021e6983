// Normalizers: rewrite text before it is split. The steps are those of tokenizer.json («normalizer»).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/result.h"

namespace kerf::text {

enum class NormalForm : std::uint8_t { nfc, nfd, nfkc, nfkd };

/// Rewrites valid UTF-8 as valid UTF-8.
class NormalizerStep {
 public:
  virtual ~NormalizerStep() = default;
  virtual void apply(std::string& text) const = 0;
};
using NormalizerStepPtr = std::shared_ptr<const NormalizerStep>;

NormalizerStepPtr normal_form_step(NormalForm form);
NormalizerStepPtr lowercase_step();
/// Drops white space at the ends.
NormalizerStepPtr strip_step(bool left, bool right);
/// Drops combining marks.
NormalizerStepPtr strip_accents_step();
/// Puts `prefix` before a text that is not empty.
NormalizerStepPtr prepend_step(std::string prefix);
NormalizerStepPtr append_step(std::string suffix);
NormalizerStepPtr replace_step(std::string from, std::string to);
Result<NormalizerStepPtr> replace_regex_step(std::string_view regex, std::string to,
                                             const std::string& where);
/// Drops control characters and turns special white space into blanks (SentencePiece's «nmt» rules).
NormalizerStepPtr nmt_step();
/// SentencePiece's compiled rules: a double array of rewritten prefixes and the block of their replacements.
/// `by_grapheme` looks up whole grapheme clusters first, as `tokenizers` does; otherwise the longest prefix
/// wins, as in SentencePiece. Errors: input.
Result<NormalizerStepPtr> precompiled_step(std::string rules, bool by_grapheme, const std::string& where);

class Normalizer {
 public:
  void add(NormalizerStepPtr step) { steps_.push_back(std::move(step)); }
  [[nodiscard]] bool empty() const noexcept { return steps_.empty(); }
  void apply(std::string& text) const {
    for (const auto& step : steps_) step->apply(text);
  }

 private:
  std::vector<NormalizerStepPtr> steps_;
};

}  // namespace kerf::text
