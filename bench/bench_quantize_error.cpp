// How close do quantized weights come to the originals, and how fast, next to another program's quantizer?
//
//   bench_quantize_error MODEL [--reference libggml-base.so] [--importance lognormal|IMATRIX]
//                        [--effort 0…3] [--rows N] [--repeat N] [--markdown] [FORMAT ...]
//
// For each format, over all matrices: the mean relative squared error ‖W − Q‖² / ‖W‖², the mean of its ratio
// to that of ggml_quantize_chunk, the same for the root, the worst ratio; nanoseconds per number on one
// thread and the ratio of times. With --importance a second line has the same for Σ wⱼ (W − Q)², both
// programs being given w: one weight per column, log-normal from a fixed seed, or mean squares of activations
// read from a file as llama-imatrix writes it. Where the other program insists on weights it gets ones.
//
// Matrices whose rows are not a whole number of blocks are read as one long row, its end cut off. --rows
// limits the rows taken of each matrix, evenly spaced. Both programs run in turns, matrix by matrix, and the
// best of --repeat turns counts.
#include <dlfcn.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/calib/importance.h"
#include "kerf/io/container.h"
#include "kerf/quantizers/quantizer.h"

namespace {

using kerf::Format;
using ReferenceQuantize = std::size_t (*)(int type, const float* src, void* dst, std::int64_t start,
                                          std::int64_t n_rows, std::int64_t n_per_row, const float* imatrix);
using ReferenceInsists = bool (*)(int type);

struct Reference {
  ReferenceQuantize quantize = nullptr;
  ReferenceInsists insists_on_importance = nullptr;
};

struct Matrix {
  std::string name;
  std::size_t n_rows = 0;
  std::size_t row = 0;
  std::vector<float> values;      ///< [n_rows, row]
  std::vector<float> importance;  ///< [row] or empty
};

struct Options {
  std::string model;
  std::string importance;
  Reference reference;
  std::size_t max_rows = SIZE_MAX;
  int n_turns = 3;
  kerf::QuantizeOptions quantize;
  bool markdown = false;
  std::vector<const Format*> formats;
};

/// One program on one matrix.
struct Result {
  double error = 0;  ///< Σ w (W − Q)² / Σ w W²
  double seconds = 1e9;
};

/// Both programs on all matrices.
struct Comparison {
  double n_matrices = 0, n_numbers = 0;
  double error = 0, reference_error = 0;  ///< sums over the matrices
  double ratio = 0, root_ratio = 0;
  double worst = 0;
  std::string worst_name;
  double seconds = 0, reference_seconds = 0;
};

/// Of this thread on its processor: what others do on the machine does not count.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Matrix read_matrix(const kerf::StoredTensor& tensor, std::size_t max_rows) {
  Matrix matrix{.name = tensor.name,
                .n_rows = std::min<std::size_t>(tensor.n_rows(), max_rows),
                .row = tensor.row_length(),
                .values = {},
                .importance = {}};
  matrix.values.resize(matrix.n_rows * matrix.row);
  const std::size_t row_bytes = tensor.format->row_bytes(matrix.row);
  for (std::size_t i = 0; i < matrix.n_rows; ++i)
    tensor.format->decode(tensor.bytes.data() + i * tensor.n_rows() / matrix.n_rows * row_bytes,
                          matrix.values.data() + i * matrix.row, matrix.row);
  return matrix;
}

/// Where the file has nothing all columns count the same.
void take_importance(const kerf::ImportanceMatrix& file, Matrix& matrix) {
  matrix.importance.assign(matrix.row, 1.0F);
  const kerf::Importance* found = file.find(matrix.name);
  if (found == nullptr || found->n_columns != matrix.row) return;
  const auto mean_square = found->of_matrix(0);
  std::copy(mean_square.begin(), mean_square.end(), matrix.importance.begin());
}

void make_importance(std::uint64_t seed, Matrix& matrix) {
  kerf::Rng rng(seed);
  matrix.importance.resize(matrix.row);
  for (float& w : matrix.importance) w = static_cast<float>(std::exp(1.2 * rng.normal()));
}

/// Rows of whole blocks: as they are, or one long row.
Matrix in_blocks_of(const Format& format, const Matrix& matrix) {
  Matrix fitting = matrix;
  if (format.fits(matrix.row)) return fitting;
  fitting.row = matrix.values.size() / format.block_size * format.block_size;
  fitting.n_rows = 1;
  fitting.values.resize(fitting.row);
  if (!matrix.importance.empty()) {
    fitting.importance.resize(fitting.row);
    for (std::size_t i = 0; i < fitting.row; ++i) fitting.importance[i] = matrix.importance[i % matrix.row];
  }
  return fitting;
}

