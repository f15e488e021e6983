#include "kerf/study/candidate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kerf/quantizers/quantizer.h"

namespace kerf::study {
namespace {

/// A registered format filled by quantize_row().
class FormatCandidate final : public Candidate {
 public:
  FormatCandidate(const Format& format, int effort) : format_(format), options_{effort} {}

  [[nodiscard]] std::string_view name() const noexcept override { return format_.name; }
  [[nodiscard]] std::string_view summary() const noexcept override { return format_.summary; }
  [[nodiscard]] Family family() const noexcept override;
  [[nodiscard]] bool fits(std::size_t row_length) const noexcept override { return format_.fits(row_length); }
  Result<double> round_row(const float* x, float* back, std::size_t n) const override {
    std::vector<std::uint8_t> bytes(format_.row_bytes(n));
    encode(x, bytes.data(), 1, n);
    format_.decode(bytes.data(), back, n);
    return 8.0 * static_cast<double>(bytes.size());
  }
  [[nodiscard]] const Format* format() const noexcept override { return &format_; }
  void encode(const float* x, std::uint8_t* bytes, std::size_t n_rows, std::size_t n_cols) const override {
    quantize_rows(format_, x, nullptr, bytes, n_rows, n_cols, options_);
  }

 private:
  const Format& format_;
  QuantizeOptions options_;
};

/// The beginnings of names that tell a family; the first that fits counts. Names say more than the layout.
struct Beginning {
  std::string_view text;
  Family family;
};
constexpr Beginning kBeginnings[] = {
    {"F32", Family::plain},        {"F16", Family::plain},        {"BF16", Family::plain},
    {"IQ", Family::codebook},      {"TQ", Family::ternary},       {"TERNARY", Family::ternary},
    {"Q1_0", Family::ternary},     {"Q2_0", Family::ternary},     {"BINARY", Family::ternary},
    {"MX", Family::small_float},   {"NVFP", Family::small_float}, {"F8", Family::small_float},
    {"F6", Family::small_float},   {"F4", Family::small_float},   {"INT", Family::symmetric},
    {"UINT", Family::affine},      {"NF", Family::level_table},   {"LOG", Family::level_table},
    {"APOT", Family::level_table}, {"K", Family::half_bit},       {"S", Family::half_bit}};

Family FormatCandidate::family() const noexcept {
  for (const Beginning& beginning : kBeginnings)
    if (format_.name.starts_with(beginning.text)) return beginning.family;
  if (format_.name.starts_with("Q")) return format_.name.ends_with("_K") ? Family::k_quant : Family::legacy;
  return format_.codebook != nullptr ? Family::free_levels : Family::vectors;
}

}  // namespace

std::string_view name_of(Family family) noexcept {
  static constexpr std::array<std::string_view, kFamilies> kNames = {
      "plain",    "Q_0 and Q_1",          "K-quants",  "IQ",           "ternary and binary", "small floats",
      "integers", "unsigned with offset", "half bits", "level tables", "free levels",        "vectors",
      "mappings"};
  return kNames[static_cast<std::size_t>(family)];
}

Candidates all_candidates(int effort) {
  Candidates out;
  for (const Format* format : all_formats())
    if (format->writable()) out.push_back(std::make_shared<FormatCandidate>(*format, effort));
  return out;
}

Result<Candidates> find_candidates(const std::vector<std::string>& names, int effort) {
  if (names.empty()) return all_candidates(effort);
  Candidates out;
  for (const std::string& name : names) {
    if (name.find(':') != std::string::npos) {
      KERF_TRY(out.emplace_back(), find_mapping_candidate(name));
      continue;
    }
    const Format* format = find_format(name);
    if (format == nullptr)
      return fail(ErrorKind::usage, "--format",
                  fmt::format("there is no format «{}»; «kerf formats» lists them", name));
    if (!format->writable())
      return fail(ErrorKind::usage, "--format", fmt::format("{} can be read but not written", format->name));
    out.push_back(std::make_shared<FormatCandidate>(*format, effort));
  }
  return out;
}

}  // namespace kerf::study
