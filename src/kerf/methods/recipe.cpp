#include "kerf/methods/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <regex>
#include <tuple>

#include "kerf/base/check.h"
#include "kerf/methods/fallback.h"
#include "kerf/methods/mixture.h"

namespace kerf {
namespace {

constexpr std::string_view kEmbedding = "token_embd.weight";
constexpr std::string_view kOutput = "output.weight";

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return result;
}

Result<const Format*> writable_format(const std::string& name, std::string option) {
  const Format* format = find_format(name);
  if (format == nullptr)
    return fail(ErrorKind::usage, std::move(option),
                fmt::format("unknown type «{}»; «kerf formats» lists them", name));
  if (!format->writable())
    return fail(ErrorKind::usage, std::move(option),
                fmt::format("type {} can be read but not written", name));
  return format;
}

struct Rule {
  std::regex pattern;
  const Format* format;
};

/// What the options say, looked up once.
struct Recipe {
  const Mixture* mixture = nullptr;  // either this
  const Format* format = nullptr;    // or this; neither: keep
  std::vector<Rule> rules;
  const Format* embedding = nullptr;
  const Format* output = nullptr;
};

Result<std::vector<Rule>> parse_rules(const RecipeOptions& options) {
  std::vector<Rule> rules;
  for (const auto& [expression, type] : options.tensor_types) {
    KERF_TRY(const Format* format, writable_format(type, "--tensor-type"));
    try {
      rules.push_back({std::regex(expression, std::regex::ECMAScript), format});
    } catch (const std::regex_error&) {
      return fail(ErrorKind::usage, "--tensor-type",
                  fmt::format("«{}» is not a regular expression", expression));
    }
  }
  return rules;
}

Result<Recipe> parse(const RecipeOptions& options) {
  Recipe recipe;
  recipe.mixture = find_mixture(options.type);
  if (recipe.mixture == nullptr && lower(options.type) != "keep") {
    KERF_TRY(recipe.format, writable_format(options.type, "--type"));
  }
  if (!options.embedding_type.empty()) {
    KERF_TRY(recipe.embedding, writable_format(options.embedding_type, "--embedding-type"));
  }
  if (!options.output_type.empty()) {
    KERF_TRY(recipe.output, writable_format(options.output_type, "--output-type"));
  }
  KERF_TRY(recipe.rules, parse_rules(options));
  return recipe;
}

/// Whether a tensor is a weight matrix whose rounding error averages out in dot products. Vectors (norms,
/// biases, RoPE factors) are tiny and sensitive; position and token-type tables are added, not multiplied.
bool is_quantizable(const SourceTensor& tensor) {
  const std::string& name = tensor.name;
  return tensor.shape.size() >= 2 && name.ends_with(".weight") && !name.ends_with("_norm.weight") &&
         name.find("position_embd") == std::string::npos && name.find("token_types") == std::string::npos &&
         name.find("ffn_gate_inp") == std::string::npos;
}

/// What a tensor that is not quantized is stored as: what it is, but vectors in F32 as readers expect them.
const Format* kept_format(const SourceTensor& tensor) {
  const bool vector_of_numbers = tensor.shape.size() <= 1 && tensor.format->plain();
  const bool not_in_gguf = tensor.format->plain() && !tensor.format->in_gguf();
  return vector_of_numbers || not_in_gguf ? &formats::f32 : tensor.format;
}

/// What the output matrix gets when everything else gets `format`: at least 6 bits, in a type that readers of
/// `format` know.
const Format* spared_output(const Format& format) {
  const Format* spare = format.in_gguf() ? &formats::q6_k : find_format("UINT6_G32_F8");
  KERF_CHECK(spare != nullptr);
  return format.bits_per_weight() < spare->bits_per_weight() ? spare : &format;
}

/// «blk.*.attn_q.weight»: tensors of one kind share a fallback.
std::string kind_of(std::string_view name) {
  if (!name.starts_with("blk.")) return std::string(name);
  return "blk.*" + std::string(name.substr(std::min(name.size(), name.find('.', 4))));
}

class Planner {
 public:
  Planner(const ModelSource& source, const RecipeOptions& options, const Recipe& recipe)
      : source_(source), options_(options), recipe_(recipe) {
    for (const SourceTensor& tensor : source.tensors()) kinds_[kind_of(tensor.name)].push_back(&tensor);
    const std::string architecture = source.metadata().string_or("general.architecture", "").value_or("");
    n_layers_ = source.metadata().u64_or(architecture + ".block_count", 0).value_or(0);
    output_name_ = source.find(kOutput) != nullptr ? kOutput : kEmbedding;
  }

