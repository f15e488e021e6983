// Matrices cut into groups, each mapped by itself, and what that cost.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <mutex>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/quantizers/mapping.h"

namespace kerf {
namespace {

Result<std::uint64_t> group_size_of(const Granularity& granularity, std::uint64_t n_rows,
                                    std::uint64_t n_columns) {
  switch (granularity.kind) {
    case Granularity::Kind::tensor:
      return n_rows * n_columns;
    case Granularity::Kind::channel:
    case Granularity::Kind::token:
      return n_columns;
    case Granularity::Kind::group:
      break;
  }
  const std::uint64_t size = granularity.group_size;
  if (size == 0 || n_columns % size != 0)
    return fail(ErrorKind::usage, "granularity",
                fmt::format("groups of {} do not divide a row of {} numbers", size, n_columns));
  return size;
}

/// The first error in the order of the groups, whoever finds it first.
class FirstError {
 public:
  void offer(std::uint64_t place, Error error) {
    const std::lock_guard lock(mutex_);
    if (place < place_) {
      place_ = place;
      error_ = std::move(error);
    }
  }
  [[nodiscard]] bool any() const noexcept { return place_ != kNone; }
  [[nodiscard]] std::uint64_t place() const noexcept { return place_; }
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  static constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
  std::mutex mutex_;
  std::uint64_t place_ = kNone;
  Error error_{};
};

/// One group as map_tensor() sees it. Importance is given per column and a group may span rows.
class GroupMapper {
 public:
  GroupMapper(const Mapping& mapping, std::span<const double> x, std::span<const double> importance,
              const MappedTensor& plan)
      : mapping_(mapping), x_(x), importance_(importance), plan_(plan) {}

  Result<MappedGroup> operator()(std::uint64_t group, std::vector<Step>* steps) const {
    const std::uint64_t size = plan_.group_size;
    const std::uint64_t begin = group * size;
    MappingOptions options = plan_.options;
    options.first_index = begin;
    std::vector<double> weights;
    if (!importance_.empty()) {
      weights.resize(size);
      for (std::uint64_t i = 0; i < size; ++i) weights[i] = importance_[(begin + i) % plan_.n_columns];
    }
    return map_group(mapping_, {x_.subspan(begin, size), weights}, options, steps);
  }

 private:
  const Mapping& mapping_;
  std::span<const double> x_, importance_;
  const MappedTensor& plan_;
};

Error in_group(Error error, std::uint64_t group, std::uint64_t n_groups) {
  if (n_groups > 1 && error.kind != ErrorKind::usage)
    error.where = fmt::format("{}, group {}", error.where, group);
  return error;
}

}  // namespace

Result<Granularity> parse_granularity(std::string_view text) {
  if (text == "tensor") return Granularity{Granularity::Kind::tensor, 0};
  if (text == "channel") return Granularity{Granularity::Kind::channel, 0};
  if (text == "token") return Granularity{Granularity::Kind::token, 0};
  constexpr std::string_view kGroup = "group:";
  if (text.starts_with(kGroup)) {
    std::uint64_t size = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + kGroup.size(), end, size);
    if (error == std::errc() && stop == end && size > 0) return Granularity{Granularity::Kind::group, size};
  }
  return fail(ErrorKind::usage, "granularity",
              fmt::format("«{}» is none of tensor, channel, token and group:N with a whole N", text));
}

std::string name_of(const Granularity& granularity) {
  switch (granularity.kind) {
    case Granularity::Kind::tensor:
      return "tensor";
    case Granularity::Kind::channel:
      return "channel";
    case Granularity::Kind::token:
      return "token";
    case Granularity::Kind::group:
      return fmt::format("group:{}", granularity.group_size);
  }
  return "unknown";
}

double MappedTensor::bits_per_weight() const noexcept {
  double parameters = 0;
  for (const MappedGroup& group : groups) parameters += group.parameter_bits;
  return options.bits + parameters / static_cast<double>(n_rows * n_columns);
}

Result<MappedTensor> map_tensor(const Mapping& mapping, std::span<const double> x,
                                std::span<const double> importance, std::uint64_t n_rows,
                                const Granularity& granularity, const MappingOptions& options,
                                ThreadPool& pool, Progress& progress) {
  const std::string name(mapping.name);
  if (x.empty() || n_rows == 0) return fail(ErrorKind::input, name, "there are no numbers to map");
  KERF_CHECK(x.size() % n_rows == 0);
  MappedTensor out;
  out.n_rows = n_rows;
  out.n_columns = x.size() / n_rows;
  if (!importance.empty() && importance.size() != out.n_columns)
    return fail(ErrorKind::input, name,
                fmt::format("there are {} weights for {} columns", importance.size(), out.n_columns));
  KERF_TRY(out.options, complete_options(mapping, options));
  KERF_TRY(out.group_size, group_size_of(granularity, n_rows, out.n_columns));
  const std::uint64_t n_groups = x.size() / out.group_size;
  out.groups.resize(n_groups);

  const GroupMapper map(mapping, x, importance, out);
  FirstError failed;
  // Slabs, so that progress is told and cancelling is heard by one thread between them.
  const std::uint64_t slab = std::max<std::uint64_t>(1, (1U << 20) / out.group_size) * pool.size();
  progress.start(name, n_groups, "groups");
  for (std::uint64_t first = 0; first < n_groups && !failed.any(); first += slab) {
    if (progress.cancelled()) return fail(ErrorKind::cancelled, name, "stopped");
    const std::uint64_t last = std::min(n_groups, first + slab);
    pool.parallel_for(last - first, std::max<std::uint64_t>(1, 4096 / out.group_size),
                      [&](std::size_t begin, std::size_t end, unsigned) {
                        for (std::uint64_t g = first + begin; g < first + end; ++g) {
                          auto group = map(g, g == 0 ? &out.steps : nullptr);
                          if (group)
                            out.groups[g] = *std::move(group);
                          else
                            failed.offer(g, std::move(group).error());
                        }
                      });
    progress.advance(last, "");
  }
  if (failed.any()) return tl::unexpected<Error>(in_group(failed.error(), failed.place(), n_groups));
  return out;
}

MappingErrors errors_of(std::span<const double> x, const MappedTensor& mapped) noexcept {
  MappingErrors out;
  double energy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const MappedGroup& group = mapped.groups[i / mapped.group_size];
    const std::uint8_t code = group.codes[i % mapped.group_size];
    const double error = std::abs(x[i] - group.value_of(code));
    out.squared += error * error;
    energy += x[i] * x[i];
    if (error > out.largest) {
      out.largest = error;
      out.largest_at = i;
    }
    const auto& level = group.levels->level;
    const std::size_t last = level.size() - 1;
    if (last == 0 || (code != 0 && code != last)) continue;
    const double gap =
        std::abs(group.scale) * (code == 0 ? level[1] - level[0] : level[last] - level[last - 1]);
    const double beyond =
        (x[i] - group.value_of(code)) * (group.scale < 0 ? -1.0 : 1.0) * (code == 0 ? -1.0 : 1.0);
    if (beyond > 0.5 * gap * (1 + 1e-9)) ++out.n_clipped;
  }
  out.mean_squared = x.empty() ? 0.0 : out.squared / static_cast<double>(x.size());
  out.relative = energy > 0 ? std::sqrt(out.squared / energy) : 0.0;
  out.sqnr_db = out.relative > 0 ? -20.0 * std::log10(out.relative) : std::numeric_limits<double>::infinity();
  return out;
}

}  // namespace kerf
