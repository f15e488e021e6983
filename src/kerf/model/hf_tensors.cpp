#include "kerf/model/hf_tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "kerf/io/printable.h"

namespace kerf {
namespace {

/// «blk.{}.attn_q» with the number of the block, and what comes behind.
std::string numbered(std::string_view pattern, std::uint64_t block, std::string_view suffix) {
  std::string name(pattern);
  if (const auto place = name.find("{}"); place != std::string::npos)
    name.replace(place, 2, std::to_string(block));
  return name.append(suffix);
}

bool is_per_block(const TensorRule& rule) {
  return rule.gguf.find("{}") != std::string_view::npos;
}

class Planner {
 public:
  Planner(const Container& container, const HfConfig& config, const Architecture& architecture,
          const HfDimensions& sizes)
      : container_(container), config_(config), architecture_(architecture), sizes_(sizes) {}

  Result<std::vector<HfTensor>> plan() && {
    KERF_TRY(tied_, config_.boolean_or("tie_word_embeddings", architecture_.hf.defaults.tied_embeddings));
    KERF_CHECK_OK(index_names());
    KERF_CHECK_OK(plan_layers());
    KERF_CHECK_OK(check_rest());
    return std::move(planned_);
  }

 private:
  Result<void> index_names();
  Result<void> plan_layers();
  Result<void> plan_layer(const TensorRule& rule, std::uint64_t block);
  Result<void> plan_experts(const TensorRule& rule, std::uint64_t block);
  Result<void> plan_bias(const TensorRule& rule, std::uint64_t block);
  Result<void> plan_tensor(const std::string& gguf, const std::string& hf, std::vector<std::uint64_t> shape,
                           Transform transform);
  Result<void> check_rest() const;
  [[nodiscard]] bool is_ignored(std::string_view name) const;
  [[nodiscard]] const StoredTensor* find(const std::string& name) const {
    const auto place = by_name_.find(name);
    return place == by_name_.end() ? nullptr : place->second;
  }
  [[nodiscard]] tl::unexpected<Error> error(ErrorKind kind, std::string what) const {
    return fail(kind, container_.path.string(), std::move(what));
  }