double relative_error(const Format& format, const Matrix& matrix, const std::vector<std::uint8_t>& bytes,
                      const float* importance) {
  std::vector<float> decoded(matrix.values.size());
  kerf::decode_rows(format, bytes.data(), matrix.n_rows, matrix.row, decoded.data());
  double error = 0;
  double size = 0;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const double w = importance == nullptr ? 1.0 : static_cast<double>(importance[i % matrix.row]);
    const auto x = static_cast<double>(matrix.values[i]);
    const double e = static_cast<double>(decoded[i]) - x;
    error += w * e * e;
    size += w * x * x;
  }
  return error / size;
}

template <class F>
void take_time(Result& result, const F& quantize) {
  const double start = cpu_seconds();
  quantize();
  result.seconds = std::min(result.seconds, cpu_seconds() - start);
}

void quantize_with_kerf(const Format& format, const Matrix& matrix, const float* importance,
                        const kerf::QuantizeOptions& options, std::uint8_t* dst) {
  kerf::quantize_rows(format, matrix.values.data(), importance, dst, matrix.n_rows, matrix.row, options);
}

void add(Comparison& sum, const Matrix& matrix, const Result& ours, const Result& theirs) {
  sum.n_matrices += 1;
  sum.n_numbers += static_cast<double>(matrix.values.size());
  sum.error += ours.error;
  sum.reference_error += theirs.error;
  sum.seconds += ours.seconds;
  sum.reference_seconds += theirs.seconds;
  // Both may find the numbers again exactly; the floor makes that a ratio of one.
  constexpr double kFloor = 1e-14;
  const double ratio = (ours.error + kFloor) / (theirs.error + kFloor);
  sum.ratio += ratio;
  sum.root_ratio += std::sqrt(ratio);
  if (ratio <= sum.worst) return;
  sum.worst = ratio;
  sum.worst_name = matrix.name;
}

Comparison compare(const Format& format, const std::vector<Matrix>& matrices, bool weighted,
                   const Options& options) {
  Comparison sum;
  const auto type = static_cast<int>(format.gguf_type);
  for (const Matrix& any : matrices) {
    const Matrix matrix = in_blocks_of(format, any);
    if (matrix.row == 0) continue;
    const float* importance = weighted ? matrix.importance.data() : nullptr;
    const std::vector<float> ones(matrix.row, 1.0F);
    const bool insists =
        options.reference.quantize != nullptr && options.reference.insists_on_importance(type);
    const float* their_importance = importance == nullptr && insists ? ones.data() : importance;
    std::vector<std::uint8_t> our_bytes(matrix.n_rows * format.row_bytes(matrix.row));
    std::vector<std::uint8_t> their_bytes = our_bytes;
    Result ours;
    Result theirs;
    for (int turn = 0; turn < options.n_turns; ++turn) {
      take_time(ours,
                [&] { quantize_with_kerf(format, matrix, importance, options.quantize, our_bytes.data()); });
      if (options.reference.quantize == nullptr) continue;
      take_time(theirs, [&] {
        options.reference.quantize(type, matrix.values.data(), their_bytes.data(), 0,
                                   static_cast<std::int64_t>(matrix.n_rows),
                                   static_cast<std::int64_t>(matrix.row), their_importance);
      });
    }
    ours.error = relative_error(format, matrix, our_bytes, importance);
    if (options.reference.quantize != nullptr)
      theirs.error = relative_error(format, matrix, their_bytes, importance);
    add(sum, matrix, ours, theirs);
  }
  return sum;
}

void print_text(const Format& format, const Comparison& sum, bool weighted, bool with_reference) {
  std::printf("%-8s%-9s %.4e %8.2f ns", std::string(format.name).c_str(), weighted ? "weighted" : "",
              sum.error / sum.n_matrices, 1e9 * sum.seconds / sum.n_numbers);
  if (with_reference)
    std::printf("   error %.4f  root %.4f  worst %.4f (%s)   time %.3f", sum.ratio / sum.n_matrices,
                sum.root_ratio / sum.n_matrices, sum.worst, sum.worst_name.c_str(),
                sum.seconds / sum.reference_seconds);
  std::printf("\n");
  std::fflush(stdout);
}

