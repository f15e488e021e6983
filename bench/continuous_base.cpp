// A model on no grid from one that was published quantized: every weight moves to a random place of its own
// rounding interval, so that the result is one plausible original, with the real model's channels and
// outliers. Methods must be judged on such a base too: on the published numbers the format that they are in
// has no error.
//
//   continuous_base QUANTIZED.gguf OUT.gguf [SEED]       writes F16
#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/io/gguf.h"
#include "kerf/model/source.h"

namespace kerf {
namespace {

/// Half the distance to the neighbouring level, for every number of a row; zeros where the format has no
/// Grid.
std::vector<float> half_steps(const Format& format, const std::uint8_t* row, std::size_t n) {
  std::vector<float> steps(n, 0.0F);
  if (format.grid == nullptr) return steps;
  const Grid& grid = *format.grid;
  const std::span<const float> levels = grid.levels;
  const std::size_t group = format.block_size / grid.n_groups;
  float scale[Grid::kMaxGroups], offset[Grid::kMaxGroups];
  std::uint8_t codes[Grid::kMaxBlock];
  for (std::size_t first = 0; first < n; first += format.block_size, row += format.block_bytes) {
    grid.load(row, scale, offset, codes);
    for (std::size_t i = 0; i < format.block_size && first + i < n; ++i) {
      const std::size_t code = codes[i];
      const float gap =
          code + 1 < levels.size() ? levels[code + 1] - levels[code] : levels[code] - levels[code - 1];
      steps[first + i] = 0.5F * gap * std::fabs(scale[i / group]);
    }
  }
  return steps;
}

Result<void> convert(const std::string& from, const std::string& to, std::uint64_t seed) {
  KERF_TRY(const auto source, ModelSource::open(from));
  Metadata metadata = source->metadata();
  metadata.erase("general.file_type");
  std::vector<PlannedTensor> plan;
  for (const SourceTensor& tensor : source->tensors())
    plan.push_back({tensor.name, tensor.format->plain() ? tensor.format : &formats::f16, tensor.shape});
  KERF_TRY(GgufWriter writer, GgufWriter::create(to, metadata, plan));
  for (std::size_t t = 0; t < plan.size(); ++t) {
    const SourceTensor& tensor = source->tensors()[t];
    const std::optional<Bytes> raw = source->raw(tensor);
    if (!raw) return fail(ErrorKind::unsupported, tensor.name, "is not stored as in a GGUF file");
    if (tensor.format->plain()) {
      KERF_CHECK_OK(writer.write(*raw));
      continue;
    }
    const std::size_t n = tensor.row_length();
    std::vector<float> row(n);
    std::vector<std::uint8_t> halves(n * 2);
    Rng rng(seed * 1000003 + t);
    for (std::uint64_t r = 0; r < tensor.n_rows(); ++r) {
      const std::uint8_t* bytes = raw->data() + r * tensor.format->row_bytes(n);
      tensor.format->decode(bytes, row.data(), n);
      const std::vector<float> steps = half_steps(*tensor.format, bytes, n);
      for (std::size_t i = 0; i < n; ++i) row[i] += steps[i] * static_cast<float>(2 * rng.uniform() - 1);
      formats::f16.encode_plain(row.data(), halves.data(), n);
      KERF_CHECK_OK(writer.write(Bytes{halves.data(), halves.size()}));
    }
  }
  return writer.commit();
}

}  // namespace
}  // namespace kerf

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: continuous_base QUANTIZED.gguf OUT.gguf [SEED]\n");
    return 2;
  }
  const auto done = kerf::convert(argv[1], argv[2], argc > 3 ? std::stoull(argv[3]) : 1);
  if (done) return 0;
  fmt::print(stderr, "continuous_base: {}\n", done.error().message());
  return 3;
}
