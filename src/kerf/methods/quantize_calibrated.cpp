#include "kerf/methods/quantize_calibrated.h"

#include <fmt/format.h>

#include <algorithm>

#include "kerf/methods/calibrated_run.h"
#include "kerf/methods/run_identity.h"

namespace kerf {
namespace {

/// Puts the output together of the finished tensors and those that the walk does not concern.
Result<std::vector<TensorReport>> assemble(const ModelSource& source, const QuantizePlan& plan,
                                           PartFile& part, const std::filesystem::path& target,
                                           ThreadPool& pool, Progress& progress) {
  KERF_TRY(GgufWriter writer, GgufWriter::create(target, plan.metadata, plan.tensors));
  std::vector<TensorReport> reports;
  const auto advance = [&](std::uint64_t) -> Result<void> {
    if (progress.cancelled())
      return fail(ErrorKind::cancelled, "", "interrupted; --resume with the same command goes on from here");
    return {};
  };
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const SourceTensor& tensor = source.tensors()[i];
    TensorReport report{tensor.name, tensor.shape, plan.assignments[i], plan.tensors[i].n_bytes(), {}};
    if (const PartFile::Record* record = part.find(tensor.name)) {
      // Of a weight that learned: how it was rounded before.
      report.error = record->error;
      const std::string learned = learned_bytes_of(tensor.name);
      KERF_TRY(const Bytes bytes, part.view(part.find(learned) != nullptr ? learned : tensor.name));
      KERF_CHECK_OK(copy_tensor(
          tensor, bytes, [&](Bytes b) { return writer.write(b); }, advance));
      part.release(tensor.name);
    } else {
      KERF_TRY(report.error, write_tensor(source, plan, i, writer, pool, advance));
      source.release(tensor);
    }
    reports.push_back(std::move(report));
  }
  KERF_CHECK_OK(writer.commit());
  return reports;
}

void note_calibration(const CalibratedOptions& options, const TokenWindows& windows, Metadata& metadata) {
  std::vector<std::string> names;
  for (const CalibrationText& text : options.texts) names.push_back(text.name);
  metadata.set("quantize.kerf.method", MetaValue::of_string(std::string(options.method->name)));
  metadata.set("quantize.kerf.calibration.texts", MetaValue::of_strings(std::move(names)));
  metadata.set("quantize.kerf.calibration.tokens", MetaValue::of_u64(windows.tokens().size()));
  metadata.set("quantize.kerf.calibration.ctx", MetaValue::of_u64(windows.ctx()));
  metadata.set("quantize.kerf.calibration.seed", MetaValue::of_u64(options.seed));
}

/// Whether an interrupted run's work is worth keeping: what failed for a reason in the input fails again.
bool can_go_on(const Error& error) {
  return error.kind == ErrorKind::cancelled || error.kind == ErrorKind::resource ||
         error.kind == ErrorKind::io;
}

}  // namespace

Result<CalibratedPlan> plan_calibrated(const ModelSource& source, const CalibratedOptions& options,
                                       const ThreadPool& pool, QuantizePlan& plan) {
  KERF_TRY(ModelConfig config, config_from_metadata(source.metadata()));
  if (config.has_experts())
    return fail(ErrorKind::unsupported, source.path().string(),
                fmt::format("--method {} on a mixture of experts; measure each expert's own inputs with kerf "
                            "calibrate and give them to quantize as --imatrix",
                            options.method->name));
  KERF_CHECK_OK(load_ends(source, config));
  if (options.ctx < 4 || options.ctx > config.context_length)
    return fail(ErrorKind::usage, "--calib-ctx",
                fmt::format("{} is not between 4 and the model's context of {} tokens", options.ctx,
                            config.context_length));
  KERF_TRY(const auto tokenizer, source.require_tokenizer());
  KERF_TRY(const TokenWindows all, cut_windows(*tokenizer, options.texts, options.ctx, config.n_vocabulary));
  CalibratedPlan calibrated;
  const std::size_t n_windows = std::max<std::size_t>(1, (options.n_tokens + options.ctx - 1) / options.ctx);
  calibrated.windows = sample_windows(all, n_windows, options.seed);
  KERF_TRY(calibrated.memory, plan_memory(source, config, *options.method, calibrated.windows.size(),
                                          options.ctx, pool, options.memory_limit_bytes));
  note_calibration(options, calibrated.windows, plan.metadata);
  plan.output_bytes = GgufWriter::file_bytes(plan.metadata, plan.tensors);
  plan.peak_memory_bytes = calibrated.memory.peak_bytes;
  return calibrated;
}

Result<std::vector<TensorReport>> write_calibrated(const ModelSource& source, const QuantizePlan& plan,
                                                   const CalibratedPlan& calibrated,
                                                   const CalibratedOptions& options,
                                                   const std::filesystem::path& target, ThreadPool& pool,
                                                   Progress& progress) {
  KERF_TRY(const RunIdentity identity, run_identity(source, plan, options, pool));
  KERF_TRY(PartFile part, PartFile::open(target, identity, options.resume));
  const std::filesystem::path folder =
      target.parent_path().empty() ? std::filesystem::path(".") : target.parent_path();
  CalibratedRun run(source, plan, calibrated, options, part, pool, progress);
  if (const Result<void> status = run.run(folder); !status) {
    if (!can_go_on(status.error()) || part.n_records() == 0) part.remove();
    return tl::unexpected<Error>(status.error());
  }
  KERF_TRY(auto reports, assemble(source, plan, part, target, pool, progress));
  part.remove();
  return reports;
}

}  // namespace kerf
