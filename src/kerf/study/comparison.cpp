#include "kerf/study/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/base/file.h"
#include "kerf/base/sha256.h"
#include "kerf/study/tensor_summary.h"

namespace kerf::study {
namespace {

constexpr std::uint64_t kChunkNumbers = 1 << 18;

std::string text_of(const MetaValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.value)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&value.value)) return fmt::format("{}", *number);
  if (const auto* number = std::get_if<double>(&value.value)) return fmt::format("{}", *number);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value.value))
    return fmt::format("{}", fmt::join(*texts, " "));
  return "…";
}

std::string note(const FileSummary& file, std::string_view key) {
  for (const auto& [name, value] : file.notes)
    if (name == key) return value;
  return "";
}

/// What the notes of kerf's own files amount to; nothing is guessed for others.
std::string command_of(const FileSummary& file) {
  const std::string type = note(file, "quantize.kerf.type");
  if (type.empty()) return "";
  std::string out = fmt::format("kerf quantize {} {} --type {}", note(file, "quantize.kerf.source"),
                                file.path.filename().string(), type);
  if (const std::string method = note(file, "quantize.kerf.method"); method == "imatrix")
    out += " --imatrix " + note(file, "quantize.imatrix.file");
  else if (method != "rtn")
    out += " --method " + method;
  if (const std::string texts = note(file, "quantize.kerf.calibration.texts"); !texts.empty())
    out += fmt::format(" --calib {} --calib-ctx {}", texts, note(file, "quantize.kerf.calibration.ctx"));
  if (const std::string seed = note(file, "quantize.kerf.rotation.seed"); !seed.empty())
    out += " --rotate " + seed;
  return out;
}

std::string text_in(const Metadata& metadata, std::string_view key) {
  const MetaValue* value = metadata.find(key);
  return value == nullptr ? "" : text_of(*value);
}

/// The tensor in memory as float32, so that folders, which are rearranged while read, look like files.
struct Decoded {
  std::vector<float> numbers;
  StoredTensor view;
};

Result<Decoded> decode(const ModelSource& source, const SourceTensor& tensor) {
  Decoded out;
  out.view = {tensor.name, tensor.format, tensor.shape, {}, nullptr};
  if (const auto raw = source.raw(tensor)) {
    out.view.bytes = *raw;
    return out;
  }
  out.numbers.resize(tensor.n_elements());
  KERF_CHECK_OK(source.read_rows(tensor, 0, tensor.n_rows(), out.numbers.data()));
  out.view.format = &formats::f32;
  out.view.bytes = {reinterpret_cast<const std::uint8_t*>(out.numbers.data()),
                    out.numbers.size() * sizeof(float)};
  return out;
}

Result<Spread> spread_of(const ModelSource& source, const SourceTensor& tensor, ThreadPool& pool) {
  KERF_TRY(const Decoded decoded, decode(source, tensor));
  KERF_TRY(const TensorSummary summary, summarize(decoded.view, 1, pool));
  Spread out{summary.kurtosis, summary.max_over_rms, 0};
  if (!summary.columns.empty()) out.column = summary.columns.front().column;
  return out;
}

/// ‖W − Ŵ‖² / ‖W‖², summed chunk by chunk in one order.
Result<double> relative_error(const ModelSource& base, const SourceTensor& w, const ModelSource& model,
                              const SourceTensor& w_hat, ThreadPool& pool) {
  const std::uint64_t chunk_rows = std::max<std::uint64_t>(1, kChunkNumbers / w.row_length());
  const std::uint64_t n_chunks = (w.n_rows() + chunk_rows - 1) / chunk_rows;
  std::vector<Loss> losses(n_chunks);
  std::vector<Result<void>> outcomes(n_chunks);
  pool.parallel_for(n_chunks, 1, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t chunk = begin; chunk < end; ++chunk) {
      const std::uint64_t first = chunk * chunk_rows, n = std::min(chunk_rows, w.n_rows() - first);
      std::vector<float> x(n * w.row_length()), y(x.size());
      outcomes[chunk] = base.read_rows(w, first, n, x.data());
      if (outcomes[chunk]) outcomes[chunk] = model.read_rows(w_hat, first, n, y.data());
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double difference = static_cast<double>(x[i]) - y[i];
        losses[chunk].error += difference * difference;
        losses[chunk].power += static_cast<double>(x[i]) * x[i];
      }
    }
  });
  Loss total;
  for (std::uint64_t chunk = 0; chunk < n_chunks; ++chunk) {
    KERF_CHECK_OK(outcomes[chunk]);
    total.error += losses[chunk].error;
    total.power += losses[chunk].power;
  }
  return total.relative_error();
}

