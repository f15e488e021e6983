// The gate: a quantized file is put in place only if it still answers like its original on a text that
// calibration did not see.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kerf/cli/common.h"
#include "kerf/eval/evaluate.h"

namespace kerf::cli {

struct GateRequest {
  std::vector<std::string> limits;  ///< «kld=0.05», «ppl=1.02», «top=95»
  std::string text;
  EvalOptions eval;

  void add_options(CLI::App& app);
  [[nodiscard]] bool given() const noexcept { return !limits.empty(); }
  /// Errors: usage (limits that are none, no text, a text that is also read for calibration).
  [[nodiscard]] Result<void> check(const std::vector<std::string>& calibration_texts) const;
};

/// Where a file waits for its judgement.
[[nodiscard]] std::filesystem::path candidate_path(const std::filesystem::path& output);

/// Compares `candidate` with `base` on the gate's text, says on stdout what it measured unless --json, and
/// renames it to `output` if every limit holds. Errors: quality (a limit does not hold; the candidate is
/// removed), those of evaluating (the candidate is removed).
Result<EvalResult> pass_gate(Invocation& invocation, const GateRequest& request,
                             const std::filesystem::path& base, const std::filesystem::path& candidate,
                             const std::filesystem::path& output, ThreadPool& pool);

}  // namespace kerf::cli
