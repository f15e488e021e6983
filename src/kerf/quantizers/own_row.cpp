#include "kerf/quantizers/own_row.h"

#include <limits>
#include <vector>

#include "kerf/formats/row_scaled.h"
#include "kerf/quantizers/block_search.h"
#include "kerf/quantizers/own_steps.h"

namespace kerf {

using namespace own;

namespace {

/// Scales that suit a group as the row has it, coarsest first.
struct Steps {
  static constexpr std::size_t kMost = 32;
  double scale[kMost];
  double n_steps[kMost];  ///< from the least number to the most; with offsets
  std::size_t n = 0;
};

class OwnRow {
 public:
  OwnRow(const Format& format, const float* x, std::size_t n, std::uint8_t* row)
      : format_(format),
        rule_(*format.row_scale),
        inner_(*rule_.inner),
        grid_(*inner_.grid),
        levels_(grid_),
        group_size_(inner_.block_size / grid_.n_groups),
        x_(x),
        n_(n),
        row_(row),
        bytes_(format.row_bytes(n)),
        back_(round_up(n, inner_.block_size)) {}

  void run() noexcept {
    if (steps_of(0).n == 0 || holds(row_)) return;
    const std::size_t n_groups = (n_ + group_size_ - 1) / group_size_;
    std::size_t fewest = n_groups;
    for (std::size_t g = 0; g < n_groups; ++g) {
      groups_.push_back(steps_of(g));
      if (groups_[g].n == 0) return;
      if (groups_[g].scale[0] != 0.0 && (fewest == n_groups || groups_[g].n < groups_[fewest].n)) fewest = g;
    }
    if (fewest == n_groups) return;
    scales_.resize(n_groups);
    n_steps_.resize(n_groups);
    for (std::size_t i = 0; i < groups_[fewest].n; ++i)
      if (try_scales(groups_[fewest].scale[i])) {
        std::copy(bytes_.begin(), bytes_.end(), row_);
        return;
      }
  }

 private:
  [[nodiscard]] Group group(std::size_t g) const noexcept {
    return {x_ + g * group_size_, std::min(group_size_, n_ - g * group_size_)};
  }

  [[nodiscard]] Steps steps_of(std::size_t g) const noexcept {
    Steps steps;
    const auto add = [&](double scale, double n_steps = 0) {
      steps.scale[steps.n] = scale;
      steps.n_steps[steps.n++] = n_steps;
      return steps.n == Steps::kMost;
    };
    if (grid_.has_offset)
      each_step(grid_, group(g), true, add);
    else
      each_scale(grid_, group(g), true, add);
    return steps;
  }

  bool holds(const std::uint8_t* row) noexcept {
    format_.decode(row, back_.data(), n_);
    return std::equal(x_, x_ + n_, back_.begin());
  }

  /// The scale of a group that is stored instead of this one.
  [[nodiscard]] float stored(double wanted) const noexcept {
    float scale[Grid::kMaxGroups];
    float offset[Grid::kMaxGroups] = {};
    std::uint8_t block[kMaxBlockBytes] = {};
    std::fill_n(scale, grid_.n_groups, without_noise(wanted));
    grid_.store_parameters(scale, offset, block);
    return scale[0];
  }

  /// Every scale that the row may have if the scale of this group is to be one that can be stored.
  bool try_scales(double of_group) noexcept {
    const double found = formats::load_row_scale(rule_.type, row_);
    if (!(found > 0)) return false;
    float last = 0;
    for (double wanted = 2 * of_group / found; std::fabs(wanted) > std::fabs(of_group / found) / 512;
         wanted *= 0.998) {
      const float scale = stored(wanted);
      if (scale == last || scale == 0.0F) continue;
      last = scale;
      if (of_group / scale > 0 && suits_all(of_group / scale) && store_blocks(of_group / scale) &&
          store_scale())
        return true;
    }
    return false;
  }

