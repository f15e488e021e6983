// How fast do blocks become binary32? Every format, a row of 4096 numbers that stays in cache. Kernels decode
// weights on the way into a product with many tokens, so this bounds reading a prompt.
//
//   bench_decode --benchmark_filter='Q4_K|Q6_K' --benchmark_repetitions=5
//
// A row decoded at once is compared with the same row decoded block by block before anything is timed.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/formats/format.h"

namespace kerf {
namespace {

constexpr std::size_t kNumbers = 4096;

std::vector<std::uint8_t> random_row(const Format& format) {
  std::vector<std::uint8_t> row(format.row_bytes(kNumbers));
  Rng rng(1);
  // Any bytes are legal; small ones keep scales finite, as in files.
  for (std::uint8_t& byte : row) byte = static_cast<std::uint8_t>(rng.below(60));
  return row;
}

bool same_block_by_block(const Format& format, const std::vector<std::uint8_t>& row,
                         const std::vector<float>& values) {
  std::vector<float> block(format.block_size);
  for (std::size_t b = 0; b < kNumbers / format.block_size; ++b) {
    format.decode(row.data() + b * format.block_bytes, block.data(), format.block_size);
    if (std::memcmp(block.data(), values.data() + b * format.block_size, 4 * block.size()) != 0) return false;
  }
  return true;
}

void decode(benchmark::State& state, const Format& format) {
  const std::vector<std::uint8_t> row = random_row(format);
  std::vector<float> values(kNumbers);
  format.decode(row.data(), values.data(), kNumbers);
  if (!same_block_by_block(format, row, values)) {
    state.SkipWithError("a row is not the sum of its blocks");
    return;
  }
  for (auto _ : state) {
    format.decode(row.data(), values.data(), kNumbers);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kNumbers));
}

}  // namespace
}  // namespace kerf

int main(int argc, char** argv) {
  for (const kerf::Format* format : kerf::all_formats())
    benchmark::RegisterBenchmark(std::string(format->name).c_str(),
                                 [format](benchmark::State& state) { kerf::decode(state, *format); });
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
