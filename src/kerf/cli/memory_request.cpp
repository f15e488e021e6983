#include "kerf/cli/memory_request.h"

#include <fmt/format.h>

#include <charconv>

#include "kerf/formats/format.h"
#include "kerf/methods/recipe.h"

namespace kerf::cli {
namespace {

constexpr std::uint64_t kUsualContext = 4096;
constexpr std::uint64_t kUsualTrainingContext = 512;

/// «70e9», «70B», «135M».
Result<double> parse_count(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  double factor = 0;
  if (unit.empty()) factor = 1;
  if (unit == "K" || unit == "k") factor = 1e3;
  if (unit == "M" || unit == "m") factor = 1e6;
  if (unit == "B" || unit == "b" || unit == "G") factor = 1e9;
  if (unit == "T" || unit == "t") factor = 1e12;
  if (error != std::errc() || factor == 0 || !(value * factor >= 1) || value * factor > 1e16)
    return fail(ErrorKind::usage, "--params",
                fmt::format("«{}» is not a number of parameters; write 70e9, 70B or 135M", text));
  return value * factor;
}

Mode mode_of(const std::string& name) {
  if (name == "full") return Mode::full;
  if (name == "lora") return Mode::lora;
  return name == "qlora" ? Mode::qlora : Mode::inference;
}

Optimizer optimizer_of(const std::string& name) {
  if (name == "adam8") return Optimizer::adam8;
  if (name == "momentum") return Optimizer::momentum;
  return name == "sgd" ? Optimizer::sgd : Optimizer::adam32;
}

LoraTargets targets_of(const std::string& name) {
  if (name == "attention") return LoraTargets::attention;
  return name == "qv" ? LoraTargets::qv : LoraTargets::all;
}

/// The weights of a file, counted tensor by tensor: as they lie there, or as `kerf quantize` would write
/// them.
Result<Term> weights_of_file(const ModelSource& source, const MemoryOptions& options) {
  RecipeOptions recipe;
  recipe.type = options.type.empty() ? "keep" : options.type;
  recipe.embedding_type = options.embedding_type;
  KERF_TRY(const std::vector<Assignment> assignments, assign_formats(source, recipe));
  double bytes = 0;
  std::size_t n_misfits = 0;
  for (std::size_t i = 0; i < assignments.size(); ++i) {
    const SourceTensor& tensor = source.tensors()[i];
    const Format& format = options.type.empty() ? *tensor.format : *assignments[i].got;
    bytes +=
        static_cast<double>(tensor.n_rows()) * static_cast<double>(format.row_bytes(tensor.row_length()));
    const bool is_matrix = tensor.n_rows() > 1;
    if (is_matrix && assignments[i].got != assignments[i].asked) ++n_misfits;
  }
  if (options.type.empty()) return Term{"weights", bytes, "as they lie in the file"};
  std::string formula = "as «kerf quantize» would write them";
  if (n_misfits != 0)
    formula += n_misfits == 1 ? fmt::format("; 1 matrix does not fit {} and takes another type", options.type)
                              : fmt::format("; {} matrices do not fit {} and take another type", n_misfits,
                                            options.type);
  return Term{"weights", bytes, std::move(formula)};
}

bool is_number_of_bits(const std::string& type) {
  return !type.empty() && ((type[0] >= '0' && type[0] <= '9') || type[0] == '.' || type[0] == '-');
}

bool is_double_quantized(const std::string& type) {
  return find_format(type) == nullptr && storage_cost(type).has_value();
}

}  // namespace

Result<MemorySubject> find_subject(const MemoryOptions& options) {
  MemorySubject subject;
  const bool own_sizes = options.sizes.n_layers != 0;
  if (options.model.empty() && options.params.empty() && !own_sizes)
    return fail(ErrorKind::usage, {},
                "which model? Give a file, a folder, a published name (" + published_names() +
                    "), --params 70e9, or --layers and the other sizes");
  if (!options.model.empty() && (!options.params.empty() || own_sizes))
    return fail(ErrorKind::usage, options.model, "has its own sizes; leave --params and --layers out");
  if (!options.params.empty()) {
    KERF_TRY(subject.n_parameters, parse_count(options.params));
    subject.count_given = true;
  }
  if (own_sizes) {
    LlamaSizes sizes = options.sizes;
    if (sizes.n_kv_heads == 0) sizes.n_kv_heads = sizes.n_heads;
    if (sizes.n_heads != 0) sizes.head_width = sizes.width / sizes.n_heads;
    KERF_TRY(subject.shape, shape_of_llama("the given sizes", sizes));
  } else if (!options.model.empty()) {
    KERF_TRY(FoundModel found, find_model(options.model));
    subject.shape = std::move(found.shape);
    subject.source = std::move(found.source);
  } else {
    subject.shape = nearest_published_shape(subject.n_parameters);
    subject.assumed = true;
  }
  if (!subject.count_given) subject.n_parameters = static_cast<double>(subject.shape.n_parameters());
  return subject;
}

Result<FootprintRequest> make_request(const MemoryOptions& options, const MemorySubject& subject) {
  FootprintRequest request = options.request;
  request.mode = mode_of(options.mode);
  const bool inference = request.mode == Mode::inference;
  KERF_TRY(request.kv, storage_cost(options.kv_type));
  if (subject.count_given) request.n_parameters = subject.n_parameters;
  if (request.context == 0) request.context = inference ? kUsualContext : kUsualTrainingContext;
  request.optimizer = optimizer_of(options.optimizer);
  request.targets = targets_of(options.targets);
  request.checkpointing = !options.no_checkpointing;

  const bool countable = inference && subject.source != nullptr && options.overhead.group == 0;
  if (countable && !is_number_of_bits(options.type) &&
      (options.type.empty() || !is_double_quantized(options.type))) {
    KERF_TRY(request.weights, weights_of_file(*subject.source, options));
    return request;
  }
  const std::string type = !options.type.empty()         ? options.type
                           : request.mode == Mode::qlora ? "nf4-dq"
                                                         : "BF16";
  KERF_TRY(request.linear, storage_cost(type, options.overhead));
  // Fine-tuning leaves the embedding in 16 bits; to run a model, everything is cut.
  request.embedding = request.linear;
  if (!inference || !options.embedding_type.empty()) {
    KERF_TRY(request.embedding,
             storage_cost(options.embedding_type.empty() ? "BF16" : options.embedding_type));
  }
  return request;
}

}  // namespace kerf::cli