/// `base` rows over the levels that the blocks of the file have, each on its own scale.
LevelUse scaled_levels(const Format& format, const std::uint8_t* stored, const std::vector<float>& x) {
  const Grid& grid = *format.grid;
  LevelUse out;
  out.scaled = true;
  for (const float level : grid.levels) out.levels.push_back({level, 0});
  float scale[Grid::kMaxGroups], offset[Grid::kMaxGroups];
  std::uint8_t codes[Grid::kMaxBlock];
  const std::size_t group = format.block_size / grid.n_groups;
  for (std::size_t block = 0; block < x.size() / format.block_size; ++block) {
    grid.load(stored + block * format.block_bytes, scale, offset, codes);
    for (std::size_t i = 0; i < format.block_size; ++i) {
      const float s = scale[i / group];
      if (s == 0) continue;  // nothing is on a grid
      out.values.push_back((x[block * format.block_size + i] - offset[i / group]) / s);
      ++out.levels[codes[i]].n;
    }
  }
  return out;
}

LevelUse values_of_a_row(const std::vector<float>& x, std::vector<float> decoded) {
  LevelUse out;
  out.values = x;
  std::sort(decoded.begin(), decoded.end());
  for (const float value : decoded)
    if (out.levels.empty() || out.levels.back().value != value)
      out.levels.push_back({value, 1});
    else
      ++out.levels.back().n;
  return out;
}

Result<LevelUse> levels_of(const ModelSource& base, const ModelSource& model, const std::string& name) {
  const SourceTensor &w = *base.find(name), &stored = *model.find(name);
  const auto raw = model.raw(stored);
  const bool scaled = raw && stored.format->grid != nullptr && stored.format->header_bytes == 0 &&
                      stored.row_length() % stored.format->block_size == 0;
  const std::uint64_t n_rows = scaled ? std::min<std::uint64_t>(w.n_rows(), 64) : 1;
  std::vector<float> x(n_rows * w.row_length());
  KERF_CHECK_OK(base.read_rows(w, 0, n_rows, x.data()));
  LevelUse out;
  if (scaled) {
    out = scaled_levels(*stored.format, raw->data(), x);
  } else {
    std::vector<float> decoded(x.size());
    KERF_CHECK_OK(model.read_rows(stored, 0, 1, decoded.data()));
    out = values_of_a_row(x, std::move(decoded));
  }
  out.tensor = name;
  out.candidate = stored.format->name;
  return out;
}

}  // namespace

Result<FileSummary> summarize_file(const ModelSource& source) {
  FileSummary out;
  out.path = source.path();
  const Metadata& metadata = source.metadata();
  out.model_name = text_in(metadata, "general.name");
  out.architecture = text_in(metadata, "general.architecture");
  out.license = text_in(metadata, "general.license");
  for (const SourceTensor& tensor : source.tensors()) {
    TypeShare& share = out.types[std::string(tensor.format->name)];
    ++share.n_tensors;
    share.n_weights += tensor.n_elements();
    share.n_bytes += tensor.n_rows() * tensor.format->row_bytes(tensor.row_length());
    out.n_weights += tensor.n_elements();
  }
  for (const auto& [key, value] : metadata.entries())
    if (key.starts_with("quantize.")) out.notes.emplace_back(key, text_of(value));
  out.command = command_of(out);
  KERF_TRY(const Container container, open_container(source.path()));
  out.file_bytes = container.file_bytes;
  std::error_code ec;
  if (!std::filesystem::is_regular_file(source.path(), ec)) return out;
  KERF_TRY(const auto file, MappedFile::open(source.path()));
  // Of a split model this is one file of several, whose sum says nothing of the rest.
  if (file->bytes().size() == out.file_bytes) out.sha256 = sha256(file->bytes());
  return out;
}

