// Importance matrix: for each weight the mean square of every input column, Σ x² / number of tokens. What
// weighted rounding minimises is Σ importance[k] · (W[r, k] − Ŵ[r, k])², the expected squared error of the
// output if inputs were uncorrelated.
//
// Files are those of llama.cpp. GGUF form: general.type = «imatrix», a tensor «<weight>.in_sum2»
// [n_matrices, K] of sums and «<weight>.counts» [n_matrices, 1] of tokens. Legacy form (.dat): a count of
// entries; for each the name, a number of calls and K values (mean square · calls), all with i32 lengths.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kerf/base/file.h"
#include "kerf/base/result.h"

namespace kerf {

/// Of one weight. A weight of several matrices (experts) has one row of columns for each.
struct Importance {
  std::size_t n_columns = 0;
  std::vector<float> mean_square;  ///< [n_matrices, n_columns]; finite, not negative
  std::vector<double> n_tokens;    ///< [n_matrices]; 0: this matrix never saw a token

  [[nodiscard]] std::size_t n_matrices() const noexcept { return n_tokens.size(); }
  /// Of one matrix, or nothing if it never saw a token.
  [[nodiscard]] std::span<const float> of_matrix(std::size_t m) const noexcept {
    if (n_tokens[m] == 0) return {};
    return std::span(mean_square).subspan(m * n_columns, n_columns);
  }
};

struct ImportanceMatrix {
  std::map<std::string, Importance, std::less<>> weights;  ///< by name of the weight
  std::vector<std::string> datasets;                       ///< the texts it was made of
  std::uint64_t n_chunks = 0;
  std::uint64_t chunk_size = 0;  ///< tokens; 0 if the file does not say

  /// nullptr if the weight was not measured.
  [[nodiscard]] const Importance* find(std::string_view weight) const {
    const auto place = weights.find(weight);
    return place == weights.end() ? nullptr : &place->second;
  }
};

/// The matrices of experts that no token reached: «blk.0.ffn_up_exps.weight[3]».
[[nodiscard]] std::vector<std::string> experts_never_hit(const ImportanceMatrix& matrix);

/// What one expert's matrix of a weight is called: «blk.0.ffn_up_exps.weight[3]».
[[nodiscard]] std::string expert_site(std::string_view weight, std::size_t expert);

/// Reads either form, told apart by content. Errors: not_found, io, input (not an importance matrix, NaN,
/// negative values, lengths that do not fit the file).
Result<ImportanceMatrix> read_importance(const std::filesystem::path& path);

/// The same from memory; `where` names the source in errors.
Result<ImportanceMatrix> parse_importance(Bytes bytes, const std::string& where);

/// Writes the legacy form if the name ends in .dat, else the GGUF form; the file appears when it is whole.
Result<void> write_importance(const ImportanceMatrix& matrix, const std::filesystem::path& path);

}  // namespace kerf