  const Container& container_;
  const HfConfig& config_;
  const Architecture& architecture_;
  const HfDimensions& sizes_;
  bool tied_ = false;
  std::unordered_map<std::string, const StoredTensor*> by_name_;  // as the rules spell them
  std::unordered_set<const StoredTensor*> used_;
  std::vector<HfTensor> planned_;
};

Result<void> Planner::index_names() {
  for (const StoredTensor& tensor : container_.tensors) {
    std::string name = tensor.name;
    for (const std::string_view piece : architecture_.hf.removed_from_names)
      if (const auto place = name.find(piece); place != std::string::npos) name.erase(place, piece.size());
    if (!by_name_.emplace(name, &tensor).second)
      return error(ErrorKind::input,
                   fmt::format("tensor «{}» is there twice, as «{}» and «{}»", printable(name),
                               printable(tensor.name), printable(by_name_.at(name)->name)));
  }
  return {};
}

Result<void> Planner::plan_layers() {
  const std::span<const TensorRule> rules = architecture_.hf.tensors;
  const auto first = std::find_if(rules.begin(), rules.end(), is_per_block);
  const auto last = std::find_if_not(first, rules.end(), is_per_block);
  for (auto rule = rules.begin(); rule != first; ++rule) KERF_CHECK_OK(plan_layer(*rule, 0));
  for (std::uint64_t block = 0; block < sizes_.layers; ++block)
    for (auto rule = first; rule != last; ++rule) KERF_CHECK_OK(plan_layer(*rule, block));
  for (auto rule = last; rule != rules.end(); ++rule) KERF_CHECK_OK(plan_layer(*rule, 0));
  return {};
}

Result<void> Planner::plan_layer(const TensorRule& rule, std::uint64_t block) {
  if (rule.hf.find("[]") != std::string_view::npos) return plan_experts(rule, block);
  const std::string hf = numbered(rule.hf, block, ".weight");
  if (rule.unless_tied && tied_) {
    used_.insert(find(hf));
    return {};
  }
  std::vector<std::uint64_t> shape{sizes_.of(rule.rows)};
  if (rule.columns != Extent::one) shape.push_back(sizes_.of(rule.columns));
  KERF_CHECK_OK(plan_tensor(numbered(rule.gguf, block, ".weight"), hf, std::move(shape), rule.transform));
  return plan_bias(rule, block);
}

/// [R, K] for each expert becomes [E, R, K].
Result<void> Planner::plan_experts(const TensorRule& rule, std::uint64_t block) {
  const std::string gguf = numbered(rule.gguf, block, ".weight");
  const std::string pattern = numbered(rule.hf, block, ".weight");
  const std::size_t place = pattern.find("[]");
  const std::vector<std::uint64_t> shape{sizes_.of(rule.rows) / sizes_.experts, sizes_.of(rule.columns)};
  HfTensor stack{};
  for (std::uint64_t expert = 0; expert < sizes_.experts; ++expert) {
    std::string hf = pattern;
    hf.replace(place, 2, std::to_string(expert));
    KERF_CHECK_OK(plan_tensor(gguf, hf, shape, rule.transform));
    HfTensor part = std::move(planned_.back());
    planned_.pop_back();
    if (expert == 0) stack = part;
    if (part.stored->format != stack.stored->format)
      return error(ErrorKind::unsupported,
                   fmt::format("tensor «{}» is {}, that of the first expert {}; GGUF has them in one tensor",
                               hf, part.stored->format->name, stack.stored->format->name));
    stack.experts.push_back(part.stored);
  }
  stack.view.shape.insert(stack.view.shape.begin(), sizes_.experts);
  planned_.push_back(std::move(stack));
  return {};
}

Result<void> Planner::plan_bias(const TensorRule& rule, std::uint64_t block) {
  if (rule.bias == Bias::never) return {};
  const std::string hf = numbered(rule.hf, block, ".bias");
  if (rule.bias == Bias::optional && find(hf) == nullptr) {
    KERF_TRY(const bool wanted, config_.boolean_or(rule.bias_flag, false));
    if (!wanted) return {};
  }
  const bool moves = rule.transform == Transform::interleave_heads;
  return plan_tensor(numbered(rule.gguf, block, ".bias"), hf, {sizes_.of(rule.rows)},
                     moves ? rule.transform : Transform::as_is);
}

Result<void> Planner::plan_tensor(const std::string& gguf, const std::string& hf,
                                  std::vector<std::uint64_t> shape, Transform transform) {
  const StoredTensor* stored = find(hf);
  if (stored == nullptr)
    return error(ErrorKind::not_found,
                 fmt::format("tensor «{}» («{}» in GGUF) is missing; is the download complete?", hf, gguf));
  std::vector<std::uint64_t> wanted = shape;
  if (transform == Transform::transpose) std::reverse(wanted.begin(), wanted.end());
  if (stored->shape != wanted)
    return error(ErrorKind::input,
                 fmt::format("tensor «{}» is [{}], but config.json makes it [{}]", stored->name,
                             fmt::join(stored->shape, ", "), fmt::join(wanted, ", ")));
  if (stored->format->encode_plain == nullptr)
    return error(ErrorKind::unsupported,
                 fmt::format("tensor «{}» is stored as {}; kerf reads F32, F16 and BF16 checkpoints",
                             stored->name, stored->format->name));
  used_.insert(stored);
  planned_.push_back({{gguf, stored->format, std::move(shape)}, stored, transform, sizes_.head});
  return {};
}

bool Planner::is_ignored(std::string_view name) const {
  const HfLayout& layout = architecture_.hf;
  return std::any_of(layout.ignored_suffixes.begin(), layout.ignored_suffixes.end(),
                     [&](std::string_view suffix) { return name.ends_with(suffix); }) ||
         std::any_of(layout.ignored_prefixes.begin(), layout.ignored_prefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

/// A weight that nobody asked for means that the network is another one than the family's.
Result<void> Planner::check_rest() const {
  for (const StoredTensor& tensor : container_.tensors)
    if (!used_.contains(&tensor) && !is_ignored(tensor.name))
      return error(ErrorKind::unsupported,
                   fmt::format("tensor «{}» has no place in a model of the {} family with {} layers",
                               printable(tensor.name), architecture_.name, sizes_.layers));
  return {};
}

}  // namespace

Result<std::vector<HfTensor>> plan_tensors(const Container& container, const HfConfig& config,
                                           const Architecture& architecture, const HfDimensions& sizes) {
  return Planner(container, config, architecture, sizes).plan();
}

}  // namespace kerf
