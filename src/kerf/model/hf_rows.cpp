// Rows of a Hugging Face tensor in GGUF's order, decoded on the fly.
#include <algorithm>

#include "kerf/base/check.h"
#include "kerf/model/hf_tensors.h"

namespace kerf {
namespace {

/// Elements [first, first + n) as stored.
void decode(const StoredTensor& tensor, std::uint64_t first, std::uint64_t n, float* dst) {
  const std::uint64_t element_bytes = tensor.format->block_bytes;
  tensor.format->decode(tensor.bytes.data() + first * element_bytes, dst, n);
}

/// Where row (or element of a vector) `i` of GGUF lies in the checkpoint: GGUF has elements 2j and 2j + 1 of
/// a head next to each other, Hugging Face has them D/2 apart.
std::uint64_t before_interleaving(std::uint64_t i, std::uint64_t head) {
  const std::uint64_t within = i % head;
  return i - within + within % 2 * (head / 2) + within / 2;
}

void read_interleaved(const HfTensor& tensor, std::uint64_t first, std::uint64_t n, float* dst) {
  // A bias is a vector: what moves is its elements.
  const bool vector = tensor.view.shape.size() == 1;
  const std::uint64_t length = vector ? 1 : tensor.view.row_length();
  const std::uint64_t count = vector ? n * tensor.view.row_length() : n;
  for (std::uint64_t i = 0; i < count; ++i)
    decode(*tensor.stored, before_interleaving(first + i, tensor.head) * length, length, dst + i * length);
}

/// Stored [K, R]: n neighbours of each of K stored rows become a column of dst[n, K].
void read_transposed(const HfTensor& tensor, std::uint64_t first, std::uint64_t n, float* dst) {
  constexpr std::uint64_t kBatch = 64;
  const std::uint64_t n_columns = tensor.view.row_length();
  const std::uint64_t n_rows = tensor.view.n_rows();
  float part[kBatch];
  for (std::uint64_t row = 0; row < n; row += kBatch) {
    const std::uint64_t batch = std::min(kBatch, n - row);
    for (std::uint64_t column = 0; column < n_columns; ++column) {
      decode(*tensor.stored, column * n_rows + first + row, batch, part);
      for (std::uint64_t i = 0; i < batch; ++i) dst[(row + i) * n_columns + column] = part[i];
    }
  }
}

/// Rows may reach from one expert into the next.
void read_experts(const HfTensor& tensor, std::uint64_t first, std::uint64_t n, float* dst) {
  const std::uint64_t length = tensor.view.row_length(), n_rows = tensor.view.shape[1];
  for (const std::uint64_t end = first + n; first < end;) {
    const std::uint64_t part = std::min(n_rows - first % n_rows, end - first);
    decode(*tensor.experts[first / n_rows], first % n_rows * length, part * length, dst);
    first += part;
    dst += part * length;
  }
}

}  // namespace

void read_rows(const HfTensor& tensor, std::uint64_t first, std::uint64_t n, float* dst) {
  KERF_CHECK(first <= tensor.view.n_rows() && n <= tensor.view.n_rows() - first);
  const std::uint64_t length = tensor.view.row_length();
  if (!tensor.experts.empty()) return read_experts(tensor, first, n, dst);
  switch (tensor.transform) {
    case Transform::as_is:
      return decode(*tensor.stored, first * length, n * length, dst);
    case Transform::interleave_heads:
      return read_interleaved(tensor, first, n, dst);
    case Transform::transpose:
      return read_transposed(tensor, first, n, dst);
    case Transform::add_one:
      decode(*tensor.stored, first * length, n * length, dst);
      std::for_each(dst, dst + n * length, [](float& value) { value += 1.0F; });
      return;
  }
}

}  // namespace kerf
