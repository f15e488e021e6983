// What quantized files of one model have become beside the model that they were made from: sizes, types,
// errors of weights, outliers; and what was measured of their answers.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/eval/evaluate.h"
#include "kerf/model/source.h"
#include "kerf/study/level_use.h"

namespace kerf::study {

/// How a matrix is spread.
struct Spread {
  double kurtosis = 0;      ///< 3 for a Gaussian
  double max_over_rms = 0;  ///< of its heaviest column, and so of the matrix
  std::uint64_t column = 0;
};

/// One matrix of the base and of a file. The vectors of norms and biases are left out.
struct MatrixComparison {
  std::string name;
  std::string type;           ///< in the file
  double relative_error = 0;  ///< ‖W − Ŵ‖² / ‖W‖²
  Spread before, after;
};

struct TypeShare {
  std::uint64_t n_tensors = 0;
  std::uint64_t n_weights = 0;
  std::uint64_t n_bytes = 0;
};

/// A file, what is in it and what it says of its making.
struct FileSummary {
  std::filesystem::path path;
  std::string model_name;    ///< general.name; may be empty
  std::string architecture;  ///< general.architecture
  std::string license;       ///< general.license; may be empty
  std::uint64_t file_bytes = 0;
  std::uint64_t n_weights = 0;
  std::string sha256;                                      ///< empty for a folder
  std::map<std::string, TypeShare> types;                  ///< by name of the format
  std::vector<std::pair<std::string, std::string>> notes;  ///< quantize.* of the metadata, and file type
  std::string command;  ///< the `kerf quantize` that the notes speak of; empty if they do not

  [[nodiscard]] double bits_per_weight() const noexcept {
    return n_weights > 0 ? 8.0 * static_cast<double>(file_bytes) / static_cast<double>(n_weights) : 0;
  }
};

struct ComparedFile {
  FileSummary file;
  EvalResult eval;  ///< with a comparison
  std::vector<MatrixComparison> matrices;
  std::vector<LevelUse> levels;  ///< of a few matrices
};

struct ComparisonReport {
  FileSummary base;
  std::string text;  ///< file that was predicted
  std::vector<ComparedFile> files;
};

/// Reads the header and, for the checksum, all bytes of a single file. Errors: those of opening.
Result<FileSummary> summarize_file(const ModelSource& source);

/// Every matrix of `model` against that of the same name in `base`, a few rows at a time; the same for any
/// number of threads. Errors: input (a matrix is missing in the base or has another shape), numeric (NaN and
/// infinities), cancelled.
Result<std::vector<MatrixComparison>> compare_matrices(const ModelSource& base, const ModelSource& model,
                                                       ThreadPool& pool, Progress& progress);

/// The weights of the base over the levels of the file, for the matrices of the middle layer that lost most
/// and least. Formats whose codes do not stand for one number each show the values of one row.
Result<std::vector<LevelUse>> compare_levels(const ModelSource& base, const ModelSource& model,
                                             const std::vector<MatrixComparison>& matrices);

/// Positions of files that no smaller or equal one has a lower mean divergence than, by size.
[[nodiscard]] std::vector<std::size_t> frontier(const std::vector<ComparedFile>& files);

/// «blk.12.ffn_up.weight» → (12, «ffn_up»); layer −1 for what belongs to none.
struct MatrixPlace {
  int layer = -1;
  std::string kind;
};
[[nodiscard]] MatrixPlace place_of(std::string_view tensor);

}  // namespace kerf::study
