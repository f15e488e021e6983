// How fast are products with a weight in its file's bytes? Every format × every table of this CPU × one
// token (bound by reading the weight: see GB/s) and a batch (bound by arithmetic: see GFLOP/s), on the shapes
// of a model with 135 million parameters.
//
//   bench_matmul --benchmark_filter='Q4_1/.*/avx512' --benchmark_repetitions=5
//
// The result is compared with the definition's before anything is timed. KERF_THREADS sets the threads (2).
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/kernels/dispatch.h"
#include "kerf/kernels/matmul.h"

namespace kerf {
namespace {

struct Shape {
  const char* role;
  std::size_t n_rows, n_cols, n_tokens;
};
constexpr Shape kShapes[] = {
    {"attention", 576, 576, 1},       {"down", 576, 1536, 1},      {"head", 49152, 576, 1},
    {"batch_4", 1536, 576, 4},        {"batch_16", 1536, 576, 16}, {"prefill", 1536, 576, 512},
    {"down_prefill", 576, 1536, 512},
};

unsigned threads() {
  const char* text = std::getenv("KERF_THREADS");
  return text != nullptr ? static_cast<unsigned>(std::atoi(text)) : 2;
}

struct Operands {
  Operands(const Format& format, const Shape& shape)
      : bytes(format.row_bytes(shape.n_cols) * shape.n_rows),
        x(shape.n_cols * shape.n_tokens),
        y(shape.n_rows * shape.n_tokens),
        weight{.format = &format, .bytes = bytes.data(), .n_rows = shape.n_rows, .n_cols = shape.n_cols} {
    Rng rng(1);
    for (float& v : x) v = static_cast<float>(rng.normal());
    // Any bytes are legal; small ones keep scales finite.
    for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(rng.below(64));
  }
  std::vector<std::uint8_t> bytes;
  std::vector<float> x, y;
  WeightView weight;
};

// Against decoding and adding in double precision, on the first and last rows.
bool agrees(const Operands& o, const Shape& shape) {
  std::vector<float> row(shape.n_cols);
  for (const std::size_t r : {std::size_t{0}, shape.n_rows - 1}) {
    o.weight.format->decode(o.bytes.data() + r * o.weight.format->row_bytes(shape.n_cols), row.data(),
                            row.size());
    double sum = 0;
    double magnitudes = 0;
    for (std::size_t k = 0; k < row.size(); ++k) {
      sum += static_cast<double>(row[k]) * o.x[k];
      magnitudes += std::fabs(static_cast<double>(row[k]) * o.x[k]);
    }
    if (!(std::fabs(o.y[r] - sum) <= magnitudes * 1e-5)) return false;
  }
  return true;
}

void run(benchmark::State& state, const kernels::KernelTable& table, const Format& format,
         const Shape& shape) {
  ThreadPool pool(threads());
  Operands o(format, shape);
  const auto product = [&] {
    matmul(table, o.weight, o.x.data(), shape.n_tokens, o.y.data(), shape.n_rows, pool);
  };
  product();
  if (!agrees(o, shape)) return state.SkipWithError("wrong result");
  for (auto _ : state) product();
  const double products = static_cast<double>(shape.n_rows * shape.n_cols * shape.n_tokens);
  const auto per_second = [&](double n) {
    return benchmark::Counter(n * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  };
  state.counters["GFLOP/s"] = per_second(2 * products);
  state.counters["GB/s"] = per_second(static_cast<double>(o.bytes.size()));
}

void register_all() {
  for (const Format* format : all_formats())
    for (const Shape& shape : kShapes) {
      if (shape.n_cols % format->block_size != 0) continue;
      for (const kernels::KernelTable* table : kernels::runnable_tables()) {
        const std::string name = std::string(format->name) + "/" + shape.role + "/" + table->isa;
        benchmark::RegisterBenchmark(name.c_str(), run, *table, *format, shape)
            ->UseRealTime()
            ->Unit(benchmark::kMicrosecond)
            ->MinTime(0.2);
      }
    }
}

}  // namespace
}  // namespace kerf

int main(int argc, char** argv) {
  if (const char* error = kerf::kernels::isa_error()) {
    std::fprintf(stderr, "%s\n", error);
    return 2;
  }
  kerf::register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
