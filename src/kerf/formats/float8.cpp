// Eight-bit floating-point numbers stored one by one, as safetensors files have them. Only read: what they
// mean depends on scales that are tensors of their own.
#include <cmath>

#include "kerf/base/bits.h"
#include "kerf/formats/format.h"
#include "kerf/numbers/e8m0.h"
#include "kerf/numbers/minifloat.h"

namespace kerf::formats {
namespace {

KERF_CLONES void decode_e4m3(const std::uint8_t* __restrict src, float* __restrict dst,
                             std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) dst[i] = e4m3_to_f32(src[i]);
}
KERF_CLONES void decode_e5m2(const std::uint8_t* __restrict src, float* __restrict dst,
                             std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) dst[i] = e5m2_to_f32(src[i]);
}
KERF_CLONES void decode_e8m0(const std::uint8_t* __restrict src, float* __restrict dst,
                             std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) dst[i] = e8m0_to_f32(src[i]);
}

const char* e4m3_defect(const std::uint8_t* block) noexcept {
  return (block[0] & 0x7F) == 0x7F ? "NaN" : nullptr;
}
const char* e5m2_defect(const std::uint8_t* block) noexcept {
  return (block[0] & 0x7F) >= 0x7C ? "NaN or infinity" : nullptr;
}
const char* e8m0_defect(const std::uint8_t* block) noexcept {
  return block[0] == 0xFF ? "NaN" : nullptr;
}

}  // namespace

constexpr Format f8_e4m3{.name = "F8_E4M3",
                         .gguf_type = kNoGgufType,
                         .block_size = 1,
                         .block_bytes = 1,
                         .summary = "8-bit floating point: 4 exponent, 3 mantissa bits",
                         .decode = decode_e4m3,
                         .encode_plain = nullptr,
                         .grid = nullptr,
                         .defect = e4m3_defect};
constexpr Format f8_e5m2{.name = "F8_E5M2",
                         .gguf_type = kNoGgufType,
                         .block_size = 1,
                         .block_bytes = 1,
                         .summary = "8-bit floating point: 5 exponent, 2 mantissa bits",
                         .decode = decode_e5m2,
                         .encode_plain = nullptr,
                         .grid = nullptr,
                         .defect = e5m2_defect};
constexpr Format f8_e8m0{.name = "F8_E8M0",
                         .gguf_type = kNoGgufType,
                         .block_size = 1,
                         .block_bytes = 1,
                         .summary = "power of two, for scales",
                         .decode = decode_e8m0,
                         .encode_plain = nullptr,
                         .grid = nullptr,
                         .defect = e8m0_defect};

}  // namespace kerf::formats
