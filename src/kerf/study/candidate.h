// Candidate: one way to round a row of numbers that the study measures. Collected from the registries, so
// that a format or mapping that is added there appears here by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/formats/format.h"

namespace kerf::study {

/// Families share a colour and a shape in charts.
enum class Family : int {
  plain,
  legacy,
  k_quant,
  codebook,
  ternary,
  small_float,
  symmetric,
  affine,
  half_bit,
  level_table,
  free_levels,
  vectors,
  mapping
};
inline constexpr int kFamilies = 13;
[[nodiscard]] std::string_view name_of(Family family) noexcept;

class Candidate {
 public:
  virtual ~Candidate() = default;
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  [[nodiscard]] virtual std::string_view summary() const noexcept = 0;
  [[nodiscard]] virtual Family family() const noexcept = 0;
  /// Whether rows of K numbers can be stored.
  [[nodiscard]] virtual bool fits(std::size_t row_length) const noexcept = 0;
  /// Rounds x[n], one row of finite numbers, and writes to back[n] what a reader will get. Returns the bits
  /// that the row takes. Safe to call from several threads. Errors: numeric.
  virtual Result<double> round_row(const float* x, float* back, std::size_t n) const = 0;
  /// The format behind it, whose speed can be measured and whose levels can be drawn; else nullptr.
  [[nodiscard]] virtual const Format* format() const noexcept { return nullptr; }
  /// Rounds rows x[n_rows, n_cols] to the bytes of format(), which is not nullptr.
  virtual void encode(const float* /*x*/, std::uint8_t* /*bytes*/, std::size_t /*n_rows*/,
                      std::size_t /*n_cols*/) const {}
};

using Candidates = std::vector<std::shared_ptr<const Candidate>>;

/// Everything that can be written, its grids searched with `effort` 0 … 3 (quantizer.h).
[[nodiscard]] Candidates all_candidates(int effort);

/// Formats by name, in any case, and mappings as «nf4:4/64», in the order of `names`; all_candidates() if
/// that is empty. Errors: usage for a name that is unknown or of a format that cannot be written.
Result<Candidates> find_candidates(const std::vector<std::string>& names, int effort);

/// Every mapping of quantizers/mapping.h at every usual number of bits that it can do, except those that need
/// importance and those whose parameters would take more room than the codes; «absmax:4/64». `granularity` is
/// «group:N» or «channel» (a row). Errors: usage.
Result<Candidates> mapping_candidates(std::string_view granularity);

/// One mapping as «NAME:BITS/GROUP» or «NAME:BITS/row». Errors: usage.
Result<std::shared_ptr<const Candidate>> find_mapping_candidate(std::string_view name);

}  // namespace kerf::study
