#include "kerf/footprint/storage_cost.h"

#include <fmt/format.h>

#include <charconv>

namespace kerf {
namespace {

/// Dettmers et al. 2023, §3, as bitsandbytes stores it: 8-bit scales of 64 numbers, and a binary32 scale for
/// 256 of those.
constexpr GroupOverhead kDoubleQuantization{.bits = 8, .group = 64, .outer_bits = 32, .outer_group = 256};
constexpr double kMostBits = 64;

StorageCost with_overhead(double bits, const GroupOverhead& overhead) {
  StorageCost cost{fmt::format("{:g} bit{}", bits, bits == 1 ? "" : "s"), bits, {}};
  if (overhead.group == 0) return cost;
  const auto group = static_cast<double>(overhead.group);
  cost.bits += overhead.bits / group;
  cost.formula = fmt::format("{:g} + {:g}/{}", bits, overhead.bits, overhead.group);
  if (overhead.outer_group != 0) {
    cost.bits += overhead.outer_bits / (group * static_cast<double>(overhead.outer_group));
    cost.formula += fmt::format(" + {:g}/({}·{})", overhead.outer_bits, overhead.group, overhead.outer_group);
  }
  cost.name += fmt::format(" in groups of {}", overhead.group);
  return cost;
}

bool is_double_quantized_nf4(std::string_view type) {
  return type == "nf4-dq" || type == "NF4-DQ" || type == "nf4_dq" || type == "NF4_DQ";
}

}  // namespace

Result<StorageCost> storage_cost(std::string_view type, const GroupOverhead& overhead) {
  double bits = 0;
  const char* end = type.data() + type.size();
  const auto [stop, error] = std::from_chars(type.data(), end, bits);
  if (error == std::errc() && stop == end) {
    if (!(bits > 0) || bits > kMostBits)
      return fail(ErrorKind::usage, "--type", fmt::format("{} bits; 1 to {} make sense", type, kMostBits));
    if (overhead.bits < 0 || overhead.bits > 1024)
      return fail(ErrorKind::usage, "--scale-bits", fmt::format("{} makes no sense", overhead.bits));
    return with_overhead(bits, overhead);
  }
  if (overhead.group != 0)
    return fail(ErrorKind::usage, "--group",
                fmt::format("groups go with a number of bits (--type 4); {} has its own", type));
  if (is_double_quantized_nf4(type)) {
    StorageCost cost = with_overhead(4, kDoubleQuantization);
    cost.name = "NF4 with double quantization";
    return cost;
  }
  if (const Format* format = find_format(type))
    return StorageCost{std::string(format->name), format->bits_per_weight(), {}, format};
  return fail(
      ErrorKind::usage, "--type",
      fmt::format(
          "there is no format «{}»; «kerf formats» lists them, and a number of bits or nf4-dq will do",
          type));
}

}  // namespace kerf