void print_cells(const Comparison& sum) {
  std::printf(" %.3e | %.3e | %.3f | %.3f | %.1f | %.1f | %.2f |", sum.error / sum.n_matrices,
              sum.reference_error / sum.n_matrices, sum.ratio / sum.n_matrices,
              sum.root_ratio / sum.n_matrices, 1e9 * sum.seconds / sum.n_numbers,
              1e9 * sum.reference_seconds / sum.n_numbers, sum.seconds / sum.reference_seconds);
}

void print_heading(bool weighted) {
  std::printf("| type | bits |");
  for (int i = 0; i < (weighted ? 2 : 1); ++i)
    std::printf(" %s, kerf | llama.cpp | ratio | of roots | ns, kerf | llama.cpp | ratio |",
                i == 0 ? "error" : "weighted error");
  std::printf("\n|---|--:|");
  for (int i = 0; i < (weighted ? 14 : 7); ++i) std::printf("--:|");
  std::printf("\n");
}

void run(const Options& options, const std::vector<Matrix>& matrices) {
  const bool weighted = !options.importance.empty();
  if (options.markdown) print_heading(weighted);
  for (const Format* format : options.formats) {
    if (options.markdown)
      std::printf("| %s | %.4g |", std::string(format->name).c_str(), format->bits_per_weight());
    for (const bool with_importance : {false, true}) {
      if (with_importance && !weighted) continue;
      const Comparison sum = compare(*format, matrices, with_importance, options);
      if (options.markdown)
        print_cells(sum);
      else
        print_text(*format, sum, with_importance, options.reference.quantize != nullptr);
    }
    if (options.markdown) std::printf("\n");
    std::fflush(stdout);
  }
}

Reference load_reference(const char* path) {
  void* library = dlopen(path, RTLD_NOW);
  void* quantize = library == nullptr ? nullptr : dlsym(library, "ggml_quantize_chunk");
  void* insists = library == nullptr ? nullptr : dlsym(library, "ggml_quantize_requires_imatrix");
  if (quantize == nullptr || insists == nullptr) {
    std::fprintf(stderr, "%s: no ggml_quantize_chunk: %s\n", path, dlerror());
    std::exit(1);
  }
  return {.quantize = reinterpret_cast<ReferenceQuantize>(quantize),
          .insists_on_importance = reinterpret_cast<ReferenceInsists>(insists)};
}

bool can_be_compared(const Format& format, bool with_reference) {
  return format.writable() && !format.plain() && (!with_reference || format.in_gguf());
}

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool has_value = i + 1 < argc;
    if (argument == "--markdown")
      options.markdown = true;
    else if (argument == "--reference" && has_value)
      options.reference = load_reference(argv[++i]);
    else if (argument == "--importance" && has_value)
      options.importance = argv[++i];
    else if (argument == "--effort" && has_value)
      options.quantize.effort = std::atoi(argv[++i]);
    else if (argument == "--rows" && has_value)
      options.max_rows = std::strtoull(argv[++i], nullptr, 10);
    else if (argument == "--repeat" && has_value)
      options.n_turns = std::max(1, std::atoi(argv[++i]));
    else if (options.model.empty())
      options.model = argument;
    else if (const Format* format = kerf::find_format(argument);
             format != nullptr && can_be_compared(*format, false))
      options.formats.push_back(format);
    else {
      std::fprintf(stderr, "%s: not a block format that can be written\n", argv[i]);
      return std::nullopt;
    }
  }
  if (options.model.empty()) {
    std::fprintf(stderr, "usage: %s MODEL [--reference LIBRARY] [--importance lognormal|FILE] [FORMAT ...]\n",
                 argv[0]);
    return std::nullopt;
  }
  if (options.formats.empty())
    for (const Format* format : kerf::all_formats())
      if (can_be_compared(*format, options.reference.quantize != nullptr)) options.formats.push_back(format);
  return options;
}

template <class T>
T value_or_exit(kerf::Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().message().c_str());
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) return 1;
  const kerf::Container model = value_or_exit(kerf::open_container(options->model));
  std::vector<Matrix> matrices;
  for (const kerf::StoredTensor& tensor : model.tensors)
    if (tensor.shape.size() == 2) matrices.push_back(read_matrix(tensor, options->max_rows));
  if (options->importance == "lognormal") {
    for (std::size_t i = 0; i < matrices.size(); ++i) make_importance(i, matrices[i]);
  } else if (!options->importance.empty()) {
    const kerf::ImportanceMatrix file = value_or_exit(kerf::read_importance(options->importance));
    for (Matrix& matrix : matrices) take_importance(file, matrix);
  }
  run(*options, matrices);
  return 0;
}