  [[nodiscard]] bool suits_all(double row_scale) noexcept {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      bool found = false;
      for (std::size_t i = 0; i < groups_[g].n && !found; ++i) {
        const double wanted = groups_[g].scale[i] / row_scale;
        scales_[g] = stored(wanted);
        n_steps_[g] = groups_[g].n_steps[i];
        found = std::fabs(scales_[g] - wanted) <= 0x1p-17 * std::fabs(wanted) || wanted == 0.0;
      }
      if (!found) return false;
    }
    return true;
  }

  bool store_blocks(double row_scale) noexcept {
    std::vector<float> scaled(inner_.block_size);
    std::uint8_t codes[Grid::kMaxBlock];
    std::uint8_t* block = bytes_.data() + format_.header_bytes;
    for (std::size_t i = 0; i < n_; i += inner_.block_size, block += inner_.block_bytes) {
      for (std::size_t j = 0; j < inner_.block_size; ++j)
        scaled[j] = static_cast<float>(x_[std::min(i + j, n_ - 1)] / row_scale);
      float scale[Grid::kMaxGroups] = {};
      float offset[Grid::kMaxGroups] = {};
      const std::size_t first = i / group_size_;
      const std::size_t n_groups = std::min<std::size_t>(grid_.n_groups, groups_.size() - first);
      std::copy_n(scales_.begin() + static_cast<std::ptrdiff_t>(first), n_groups, scale);
      if (!grid_.has_offset)
        grid_.store_parameters(scale, offset, block);
      else if (!store_offset(first, row_scale, scale[0], offset[0], block))
        return false;
      choose_codes(levels_, scaled.data(), group_size_, grid_.n_groups, scale, offset, codes);
      grid_.store_codes(codes, block);
    }
    return true;
  }

  /// The lowest level that a group uses need not be the lowest there is.
  bool store_offset(std::size_t g, double row_scale, float& scale, float& offset,
                    std::uint8_t* block) const noexcept {
    const float wanted = scale;
    const double least = group(g).least / row_scale;
    const double most = std::max(0.0, static_cast<double>(grid_.levels.size()) - 1 - n_steps_[g]);
    for (double below = 0; below <= most; ++below) {
      const double lowest = least - wanted * below;
      scale = wanted;
      offset = static_cast<float>(lowest);
      grid_.store_parameters(&scale, &offset, block);
      if (scale == wanted && std::fabs(offset - lowest) <= 1e-3 * std::fabs(scale)) return true;
    }
    return false;
  }

  /// The scale with which the blocks, as stored, decode to the numbers bit for bit: each of them leaves it a
  /// narrow range.
  bool store_scale() noexcept {
    inner_.decode(bytes_.data() + format_.header_bytes, back_.data(), back_.size());
    double least = 0;
    double most = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < n_; ++i) {
      if (back_[i] == 0.0F) continue;
      const double size = std::fabs(x_[i]);
      const double below = std::nextafter(static_cast<float>(size), 0.0F);
      const double half_step = 0.5 * (size - below);
      least = std::max(least, (size - half_step) / std::fabs(back_[i]));
      most = std::min(most, (size + half_step) / std::fabs(back_[i]));
    }
    const auto middle = static_cast<float>(0.5 * (least + most));
    for (const float scale : {middle, std::nextafter(middle, 0.0F), std::nextafter(middle, 2 * middle)}) {
      formats::store_row_scale(rule_.type, scale, bytes_.data());
      if (format_.header_defect(bytes_.data()) == nullptr && holds(bytes_.data())) return true;
    }
    return false;
  }

  const Format& format_;
  const RowScale& rule_;
  const Format& inner_;
  const Grid& grid_;
  const Levels levels_;
  std::size_t group_size_;
  const float* x_;
  std::size_t n_;
  std::uint8_t* row_;  ///< what the search has found
  std::vector<std::uint8_t> bytes_;
  std::vector<float> back_;  ///< to whole blocks
  std::vector<Steps> groups_;
  std::vector<float> scales_;    ///< of the groups, as stored
  std::vector<double> n_steps_;  ///< that go with them
};

}  // namespace

void restore_row(const Format& format, const float* x, std::size_t n, std::uint8_t* row) noexcept {
  OwnRow(format, x, n, row).run();
}

}  // namespace kerf
