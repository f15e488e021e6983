#include "kerf/model/linear.h"

#include "kerf/kernels/kernel.h"
#include "kerf/kernels/matmul_transposed.h"
#include "kerf/model/rows.h"

namespace kerf {
void linear(const Linear& layer, const float* x, std::size_t n_tokens, float* y, std::size_t y_stride,
            ThreadPool& pool) {
  matmul(layer.weight, x, n_tokens, y, y_stride, pool);
  if (layer.bias.empty()) return;
  for_rows(pool, n_tokens, layer.n_rows(), [&](std::size_t t) {
    kernels::active_table().axpy_f32(1.0F, layer.bias.data(), y + t * y_stride, layer.bias.size());
  });
}

void linear_stack(std::span<const Linear> layers, const float* x, std::size_t n_tokens, float* y,
                  std::size_t y_stride, ThreadPool& pool) {
  for (const Linear& layer : layers) {
    linear(layer, x, n_tokens, y, y_stride, pool);
    y += layer.n_rows();
  }
}

void linear_stack_backward(std::span<const Linear> layers, const float* dy, std::size_t dy_stride,
                           std::size_t n_tokens, float* dx, ThreadPool& pool) {
  for (const Linear& layer : layers) {
    matmul_transposed(layer.weight, dy, dy_stride, n_tokens, dx, &layer != layers.data(), pool);
    dy += layer.n_rows();
  }
}

void gather_rows(const WeightView& weight, std::span<const std::int32_t> ids, float* dst, ThreadPool& pool) {
  const std::uint64_t row_bytes = weight.format->row_bytes(weight.n_cols);
  for_rows(pool, ids.size(), weight.n_cols, [&](std::size_t t) {
    const auto row = static_cast<std::uint64_t>(ids[t]);
    weight.format->decode(weight.bytes + row * row_bytes, dst + t * weight.n_cols, weight.n_cols);
  });
}

std::vector<float> decode_weight(const Linear& layer, ThreadPool& pool) {
  std::vector<float> w(layer.n_rows() * layer.n_cols());
  const std::size_t row_bytes = layer.weight.format->row_bytes(layer.n_cols());
  for_rows(pool, layer.n_rows(), layer.n_cols(), [&](std::size_t r) {
    layer.weight.format->decode(layer.weight.bytes + r * row_bytes, w.data() + r * layer.n_cols(),
                                layer.n_cols());
  });
  return w;
}

}  // namespace kerf
