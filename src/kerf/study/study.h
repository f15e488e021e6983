// The study: every candidate on made-up numbers of known distributions and on the matrices of a model, beside
// the best that any code could do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/study/candidate.h"
#include "kerf/study/distribution.h"
#include "kerf/study/level_use.h"
#include "kerf/study/measure.h"
#include "kerf/study/tensor_summary.h"

namespace kerf::study {

struct StudyOptions {
  std::vector<Distribution> distributions;
  Candidates candidates;
  std::uint64_t seed = 1;
  std::uint64_t n_rows = 64;        ///< of each made-up sample
  std::uint64_t row_length = 4096;  ///< of each made-up row
  bool speed = true;                ///< measure it too
  std::filesystem::path model;      ///< empty: none
  std::string tensors;              ///< regular expression that names must contain a match of; empty: all
  std::uint64_t model_rows = 16;    ///< rounded of each matrix, evenly spaced; 0: all
  std::string levels_of;            ///< candidate whose levels are shown over a tensor; empty: chosen
};

/// One candidate on one source.
struct Score {
  double bits = 0;            ///< per number, with everything that the rows take; 0 if no row fits
  double relative_error = 0;  ///< ‖x − x̂‖² / ‖x‖²; of a model: the mean over its matrices
  double sqnr_db = 0;         ///< ∞ if exact
  double to_bound_db = 0;     ///< the bound's SQNR at these bits less this one
  std::size_t n_fitting = 0;  ///< matrices whose rows fit (1 or 0 for a sample)
  bool best = false;   ///< highest SQNR of its class of half a bit and those below, of what fits everywhere
  bool leads = false;  ///< best of its family in its class, or a type that GGUF files have
  bool below_bound = false;  ///< better than any code can be: something is wrong with kerf

  [[nodiscard]] bool fits() const noexcept { return n_fitting > 0; }
  [[nodiscard]] bool exact() const noexcept { return fits() && relative_error == 0; }
};

/// The candidates on one source, in the order of StudyReport::candidates.
struct SourceScores {
  std::string name;   ///< «gaussian», «model»
  std::string title;  ///< «Student-t, ν = 5»
  bool is_model = false;
  bool bound_is_exact = true;  ///< D(R) itself; else Shannon's lower bound, or, for a model, only a reference
  double bound_at_0 = 0;       ///< the bound is this plus 6.02 dB per bit
  std::size_t n_matrices = 1;
  std::uint64_t n_numbers = 0;  ///< rounded by each candidate that fits
  std::vector<Score> scores;
};

/// A matrix of the model and what each candidate did to it.
struct TensorStudy {
  TensorSummary summary;
  std::vector<Loss> losses;  ///< in the order of the candidates
};

struct ModelStudy {
  std::filesystem::path path;
  std::vector<TensorStudy> tensors;
  std::vector<HeavyColumn> heaviest;  ///< over all matrices, at most three of each
};

/// Families of formats are cross products of bits, groups and scales, most of which nobody needs to see.
enum class Selection { all, leading };

struct StudyReport {
  StudyOptions options;
  std::vector<std::optional<Speed>> speeds;  ///< per candidate; nothing where there is none to measure
  std::vector<SourceScores> sources;         ///< the model first, then the distributions
  std::optional<ModelStudy> model;
  std::optional<LevelUse> levels;  ///< over the matrix with the heaviest tails, or over the first sample

  [[nodiscard]] const Candidates& candidates() const noexcept { return options.candidates; }
  /// Candidates by bits on this source, those that do not fit left out; all of them or only those that lead.
  [[nodiscard]] std::vector<std::size_t> by_bits(const SourceScores& source, Selection selection) const;
  /// Candidates that the tables of a selection show for no source.
  [[nodiscard]] std::size_t n_hidden(Selection selection) const;
};

/// Runs the study; the same figures, but for speeds, for any number of threads. Errors: usage (a bad
/// expression, a row length no candidate fits), not_found (no matrix matches), numeric (NaN in a tensor),
/// those of open_container(), cancelled.
Result<StudyReport> run_study(StudyOptions options, ThreadPool& pool, Progress& progress);

/// What a header in front of a row may add to the bits per weight without putting a format into the next
/// class: 2 bytes are 0.03 bits of a row of 576.
inline constexpr double kHeaderBits = 0.05;

/// Upper end of the class of half a bit that `bits` belongs to: 4.25, 4.5 and 4.53 to 4.5, 4.5625 to 5.
[[nodiscard]] double bit_class(double bits) noexcept;

/// Sets best, leads and below_bound of each score; a sample may do better than the bound by chance, less so
/// the more numbers were rounded.
void judge(SourceScores& source, const Candidates& candidates);

}  // namespace kerf::study
