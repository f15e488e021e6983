#include "kerf/methods/learned_rounding.h"

#include <algorithm>
#include <cmath>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/formats/row_scaled.h"

namespace kerf {
namespace {

constexpr std::size_t kMost = Grid::kMaxBlock;

/// Of Adam: gradients below this are noise of binary32, whatever the loss's unit.
constexpr float kEpsilon = 1e-18F;

struct Step {
  bool by_sign;
  float first_decay, second_decay;
  float first_gain, second_gain;  // corrections of the means' start at 0
};

KERF_CLONES void sign_step(const float* g, float rate, std::size_t n, float* x) noexcept {
  for (std::size_t i = 0; i < n; ++i)
    x[i] -= rate * static_cast<float>(static_cast<int>(g[i] > 0) - static_cast<int>(g[i] < 0));
}

KERF_CLONES void adam_step(const float* g, const Step& step, float rate, std::size_t n, float* first,
                           float* second, float* x) noexcept {
  const float b1 = step.first_decay, b2 = step.second_decay;
  const float first_gain = step.first_gain * rate, second_gain = step.second_gain;
  for (std::size_t i = 0; i < n; ++i) {
    first[i] = b1 * first[i] + (1.0F - b1) * g[i];
    second[i] = b2 * second[i] + (1.0F - b2) * g[i] * g[i];
    x[i] -= first_gain * first[i] / (std::sqrt(second_gain * second[i]) + kEpsilon);
  }
}

KERF_CLONES void clamp_all(float lowest, float highest, std::size_t n, float* x) noexcept {
  for (std::size_t i = 0; i < n; ++i) x[i] = std::min(std::max(x[i], lowest), highest);
}

KERF_CLONES void multiply_all(const float* x, float factor, std::size_t n, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = x[i] * factor;
}

/// v in other levels: scale · v + offset stays.
KERF_CLONES void rebase(float factor, float shift, std::size_t n, float* v) noexcept {
  for (std::size_t i = 0; i < n; ++i) v[i] = v[i] * factor + shift;
}

KERF_CLONES void nearest_of_uniform(const float* v, float first, float last_code, std::size_t n,
                                    std::uint8_t* codes) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    // NaN counts as the first code. Adding and taking away 1.5·2^23 rounds to the nearest whole number.
    const float rounded = (std::min(std::max(0.0F, v[i] - first), last_code) + 0x1.8p23F) - 0x1.8p23F;
    codes[i] = static_cast<std::uint8_t>(static_cast<int>(rounded));
  }
}

float clamp_sign(Grid::Sign sign, float x) noexcept {
  if (sign == Grid::Sign::non_negative) return std::max(x, 0.0F);
  if (sign == Grid::Sign::non_positive) return std::min(x, 0.0F);
  return x;
}

/// Bytes of a block in the form that Grid speaks.
struct Block {
  float scale[Grid::kMaxGroups];
  float offset[Grid::kMaxGroups];
  std::uint8_t codes[kMost];
};

}  // namespace

struct LearnedWeight::Rule {
  Step step;
  LearningRates rates;
};

/// One row while it is worked on.
class LearnedWeight::Row {
 public:
  Row(const LearnedWeight& weight, std::size_t index) noexcept
      : inner(weight.inner_), grid(*weight.inner_.grid), edges(weight.edges_) {
    bytes = weight.bytes_ + index * weight.row_bytes_;
    blocks = bytes + weight.format_.header_bytes;
    if (const RowScale* rule = weight.format_.row_scale) {
      row_scale = formats::load_row_scale(rule->type, bytes);
      if (rule->has_offset)
        row_offset = formats::load_row_scale(rule->type, bytes + formats::bytes_of(rule->type));
    }
  }

  void load(std::size_t block, Block& into) const noexcept {
    grid.load(blocks + block * inner.block_bytes, into.scale, into.offset, into.codes);
  }

  void nearest(const float* v, std::size_t n, std::uint8_t* codes) const noexcept {
    if (grid.uniform)
      return nearest_of_uniform(v, grid.levels[0], static_cast<float>(grid.levels.size() - 1), n, codes);
    for (std::size_t i = 0; i < n; ++i)
      codes[i] =
          static_cast<std::uint8_t>(std::upper_bound(edges.begin(), edges.end(), v[i]) - edges.begin());
  }