Result<std::vector<MatrixComparison>> compare_matrices(const ModelSource& base, const ModelSource& model,
                                                       ThreadPool& pool, Progress& progress) {
  std::vector<MatrixComparison> out;
  progress.start("comparing weights", model.tensors().size(), "tensors");
  for (std::size_t i = 0; i < model.tensors().size(); ++i) {
    const SourceTensor& tensor = model.tensors()[i];
    if (progress.cancelled()) return fail(ErrorKind::cancelled, "", "interrupted");
    if (tensor.shape.size() < 2) continue;
    const SourceTensor* original = base.find(tensor.name);
    if (original == nullptr || original->shape != tensor.shape)
      return fail(ErrorKind::input, model.path().string(),
                  fmt::format("tensor {} is {} in the base {}: is it the model that this file was made from?",
                              tensor.name, original == nullptr ? "missing" : "of another shape",
                              base.path().string()));
    MatrixComparison matrix{tensor.name, std::string(tensor.format->name), 0, {}, {}};
    KERF_TRY(matrix.before, spread_of(base, *original, pool));
    KERF_TRY(matrix.after, spread_of(model, tensor, pool));
    KERF_TRY(matrix.relative_error, relative_error(base, *original, model, tensor, pool));
    base.release(*original);
    model.release(tensor);
    out.push_back(std::move(matrix));
    progress.advance(i + 1, tensor.name);
  }
  progress.finish();
  return out;
}

Result<std::vector<LevelUse>> compare_levels(const ModelSource& base, const ModelSource& model,
                                             const std::vector<MatrixComparison>& matrices) {
  int n_layers = 0;
  for (const MatrixComparison& matrix : matrices)
    n_layers = std::max(n_layers, place_of(matrix.name).layer + 1);
  const MatrixComparison *least = nullptr, *most = nullptr;
  for (const MatrixComparison& matrix : matrices) {
    if (place_of(matrix.name).layer != n_layers / 2 || matrix.relative_error == 0) continue;
    if (least == nullptr || matrix.relative_error < least->relative_error) least = &matrix;
    if (most == nullptr || matrix.relative_error > most->relative_error) most = &matrix;
  }
  std::vector<LevelUse> out;
  for (const MatrixComparison* matrix : {most, least}) {
    if (matrix == nullptr || (matrix == least && least == most)) continue;
    KERF_TRY(LevelUse use, levels_of(base, model, matrix->name));
    out.push_back(std::move(use));
  }
  return out;
}

std::vector<std::size_t> frontier(const std::vector<ComparedFile>& files) {
  const auto kld = [&](std::size_t i) { return files[i].eval.comparison->kld_mean; };
  std::vector<std::size_t> order, out;
  for (std::size_t i = 0; i < files.size(); ++i) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(files[a].file.file_bytes, kld(a)) < std::pair(files[b].file.file_bytes, kld(b));
  });
  for (const std::size_t i : order)
    if (out.empty() || kld(i) < kld(out.back())) out.push_back(i);
  return out;
}

MatrixPlace place_of(std::string_view tensor) {
  MatrixPlace out;
  if (tensor.starts_with("blk.")) {
    const std::string_view rest = tensor.substr(4);
    const std::size_t dot = rest.find('.');
    if (dot > 0 && dot < 6 && rest.find_first_not_of("0123456789") == dot) {
      out.layer = std::stoi(std::string(rest.substr(0, dot)));
      tensor = rest.substr(dot + 1);
    }
  }
  if (tensor.ends_with(".weight")) tensor.remove_suffix(7);
  out.kind = tensor;
  return out;
}

}  // namespace kerf::study