  Result<Assignment> assign(const SourceTensor& tensor) {
    if (const Format* asked = asked_format(tensor); asked != nullptr) return fit(tensor, *asked);
    const Format* kept = kept_format(tensor);
    return Assignment{kept, kept, is_quantizable(tensor) ? "" : "not a weight matrix"};
  }

 private:
  /// nullptr: keep.
  const Format* asked_format(const SourceTensor& tensor) const {
    if (const auto place = options_.like.find(tensor.name); place != options_.like.end())
      return place->second;
    for (const Rule& rule : recipe_.rules)
      if (std::regex_search(tensor.name, rule.pattern)) return rule.format;
    if (!is_quantizable(tensor)) return nullptr;
    const bool is_output = tensor.name == output_name_;
    if (is_output && recipe_.output != nullptr) return recipe_.output;
    if (tensor.name == kEmbedding && recipe_.embedding != nullptr) return recipe_.embedding;
    if (recipe_.mixture != nullptr)
      return mixture_format(*recipe_.mixture, tensor.name, is_output, n_layers_);
    return is_output && !options_.pure && recipe_.format != nullptr ? spared_output(*recipe_.format)
                                                                    : recipe_.format;
  }

  Result<Assignment> fit(const SourceTensor& tensor, const Format& asked) {
    if (&asked == tensor.format) return Assignment{&asked, &asked, {}};
    if (!asked.writable())
      return fail(ErrorKind::unsupported, tensor.name,
                  fmt::format("type {} can be read but not written", asked.name));
    if (asked.fits(tensor.row_length())) return Assignment{&asked, &asked, {}};
    std::string reason =
        fmt::format("rows of {} are not a multiple of {}", tensor.row_length(), asked.block_size);
    if (!options_.allow_fallback)
      return fail(
          ErrorKind::usage, tensor.name,
          fmt::format("does not fit {}: {}; name another type with --tensor-type or drop --no-fallback",
                      asked.name, reason));
    KERF_TRY(const Format* got, fallback(tensor, asked));
    return Assignment{&asked, got, std::move(reason)};
  }

  Result<const Format*> fallback(const SourceTensor& tensor, const Format& asked) {
    const auto key = std::make_tuple(kind_of(tensor.name), &asked, tensor.row_length());
    if (const auto place = fallbacks_.find(key); place != fallbacks_.end()) return place->second;
    std::vector<const SourceTensor*> samples;
    for (const SourceTensor* other : kinds_[kind_of(tensor.name)])
      if (other->row_length() == tensor.row_length()) samples.push_back(other);
    KERF_TRY(const Format* got, choose_fallback(source_, asked, samples));
    fallbacks_.emplace(key, got);
    return got;
  }

  const ModelSource& source_;
  const RecipeOptions& options_;
  const Recipe& recipe_;
  std::map<std::string, std::vector<const SourceTensor*>> kinds_;
  std::map<std::tuple<std::string, const Format*, std::uint64_t>, const Format*> fallbacks_;
  std::size_t n_layers_ = 0;
  std::string_view output_name_;
};

}  // namespace

Result<std::vector<Assignment>> assign_formats(const ModelSource& source, const RecipeOptions& options) {
  KERF_TRY(const Recipe recipe, parse(options));
  Planner planner(source, options, recipe);
  std::vector<Assignment> assignments;
  for (const SourceTensor& tensor : source.tensors()) {
    KERF_TRY(Assignment assignment, planner.assign(tensor));
    assignments.push_back(std::move(assignment));
  }
  return assignments;
}

std::optional<std::uint32_t> gguf_file_type(std::string_view type) {
  if (const Mixture* mixture = find_mixture(type)) return mixture->gguf_file_type;
  // Values of llama.cpp's enum llama_ftype for files of (mostly) one type: do not renumber.
  static const std::map<std::string, std::uint32_t, std::less<>> kNumbers = {
      {"f32", 0},     {"f16", 1},     {"q4_0", 2},  {"q4_1", 3},   {"q8_0", 7},   {"q5_0", 8},
      {"q5_1", 9},    {"q2_k", 10},   {"q3_k", 12}, {"q4_k", 15},  {"q5_k", 17},  {"q6_k", 18},
      {"iq4_nl", 25}, {"iq4_xs", 30}, {"bf16", 32}, {"tq1_0", 36}, {"tq2_0", 37}, {"mxfp4", 38},
      {"nvfp4", 39},  {"q1_0", 40},   {"q2_0", 41},
  };
  const auto place = kNumbers.find(lower(type));
  return place == kNumbers.end() ? std::nullopt : std::optional(place->second);
}

}  // namespace kerf
