#include "kerf/footprint/model_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "kerf/io/hf_config.h"
#include "kerf/model/arch/architecture.h"
#include "kerf/model/config.h"
#include "kerf/model/hf_metadata.h"
#include "kerf/model/hf_rope.h"

namespace kerf {
namespace {

/// No model comes near it; products of three sizes stay below 2^64.
constexpr std::uint64_t kLargestSize = 1U << 20;

struct Published {
  std::string_view name;
  LlamaSizes sizes;
};
constexpr Published kPublished[] = {
#define KERF_PUBLISHED(name, layers, width, ffn, heads, kv_heads, head, vocabulary, context, tied) \
  {name, {layers, width, ffn, heads, kv_heads, head, vocabulary, context, tied}},
#include "kerf/footprint/published.def"
#undef KERF_PUBLISHED
};

/// «blk.12.attn_q.weight» → «attn_q»; nothing for tensors that are not a block's.
std::optional<std::string_view> part_of_block(std::string_view tensor) {
  if (!tensor.starts_with("blk.")) return std::nullopt;
  const std::size_t begin = tensor.find('.', 4);
  if (begin == std::string_view::npos) return std::nullopt;
  return tensor.substr(begin + 1);
}

bool is_embedding(std::string_view tensor) {
  return tensor == "token_embd.weight" || tensor == "output.weight" || tensor == "position_embd.weight";
}

/// Counts one tensor [rows, columns] of that GGUF name, `count` times.
void add_tensor(ModelShape& shape, std::string_view name, std::uint64_t rows, std::uint64_t columns,
                std::uint64_t count) {
  if (is_embedding(name)) {
    shape.n_embedding += rows * columns * count;
    return;
  }
  const auto part = part_of_block(name);
  constexpr std::string_view kWeight = ".weight";
  if (!part || !part->ends_with(kWeight) || rows == 1 || columns == 1) {
    shape.n_other += rows * columns * count;
    return;
  }
  const std::string_view layer = part->substr(0, part->size() - kWeight.size());
  for (LinearShape& linear : shape.linears)
    if (linear.name == layer && linear.rows == rows && linear.columns == columns) {
      linear.count += count;
      return;
    }
  shape.linears.push_back({std::string(layer), rows, columns, count});
}

ModelShape shape_without_tensors(const ModelConfig& config, std::string name) {
  ModelShape shape;
  shape.name = std::move(name);
  shape.n_layers = config.n_layers;
  shape.width = config.width;
  shape.ffn_width = config.ffn_width;
  shape.n_heads = config.n_heads;
  shape.n_kv_heads = config.n_kv_heads;
  shape.head_width = config.head_width;
  shape.n_vocabulary = config.n_vocabulary;
  shape.context_length = config.context_length;
  shape.window = config.sliding_window;
  if (shape.window != 0)
    shape.n_local_layers = static_cast<std::uint64_t>(std::ranges::count(config.layer_is_local, true));
  return shape;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

std::uint64_t ModelShape::n_linear() const noexcept {
  std::uint64_t n = 0;
  for (const LinearShape& linear : linears) n += linear.rows * linear.columns * linear.count;
  return n;
}

Result<ModelShape> shape_of_llama(std::string name, const LlamaSizes& sizes) {
  for (const std::uint64_t size : {sizes.n_layers, sizes.width, sizes.ffn_width, sizes.n_heads,
                                   sizes.n_kv_heads, sizes.head_width, sizes.n_vocabulary})
    if (size == 0 || size > kLargestSize)
      return fail(ErrorKind::usage, std::move(name),
                  fmt::format("a size of {}; sizes are 1 to {}, and all are needed", size, kLargestSize));
  if (sizes.n_heads % sizes.n_kv_heads != 0)
    return fail(
        ErrorKind::usage, std::move(name),
        fmt::format("{} heads cannot share {} heads of keys and values", sizes.n_heads, sizes.n_kv_heads));
  ModelShape shape{std::move(name),
                   sizes.n_layers,
                   sizes.width,
                   sizes.ffn_width,
                   sizes.n_heads,
                   sizes.n_kv_heads,
                   sizes.head_width,
                   sizes.n_vocabulary,
                   sizes.context_length,
                   0,
                   0,
                   {},
                   0,
                   0};
  const std::uint64_t queries = sizes.n_heads * sizes.head_width;
  const std::uint64_t keys = sizes.n_kv_heads * sizes.head_width;
  const std::uint64_t width = sizes.width;
  shape.linears = {{"attn_q", queries, width, sizes.n_layers},
                   {"attn_k", keys, width, sizes.n_layers},
                   {"attn_v", keys, width, sizes.n_layers},
                   {"attn_output", width, queries, sizes.n_layers},
                   {"ffn_gate", sizes.ffn_width, width, sizes.n_layers},
                   {"ffn_up", sizes.ffn_width, width, sizes.n_layers},
                   {"ffn_down", width, sizes.ffn_width, sizes.n_layers}};
  shape.n_embedding = sizes.n_vocabulary * width * (sizes.tied ? 1 : 2);
  shape.n_other = (2 * sizes.n_layers + 1) * width;
  return shape;
}

Result<ModelShape> shape_of_source(const ModelSource& source) {
  KERF_TRY(const ModelConfig config, config_from_metadata(source.metadata()));
  ModelShape shape = shape_without_tensors(config, source.path().filename().string());
  for (const SourceTensor& tensor : source.tensors()) {
    add_tensor(shape, tensor.name, tensor.n_rows(), tensor.row_length(), 1);
    if (tensor.name == "token_embd.weight") shape.n_vocabulary = tensor.n_rows();
  }
  return shape;
}

Result<ModelShape> shape_of_config(const std::filesystem::path& file) {
  KERF_TRY(const HfConfig config, HfConfig::read(file));
  KERF_TRY(const std::string class_name, config.architecture());
  const Architecture* architecture = architecture_of_hugging_face(class_name);
  if (architecture == nullptr)
    return fail(ErrorKind::unsupported, file.string(),
                fmt::format("architecture «{}»; known are {}", class_name, hugging_face_architectures()));
  KERF_TRY(const HfDimensions sizes, read_dimensions(config, architecture->hf));
  Metadata metadata(file.string());
  metadata.set("general.architecture", MetaValue::of_string(std::string(architecture->name)));
  KERF_CHECK_OK(describe_model(config, *architecture, sizes, metadata));
  KERF_CHECK_OK(describe_rope(config, *architecture, sizes, metadata));
  KERF_TRY(const ModelConfig description, config_from_metadata(metadata));
  KERF_TRY(const bool tied,
           config.boolean_or("tie_word_embeddings", architecture->hf.defaults.tied_embeddings));
  ModelShape shape = shape_without_tensors(description, file.string());
  shape.n_vocabulary = sizes.vocabulary;
  for (const TensorRule& rule : architecture->hf.tensors) {
    if (rule.unless_tied && tied) continue;
    const bool in_block = rule.gguf.find("{}") != std::string_view::npos;
    std::string name(rule.gguf);
    if (in_block) name.replace(name.find("{}"), 2, "0");
    const std::uint64_t count = in_block ? sizes.layers : 1;
    add_tensor(shape, name + ".weight", sizes.of(rule.rows), sizes.of(rule.columns), count);
    bool has_bias = rule.bias == Bias::always;
    if (rule.bias == Bias::optional && !rule.bias_flag.empty()) {
      KERF_TRY(has_bias, config.boolean_or(rule.bias_flag, false));
    }
    if (has_bias) add_tensor(shape, name + ".bias", sizes.of(rule.rows), 1, count);
  }
  return shape;
}

std::optional<ModelShape> published_shape(std::string_view name) {
  for (const Published& model : kPublished)
    if (model.name == lower(name)) return shape_of_llama(std::string(model.name), model.sizes).value();
  return std::nullopt;
}

ModelShape nearest_published_shape(double n_parameters) {
  std::optional<ModelShape> best;
  double least = 0;
  for (const Published& model : kPublished) {
    ModelShape shape = shape_of_llama(std::string(model.name), model.sizes).value();
    const double distance = std::fabs(std::log(n_parameters / static_cast<double>(shape.n_parameters())));
    if (best && distance >= least) continue;
    least = distance;
    best = std::move(shape);
  }
  return *best;
}

std::string published_names() {
  std::string out;
  for (const Published& model : kPublished) out += fmt::format("{}{}", out.empty() ? "" : ", ", model.name);
  return out;
}

Result<FoundModel> find_model(const std::string& model) {
  const std::filesystem::path path(model);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    if (auto shape = published_shape(model)) return FoundModel{*std::move(shape)};
    return fail(ErrorKind::not_found, model,
                "there is no such file, nor a published model of that name; known are " + published_names());
  }
  const auto described_by = [](const std::filesystem::path& config) -> Result<FoundModel> {
    KERF_TRY(ModelShape shape, shape_of_config(config));
    return FoundModel{std::move(shape)};
  };
  if (path.extension() == ".json") return described_by(path);
  auto source = ModelSource::open(path);
  // A folder whose weights are elsewhere says enough.
  if (!source && source.error().kind == ErrorKind::not_found &&
      std::filesystem::exists(path / "config.json", ignored))
    return described_by(path / "config.json");
  if (!source) return tl::unexpected<Error>(std::move(source).error());
  KERF_TRY(ModelShape shape, shape_of_source(**source));
  return FoundModel{std::move(shape), *std::move(source)};
}

}  // namespace kerf
