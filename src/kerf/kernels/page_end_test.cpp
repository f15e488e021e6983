// Loops neither read nor write beyond their arrays, not even masked: every array ends where a page that must
// not be touched begins.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "kerf/kernels/dispatch.h"

namespace kerf::kernels {
namespace {

/// n numbers whose last byte is the last before a forbidden page.
template <class T>
class AtPageEnd {
 public:
  explicit AtPageEnd(std::size_t n) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    bytes_ = (n * sizeof(T) + page - 1) / page * page + page;
    base_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(base_, MAP_FAILED);
    auto* forbidden = static_cast<unsigned char*>(base_) + bytes_ - page;
    EXPECT_EQ(::mprotect(forbidden, page, PROT_NONE), 0);
    numbers_ = reinterpret_cast<T*>(forbidden) - n;
    std::fill_n(numbers_, n, static_cast<T>(1));
  }
  ~AtPageEnd() { ::munmap(base_, bytes_); }
  AtPageEnd(const AtPageEnd&) = delete;
  AtPageEnd& operator=(const AtPageEnd&) = delete;

  [[nodiscard]] T* get() const noexcept { return numbers_; }

 private:
  void* base_ = nullptr;
  std::size_t bytes_ = 0;
  T* numbers_ = nullptr;
};

class PageEnd : public ::testing::TestWithParam<const KernelTable*> {};

TEST_P(PageEnd, Gemm) {
  for (std::size_t n_t = 1; n_t <= 9; ++n_t)
    for (std::size_t n_r = 1; n_r <= 13; ++n_r)
      for (const std::size_t n_k : {1U, 7U, 16U, 40U}) {
        const AtPageEnd<float> a(n_t * n_k), b(n_r * n_k), c(n_t * n_r);
        GetParam()->gemm_f32(a.get(), n_k, b.get(), n_k, c.get(), n_r, n_t, n_r, n_k);
        EXPECT_EQ(std::count(c.get(), c.get() + n_t * n_r, static_cast<float>(n_k)),
                  static_cast<std::ptrdiff_t>(n_t * n_r));
      }
}

TEST_P(PageEnd, Vectors) {
  const KernelTable& table = *GetParam();
  for (std::size_t n = 1; n <= 70; ++n) {
    const AtPageEnd<float> x(n), y(n), z(n), pairs(2 * n);
    const AtPageEnd<std::uint16_t> halves(n);
    EXPECT_EQ(table.dot_f32(x.get(), y.get(), n), static_cast<float>(n));
    EXPECT_EQ(table.sum_squares(x.get(), n), static_cast<float>(n));
    EXPECT_EQ(table.max_f32(x.get(), n), 1.0F);
    table.axpy_f32(1.0F, x.get(), y.get(), n);
    EXPECT_EQ(y.get()[n - 1], 2.0F);
    table.scale_f32(2.0F, y.get(), n);
    table.scale_by(x.get(), 2.0F, y.get(), z.get(), n);
    EXPECT_EQ(z.get()[n - 1], 8.0F);
    EXPECT_FLOAT_EQ(table.exp_shifted(x.get(), 1.0F, z.get(), n), static_cast<float>(n));
    table.silu_mul(x.get(), y.get(), z.get(), n);
    table.gelu_mul(x.get(), y.get(), z.get(), n);
    table.rotate_halves(pairs.get(), x.get(), y.get(), n);
    table.rotate_neighbours(pairs.get(), x.get(), y.get(), n);
    table.f32_to_f16(x.get(), halves.get(), n);
    table.f16_to_f32(halves.get(), z.get(), n);
    EXPECT_EQ(z.get()[n - 1], 1.0F);
    const AtPageEnd<float> rows(3 * n), weights(3);
    table.weighted_sum(weights.get(), rows.get(), n, z.get(), 3, n);
    EXPECT_EQ(z.get()[n - 1], 3.0F);
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, PageEnd,
                         ::testing::ValuesIn(runnable_tables().begin(), runnable_tables().end()),
                         [](const auto& info) { return std::string(info.param->isa); });

}  // namespace
}  // namespace kerf::kernels