  /// Where v may be for this code: its cell, the outermost as wide outwards as inwards.
  [[nodiscard]] float low_edge(std::size_t code) const noexcept {
    return code > 0 ? edges[code - 1] : 2 * grid.levels[0] - edges.front();
  }
  [[nodiscard]] float high_edge(std::size_t code) const noexcept {
    return code < edges.size() ? edges[code] : 2 * grid.levels[code] - edges.back();
  }

  const Format& inner;
  const Grid& grid;
  const std::vector<float>& edges;
  std::uint8_t* bytes;
  std::uint8_t* blocks;
  float row_scale = 1.0F;
  float row_offset = 0.0F;
};

bool LearnedWeight::can_learn(const Format& format) noexcept {
  const Format& inner = format.row_scale != nullptr ? *format.row_scale->inner : format;
  return inner.grid != nullptr && inner.grid->levels.size() > 1;
}

std::uint64_t LearnedWeight::memory_bytes(const Format& format, std::uint64_t n,
                                          const LearningOptions& options) noexcept {
  const Format& inner = format.row_scale != nullptr ? *format.row_scale->inner : format;
  const std::uint64_t n_groups = n / inner.block_size * inner.grid->n_groups;
  const std::uint64_t arrays = options.momentum > 0 || options.momentum_of_squares > 0 ? 3 : 1;
  return (n + 2 * n_groups) * arrays * sizeof(float);
}

LearnedWeight::LearnedWeight(const Format& format, std::uint8_t* bytes, const float* w, std::size_t n_rows,
                             std::size_t n_cols, const LearningOptions& options, ThreadPool& pool)
    : format_(format),
      inner_(format.row_scale != nullptr ? *format.row_scale->inner : format),
      bytes_(bytes),
      n_rows_(n_rows),
      n_cols_(n_cols),
      options_(options),
      row_bytes_(format.row_bytes(n_cols)),
      blocks_per_row_((n_cols + inner_.block_size - 1) / inner_.block_size),
      v_(n_rows * n_cols),
      scales_(n_rows * blocks_per_row_ * inner_.grid->n_groups),
      offsets_(scales_.size()) {
  KERF_CHECK(can_learn(format));
  const std::span<const float> levels = inner_.grid->levels;
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) edges_.push_back(0.5F * (levels[i] + levels[i + 1]));
  outermost_ = std::max(std::fabs(levels.front()), std::fabs(levels.back()));
  distance_ = (levels.back() - levels.front()) / static_cast<float>(levels.size() - 1);
  if (options.momentum > 0 || options.momentum_of_squares > 0)
    for (const auto& [moments, n] : {std::pair{&of_v_, v_.size()}, std::pair{&of_scales_, scales_.size()},
                                     std::pair{&of_offsets_, offsets_.size()}}) {
      moments->first.resize(n);
      moments->second.resize(n);
    }
  pool.parallel_for(n_rows, 16, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t row = begin; row < end; ++row) open_row(row, w == nullptr ? nullptr : w + row * n_cols);
  });
}

void LearnedWeight::open_row(std::size_t row_index, const float* w) {
  const Row row(*this, row_index);
  const std::size_t n_groups = row.grid.n_groups, group = inner_.block_size / n_groups;
  Block block;
  for (std::size_t b = 0; b < blocks_per_row_; ++b) {
    row.load(b, block);
    const std::size_t at = (row_index * blocks_per_row_ + b) * n_groups, first = b * inner_.block_size;
    std::copy_n(block.scale, n_groups, scales_.data() + at);
    std::copy_n(block.offset, n_groups, offsets_.data() + at);
    for (std::size_t i = 0; i < std::size_t{inner_.block_size} && first + i < n_cols_; ++i) {
      const float scale = block.scale[i / group], level = row.grid.levels[block.codes[i]];
      float v = level;
      if (w != nullptr && scale != 0 && row.row_scale != 0) {
        const float wanted =
            ((w[first + i] - row.row_offset) / row.row_scale - block.offset[i / group]) / scale;
        const float within = std::clamp(wanted, row.low_edge(block.codes[i]), row.high_edge(block.codes[i]));
        v += options_.lean * (within - level);
      }
      v_[row_index * n_cols_ + first + i] = v;
    }
  }
}

