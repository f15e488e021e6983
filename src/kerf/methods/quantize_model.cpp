#include "kerf/methods/quantize_model.h"

#include <algorithm>
#include <map>

#include "kerf/base/rng.h"
#include "kerf/methods/memory_plan.h"
#include "kerf/methods/method.h"

namespace kerf {
namespace {

/// The output's header: everything the source says, with what it is now and where it came from.
Metadata output_metadata(const ModelSource& source, const RecipeOptions& recipe, const std::string& version) {
  Metadata metadata = source.metadata();
  for (const char* key : {"split.no", "split.count", "split.tensors.count"}) metadata.erase(key);
  const bool as_it_was = recipe.type == "keep" && recipe.like.empty() && recipe.tensor_types.empty();
  if (!as_it_was) metadata.erase("general.file_type");
  if (const auto file_type = gguf_file_type(recipe.type))
    metadata.set("general.file_type", MetaValue::of_u32(*file_type));
  metadata.set("general.quantization_version", MetaValue::of_u32(2));
  metadata.set("quantize.kerf.version", MetaValue::of_string(version));
  metadata.set("quantize.kerf.type", MetaValue::of_string(recipe.type));
  metadata.set("quantize.kerf.method",
               MetaValue::of_string(recipe.method != nullptr         ? std::string(recipe.method->name)
                                    : recipe.importance_file.empty() ? "rtn"
                                                                     : "imatrix"));
  metadata.set("quantize.kerf.source", MetaValue::of_string(source.path().filename().string()));
  return metadata;
}

/// What other programs write of an importance matrix that was used.
void note_importance(const RecipeOptions& recipe, const ImportanceMatrix& importance, Metadata& metadata) {
  metadata.set("quantize.imatrix.file",
               MetaValue::of_string(std::filesystem::path(recipe.importance_file).filename().string()));
  if (!importance.datasets.empty())
    metadata.set("quantize.imatrix.dataset", MetaValue::of_string(importance.datasets.front()));
  metadata.set("quantize.imatrix.entries_count",
               MetaValue::of_u32(static_cast<std::uint32_t>(importance.weights.size())));
  metadata.set("quantize.imatrix.chunks_count",
               MetaValue::of_u32(static_cast<std::uint32_t>(importance.n_chunks)));
}

void sum_up(const ModelSource& source, QuantizePlan& plan) {
  double asked_bits = 0;
  std::uint64_t asked_numbers = 0;
  std::uint64_t largest = 0;
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const SourceTensor& tensor = source.tensors()[i];
    const std::uint64_t n = tensor.n_elements();
    plan.n_parameters += n;
    largest = std::max({largest, plan.tensors[i].n_bytes(),
                        tensor.n_rows() * tensor.format->row_bytes(tensor.row_length())});
    if (tensor.shape.size() < 2) continue;
    asked_bits += plan.assignments[i].asked->bits_per_weight() * static_cast<double>(n);
    asked_numbers += n;
  }
  plan.output_bytes = GgufWriter::file_bytes(plan.metadata, plan.tensors);
  plan.bpw_nominal = asked_numbers > 0 ? asked_bits / static_cast<double>(asked_numbers) : 0;
  plan.bpw_effective = 8.0 * static_cast<double>(plan.output_bytes) /
                       static_cast<double>(std::max<std::uint64_t>(plan.n_parameters, 1));
  plan.peak_memory_bytes = resident_besides_weights(source) + largest;
}

}  // namespace

Result<QuantizePlan> plan_quantization(const ModelSource& source, const RecipeOptions& recipe,
                                       const std::string& kerf_version) {
  QuantizePlan plan;
  plan.recipe = recipe;
  KERF_TRY(plan.assignments, assign_formats(source, recipe));
  plan.metadata = output_metadata(source, recipe, kerf_version);
  if (!recipe.importance_file.empty()) {
    KERF_TRY(ImportanceMatrix importance, read_importance(recipe.importance_file));
    note_importance(recipe, importance, plan.metadata);
    plan.importance = std::make_shared<const ImportanceMatrix>(std::move(importance));
  }
  for (std::size_t i = 0; i < plan.assignments.size(); ++i) {
    const SourceTensor& tensor = source.tensors()[i];
    plan.tensors.push_back({tensor.name, plan.assignments[i].got, tensor.shape});
  }
  sum_up(source, plan);
  return plan;
}

double expected_seconds(const ModelSource& source, const QuantizePlan& plan, const ThreadPool& pool) {
  constexpr std::size_t kNumbers = 1 << 15;
  std::vector<float> x(kNumbers);
  Rng rng(1);
  for (float& value : x) value = static_cast<float>(rng.normal());
  std::map<const Format*, double> seconds_per_number;
  double seconds = 0.05;
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const Format* format = plan.tensors[i].format;
    auto [place, is_new] = seconds_per_number.try_emplace(format, 0);
    if (is_new) place->second = seconds_to_round(*format, {plan.recipe.effort}, x) / kNumbers;
    seconds += place->second * static_cast<double>(source.tensors()[i].n_elements()) / pool.size();
  }
  return seconds;
}

Result<RoundingError> write_tensor(const ModelSource& source, const QuantizePlan& plan, std::size_t index,
                                   GgufWriter& writer, ThreadPool& pool, RowProgress advance) {
  const SourceTensor& tensor = source.tensors()[index];
  const Format& format = *plan.tensors[index].format;
  const auto sink = [&](Bytes bytes) { return writer.write(bytes); };
  if (&format == tensor.format)
    if (const std::optional<Bytes> bytes = source.raw(tensor)) {
      KERF_CHECK_OK(copy_tensor(tensor, *bytes, sink, advance));
      return RoundingError{};
    }
  const Importance* importance = plan.importance ? plan.importance->find(tensor.name) : nullptr;
  std::vector<std::unique_ptr<RowRounder>> rounders;
  if (plan.recipe.method != nullptr) {
    const MethodOptions options{.search = {plan.recipe.effort}};
    KERF_TRY(auto rounder, plan.recipe.method->make_rounder(nullptr, options, pool));
    rounders.push_back(std::move(rounder));
  } else {
    KERF_TRY(rounders, importance_rounders(tensor, importance, {plan.recipe.effort}));
  }
  std::vector<const RowRounder*> list;
  for (const auto& rounder : rounders) list.push_back(rounder.get());
  return round_tensor({source, tensor, format, list}, sink, pool, advance);
}

Result<std::vector<TensorReport>> write_quantized(const ModelSource& source, const QuantizePlan& plan,
                                                  const std::filesystem::path& target, ThreadPool& pool,
                                                  Progress& progress) {
  KERF_TRY(GgufWriter writer, GgufWriter::create(target, plan.metadata, plan.tensors));
  std::vector<TensorReport> reports;
  std::uint64_t done = 0;
  progress.start("quantizing", plan.n_parameters, "weights");
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const SourceTensor& tensor = source.tensors()[i];
    TensorReport report{tensor.name, tensor.shape, plan.assignments[i], plan.tensors[i].n_bytes(), {}};
    const auto advance = [&](std::uint64_t numbers) -> Result<void> {
      progress.advance(done + numbers, tensor.name);
      if (progress.cancelled()) return fail(ErrorKind::cancelled, "", "interrupted; nothing was written");
      return {};
    };
    KERF_TRY(report.error, write_tensor(source, plan, i, writer, pool, advance));
    source.release(tensor);
    done += tensor.n_elements();
    reports.push_back(std::move(report));
  }
  progress.finish();
  KERF_CHECK_OK(writer.commit());
  return reports;
}

}  // namespace kerf
