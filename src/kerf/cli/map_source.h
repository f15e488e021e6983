// Where `kerf map` gets its numbers: the command line, a .npy file, or a tensor of a model.
#pragma once

#include <string>
#include <vector>

#include "kerf/base/result.h"

namespace kerf::cli {

/// A matrix [n_rows, n_columns] of numbers to be mapped.
struct MapSource {
  std::string name;  ///< «x.npy», «blk.0.attn_q.weight»; empty for numbers of the command line
  std::uint64_t n_rows = 1;
  std::uint64_t n_columns = 0;
  std::vector<double> x;
};

/// Numbers separated by commas or spaces; the typographic minus is one too. Errors: usage, naming the word.
Result<std::vector<double>> parse_numbers(const std::string& text, const std::string& option);

/// The rows of `path`: a .npy array, whose last extent is the row, or tensor `tensor` of a model; at most
/// `n_rows` of them unless that is 0. Errors: those of reading; usage (a tensor name that is missing or makes
/// no sense, with names that would); resource (more numbers than are held in memory at once).
Result<MapSource> open_map_source(const std::string& path, const std::string& tensor, std::uint64_t n_rows);

/// A list of numbers or, if there is a file of that name, a .npy array of one row.
Result<std::vector<double>> open_weights(const std::string& text);

}  // namespace kerf::cli
