// Scalar mappings as candidates: just as a paper describes them, group by group, with the bits
// that its parameters would take.
#include <fmt/format.h>

#include <array>
#include <numeric>
#include <regex>

#include "kerf/quantizers/mapping.h"
#include "kerf/study/candidate.h"

namespace kerf::study {
namespace {

/// Code widths that are in use; a mapping gets those that it can do.
constexpr std::array kBits = {1, 2, 3, 4, 6, 8};

/// bfloat16 holds the scale of any weights; binary16 would underflow for levels that reach into the
/// thousands.
constexpr ParameterType kParameters = ParameterType::bf16;

class MappingCandidate final : public Candidate {
 public:
  /// `group_size` 0: a row is a group.
  MappingCandidate(const Mapping& mapping, int bits, std::size_t group_size)
      : mapping_(mapping),
        group_size_(group_size),
        name_(fmt::format("{}:{}/{}", mapping.name, bits,
                          group_size == 0 ? "row" : fmt::to_string(group_size))) {
    options_.bits = bits;
    options_.parameters = kParameters;
  }

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }
  [[nodiscard]] std::string_view summary() const noexcept override { return mapping_.summary; }
  [[nodiscard]] Family family() const noexcept override { return Family::mapping; }
  [[nodiscard]] bool fits(std::size_t row_length) const noexcept override {
    const std::size_t group = group_size_ == 0 ? row_length : group_size_;
    return group >= mapping_.min_numbers && row_length % group == 0;
  }

  Result<double> round_row(const float* x, float* back, std::size_t n) const override {
    const std::size_t size = group_size_ == 0 ? n : group_size_;
    std::vector<double> group(size);
    double bits = 0;
    for (std::size_t begin = 0; begin < n; begin += size) {
      group.assign(x + begin, x + begin + size);
      KERF_TRY(const MappedGroup mapped, map_group(mapping_, {group, {}}, options_));
      for (std::size_t i = 0; i < size; ++i)
        back[begin + i] = static_cast<float>(mapped.value_of(mapped.codes[i]));
      bits += mapped.parameter_bits + static_cast<double>(options_.bits) * static_cast<double>(size);
    }
    return bits;
  }

 private:
  const Mapping& mapping_;
  std::size_t group_size_;
  MappingOptions options_;
  std::string name_;
};

/// Whether the codes of a group take at least the room of its parameters; levels of a group's own can take
/// more than the numbers that they stand for. A group of a ramp tells, as well as any other.
bool worth_its_parameters(const Mapping& mapping, int bits, std::size_t group_size) {
  constexpr std::size_t kShortRow = 256;
  std::vector<double> ramp(group_size == 0 ? kShortRow : group_size);
  std::iota(ramp.begin(), ramp.end(), -static_cast<double>(ramp.size()) / 3);
  MappingOptions options;
  options.bits = bits;
  options.parameters = kParameters;
  const auto mapped = map_group(mapping, {ramp, {}}, options);
  return mapped &&
         static_cast<std::size_t>(mapped->parameter_bits) <= ramp.size() * static_cast<std::size_t>(bits);
}

}  // namespace

Result<Candidates> mapping_candidates(std::string_view granularity) {
  KERF_TRY(const Granularity parsed, parse_granularity(granularity));
  if (parsed.kind == Granularity::Kind::tensor)
    return fail(ErrorKind::usage, "--mappings", "the study maps row by row: group:N or channel");
  const std::size_t group_size = parsed.kind == Granularity::Kind::group ? parsed.group_size : 0;
  Candidates out;
  for (const Mapping* mapping : all_mappings()) {
    if (mapping->needs_importance) continue;
    for (const int bits : kBits)
      if (bits >= mapping->bits_min && bits <= mapping->bits_max &&
          worth_its_parameters(*mapping, bits, group_size))
        out.push_back(std::make_shared<MappingCandidate>(*mapping, bits, group_size));
  }
  return out;
}

Result<std::shared_ptr<const Candidate>> find_mapping_candidate(std::string_view name) {
  static const std::regex form("([^:/]+):([0-9]{1,2})/(row|[0-9]{1,9})");
  std::cmatch parts;
  if (!std::regex_match(name.data(), name.data() + name.size(), parts, form))
    return fail(ErrorKind::usage, "--format",
                fmt::format("«{}» is not MAPPING:BITS/GROUP, as in nf4:4/64 or absmax:8/row", name));
  const Mapping* mapping = find_mapping(parts[1].str());
  if (mapping == nullptr)
    return fail(ErrorKind::usage, "--format", fmt::format("there is no mapping «{}»", parts[1].str()));
  if (mapping->needs_importance)
    return fail(ErrorKind::usage, "--format",
                fmt::format("the mapping {} needs importance, and the study has none", mapping->name));
  const int bits = std::stoi(parts[2]);
  if (bits < mapping->bits_min || bits > mapping->bits_max)
    return fail(ErrorKind::usage, "--format",
                fmt::format("{} has {} to {} bits, not {}", mapping->name, mapping->bits_min,
                            mapping->bits_max, bits));
  const std::size_t group_size = parts[3] == "row" ? 0 : std::stoul(parts[3]);
  if (parts[3] != "row" && group_size == 0)
    return fail(ErrorKind::usage, "--format", fmt::format("«{}» has groups of nothing", name));
  return std::make_shared<MappingCandidate>(*mapping, bits, group_size);
}

}  // namespace kerf::study
