// Floating-point numbers stored one by one. F32, F16 and BF16 can be written: decode is exact, encode rounds
// to nearest even. F64 is only read, and rounds.
#include <cmath>
#include <cstring>

#include "kerf/base/bits.h"
#include "kerf/formats/format.h"
#include "kerf/numbers/float16.h"

namespace kerf::formats {
namespace {

// memcpy wants pointers even for nothing.
void decode_f32(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  if (n != 0) std::memcpy(dst, src, n * 4);
}
void encode_f32(const float* src, std::uint8_t* dst, std::size_t n) noexcept {
  if (n != 0) std::memcpy(dst, src, n * 4);
}

KERF_CLONES void decode_f16(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) dst[i] = f16_to_f32(load_le<std::uint16_t>(src + 2 * i));
}
KERF_CLONES void encode_f16(const float* src, std::uint8_t* dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) store_le(dst + 2 * i, f32_to_f16(src[i]));
}
KERF_CLONES void decode_bf16(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) dst[i] = bf16_to_f32(load_le<std::uint16_t>(src + 2 * i));
}
KERF_CLONES void encode_bf16(const float* src, std::uint8_t* dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) store_le(dst + 2 * i, f32_to_bf16(src[i]));
}

KERF_CLONES void decode_f64(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) dst[i] = static_cast<float>(load_le<double>(src + 8 * i));
}

const char* f64_defect(const std::uint8_t* block) noexcept {
  return std::isfinite(static_cast<float>(load_le<double>(block))) ? nullptr : "NaN, or beyond binary32";
}
const char* f32_defect(const std::uint8_t* block) noexcept {
  return (load_le<std::uint32_t>(block) & 0x7F800000U) == 0x7F800000U ? "NaN or infinity" : nullptr;
}
const char* f16_defect(const std::uint8_t* block) noexcept {
  return (load_le<std::uint16_t>(block) & 0x7C00U) == 0x7C00U ? "NaN or infinity" : nullptr;
}
const char* bf16_defect(const std::uint8_t* block) noexcept {
  return (load_le<std::uint16_t>(block) & 0x7F80U) == 0x7F80U ? "NaN or infinity" : nullptr;
}

}  // namespace

constexpr Format f32{.name = "F32",
                     .gguf_type = 0,
                     .block_size = 1,
                     .block_bytes = 4,
                     .summary = "IEEE binary32",
                     .decode = decode_f32,
                     .encode_plain = encode_f32,
                     .grid = nullptr,
                     .defect = f32_defect};
constexpr Format f16{.name = "F16",
                     .gguf_type = 1,
                     .block_size = 1,
                     .block_bytes = 2,
                     .summary = "IEEE binary16",
                     .decode = decode_f16,
                     .encode_plain = encode_f16,
                     .grid = nullptr,
                     .defect = f16_defect};
constexpr Format bf16{.name = "BF16",
                      .gguf_type = 30,
                      .block_size = 1,
                      .block_bytes = 2,
                      .summary = "bfloat16: the upper half of binary32",
                      .decode = decode_bf16,
                      .encode_plain = encode_bf16,
                      .grid = nullptr,
                      .defect = bf16_defect};
constexpr Format f64{.name = "F64",
                     .gguf_type = 28,
                     .block_size = 1,
                     .block_bytes = 8,
                     .summary = "IEEE binary64, rounded to binary32 when read",
                     .decode = decode_f64,
                     .encode_plain = nullptr,
                     .grid = nullptr,
                     .defect = f64_defect};

}  // namespace kerf::formats