void LearnedWeight::step(const float* dw, const LearningRates& rates, ThreadPool& pool) {
  ++n_steps_;
  const auto gain = [this](float decay) {
    return static_cast<float>(1.0 / (1.0 - std::pow(double{decay}, n_steps_)));
  };
  const Rule rule{{.by_sign = of_v_.first.empty(),
                   .first_decay = options_.momentum,
                   .second_decay = options_.momentum_of_squares,
                   .first_gain = gain(options_.momentum),
                   .second_gain = gain(options_.momentum_of_squares)},
                  rates};
  pool.parallel_for(n_rows_, 16, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t row = begin; row < end; ++row) step_row(row, dw + row * n_cols_, rule);
  });
}

void LearnedWeight::move_group(const Row& row, const Rule& rule, const float* dw, std::size_t n,
                               const std::uint8_t* codes, float stored_scale, std::size_t group, float* v) {
  const Grid& grid = row.grid;
  const auto move = [&rule](const float* g, float rate, std::size_t count, Moments& moments, std::size_t at,
                            float* x) {
    if (rule.step.by_sign) return sign_step(g, rate, count, x);
    adam_step(g, rule.step, rate, count, moments.first.data() + at, moments.second.data() + at, x);
  };
  // x̂ = row scale · (scale · level + offset) + row offset
  float of_scale = 0, of_offset = 0, of_v[kMost];
  for (std::size_t i = 0; i < n; ++i) {
    of_scale += dw[i] * grid.levels[codes[i]];
    of_offset += dw[i];
  }
  of_scale *= row.row_scale;
  of_offset *= row.row_scale;
  multiply_all(dw, row.row_scale * stored_scale, n, of_v);
  move(of_v, rule.rates.levels * distance_, n, of_v_, static_cast<std::size_t>(v - v_.data()), v);
  const float size = std::fabs(stored_scale) * distance_;
  move(&of_scale, rule.rates.scales * size / outermost_, 1, of_scales_, group, &scales_[group]);
  scales_[group] = clamp_sign(grid.scale_sign, scales_[group]);
  if (!grid.has_offset) return;
  move(&of_offset, rule.rates.offsets * size, 1, of_offsets_, group, &offsets_[group]);
  offsets_[group] = clamp_sign(grid.offset_sign, offsets_[group]);
}

void LearnedWeight::step_row(std::size_t row_index, const float* dw, const Rule& rule) {
  const Row row(*this, row_index);
  const std::size_t n_groups = row.grid.n_groups, group = inner_.block_size / n_groups;
  const float lowest = row.low_edge(0), highest = row.high_edge(row.grid.levels.size() - 1);
  Block block, moved;
  for (std::size_t b = 0; b < blocks_per_row_; ++b) {
    const auto for_groups = [&](const auto& body) {
      for (std::size_t j = 0; j < n_groups; ++j)
        if (const std::size_t first = b * inner_.block_size + j * group; first < n_cols_)
          body(j, first, std::min(group, n_cols_ - first), v_.data() + row_index * n_cols_ + first);
    };
    const std::size_t at = (row_index * blocks_per_row_ + b) * n_groups;
    row.load(b, block);
    moved = block;
    for_groups([&](std::size_t j, std::size_t first, std::size_t n, float* v) {
      move_group(row, rule, dw + first, n, block.codes + j * group, block.scale[j], at + j, v);
    });
    std::uint8_t* const bytes = row.blocks + b * inner_.block_bytes;
    if (rule.rates.scales > 0 || rule.rates.offsets > 0) {
      std::copy_n(scales_.data() + at, n_groups, moved.scale);
      std::copy_n(offsets_.data() + at, n_groups, moved.offset);
      row.grid.store_parameters(moved.scale, moved.offset, bytes);
    }
    for_groups([&](std::size_t j, std::size_t, std::size_t n, float* v) {
      if (moved.scale[j] != 0)
        rebase(block.scale[j] / moved.scale[j], (block.offset[j] - moved.offset[j]) / moved.scale[j], n, v);
      clamp_all(lowest, highest, n, v);
      row.nearest(v, n, moved.codes + j * group);
    });
    row.grid.store_codes(moved.codes, bytes);
  }
}

}  // namespace kerf
