// How close do quantized weights come to the originals, and how fast, next to another program's quantizer?
//
//   bench_quantize_error MODEL [--reference libggml-base.so] [--rows N] [FORMAT ...]
//
// For each format: the relative squared error ‖W − Q‖² / ‖W‖² over all matrices, its ratio to that of
// ggml_quantize_chunk (without importance): mean over matrices and the worst of them; nanoseconds per number
// on one thread, and the ratio of times. Matrices whose rows are not a whole number of blocks are read as one
// long row, its end cut off. --rows limits the rows taken of each matrix, evenly spaced.
#include <dlfcn.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/io/container.h"
#include "kerf/quantizers/quantizer.h"

namespace {

using kerf::Format;
using ReferenceQuantize = std::size_t (*)(int type, const float* src, void* dst, std::int64_t start,
                                          std::int64_t n_rows, std::int64_t n_per_row, const float* imatrix);

struct Matrix {
  std::string name;
  std::size_t n_rows = 0;
  std::size_t row = 0;
  std::vector<float> values;
};

struct Result {
  double error = 0;  ///< ‖W − Q‖²
  double seconds = 0;
};

/// Of this thread on its processor: what others do on the machine does not count.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Matrix read_matrix(const kerf::StoredTensor& tensor, std::size_t max_rows) {
  Matrix matrix{.name = tensor.name, .n_rows = tensor.n_rows(), .row = tensor.row_length(), .values = {}};
  const std::size_t n_taken = std::min(matrix.n_rows, max_rows);
  matrix.values.resize(n_taken * matrix.row);
  const std::size_t row_bytes = tensor.format->row_bytes(matrix.row);
  for (std::size_t i = 0; i < n_taken; ++i)
    tensor.format->decode(tensor.bytes.data() + i * matrix.n_rows / n_taken * row_bytes,
                          matrix.values.data() + i * matrix.row, matrix.row);
  matrix.n_rows = n_taken;
  return matrix;
}

/// Rows of whole blocks: as they are, or one long row.
Matrix in_blocks_of(const Format& format, const Matrix& matrix) {
  Matrix fitting = matrix;
  if (matrix.row % format.block_size == 0) return fitting;
  fitting.row = matrix.values.size() / format.block_size * format.block_size;
  fitting.n_rows = 1;
  fitting.values.resize(fitting.row);
  return fitting;
}

template <class F>
Result measure(const Format& format, const Matrix& matrix, const F& quantize) {
  std::vector<std::uint8_t> bytes(matrix.n_rows * format.row_bytes(matrix.row));
  Result result{.error = 0, .seconds = 1e9};
  for (int repetition = 0; repetition < 3; ++repetition) {
    const double start = cpu_seconds();
    quantize(bytes.data());
    result.seconds = std::min(result.seconds, cpu_seconds() - start);
  }
  std::vector<float> decoded(matrix.values.size());
  format.decode(bytes.data(), decoded.data(), decoded.size());
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const double e = static_cast<double>(decoded[i]) - static_cast<double>(matrix.values[i]);
    result.error += e * e;
  }
  return result;
}

void compare(const Format& format, const std::vector<Matrix>& matrices, ReferenceQuantize reference) {
  double ours = 0;
  double size = 0;
  double seconds = 0;
  double reference_seconds = 0;
  double count = 0;
  double sum_of_ratios = 0;
  double worst = 0;
  std::string_view worst_name;
  for (const Matrix& any : matrices) {
    const Matrix matrix = in_blocks_of(format, any);
    if (matrix.row == 0) continue;
    const Result mine = measure(format, matrix, [&](std::uint8_t* dst) {
      for (std::size_t r = 0; r < matrix.n_rows; ++r)
        kerf::quantize_row(format, matrix.values.data() + r * matrix.row, nullptr,
                           dst + r * format.row_bytes(matrix.row), matrix.row);
    });
    double square = 0;
    for (const float v : matrix.values) square += static_cast<double>(v) * static_cast<double>(v);
    ours += mine.error;
    size += square;
    seconds += mine.seconds;
    count += static_cast<double>(matrix.values.size());
    if (reference == nullptr) continue;
    const Result theirs = measure(format, matrix, [&](std::uint8_t* dst) {
      reference(static_cast<int>(format.gguf_type), matrix.values.data(), dst, 0,
                static_cast<std::int64_t>(matrix.n_rows), static_cast<std::int64_t>(matrix.row), nullptr);
    });
    reference_seconds += theirs.seconds;
    // Both may find the numbers again exactly; the floor makes that a ratio of one.
    const double floor = 1e-14 * square;
    const double ratio = (mine.error + floor) / (theirs.error + floor);
    sum_of_ratios += ratio;
    if (ratio > worst) {
      worst = ratio;
      worst_name = any.name;
    }
  }
  std::printf("%-7s %.3e %7.2f ns", std::string(format.name).c_str(), ours / size, 1e9 * seconds / count);
  if (reference != nullptr)
    std::printf("   error ratio mean %.4f worst %.4f (%s)   time ratio %.2f",
                sum_of_ratios / static_cast<double>(matrices.size()), worst, std::string(worst_name).c_str(),
                seconds / reference_seconds);
  std::printf("\n");
  std::fflush(stdout);
}

ReferenceQuantize load_reference(const char* path) {
  void* library = dlopen(path, RTLD_NOW);
  void* symbol = library == nullptr ? nullptr : dlsym(library, "ggml_quantize_chunk");
  if (symbol == nullptr) {
    std::fprintf(stderr, "%s: no ggml_quantize_chunk: %s\n", path, dlerror());
    std::exit(1);
  }
  return reinterpret_cast<ReferenceQuantize>(symbol);
}

}  // namespace

int main(int argc, char** argv) {
  const char* model = nullptr;
  ReferenceQuantize reference = nullptr;
  std::size_t max_rows = SIZE_MAX;
  std::vector<const Format*> formats;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--reference" && i + 1 < argc)
      reference = load_reference(argv[++i]);
    else if (argument == "--rows" && i + 1 < argc)
      max_rows = std::strtoull(argv[++i], nullptr, 10);
    else if (model == nullptr)
      model = argv[i];
    else if (const Format* format = kerf::find_format(argument); format != nullptr && format->grid != nullptr)
      formats.push_back(format);
    else
      return std::fprintf(stderr, "%s: not a format that can be searched\n", argv[i]), 1;
  }
  if (model == nullptr)
    return std::fprintf(stderr, "usage: %s MODEL [--reference LIBRARY] [--rows N] [FORMAT ...]\n", argv[0]),
           1;
  const auto container = kerf::open_container(model);
  if (!container) return std::fprintf(stderr, "%s\n", container.error().message().c_str()), 1;

  std::vector<Matrix> matrices;
  for (const kerf::StoredTensor& tensor : container->tensors)
    if (tensor.shape.size() == 2) matrices.push_back(read_matrix(tensor, max_rows));
  if (formats.empty())
    for (const Format* format : kerf::all_formats())
      if (format->grid != nullptr) formats.push_back(format);
  for (const Format* format : formats) compare(*format, matrices, reference);
  return 0;
}
