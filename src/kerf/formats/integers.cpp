// Integers and truth values stored one by one, as GGUF and safetensors files have them beside the weights.
// Only read: each becomes the nearest binary32.
#include "kerf/base/bits.h"
#include "kerf/formats/format.h"

namespace kerf::formats {
namespace {

template <class Integer>
void decode_integers(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i)
    dst[i] = static_cast<float>(load_le<Integer>(src + sizeof(Integer) * i));
}

void decode_booleans(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) dst[i] = src[i] != 0 ? 1.0F : 0.0F;
}

const char* boolean_defect(const std::uint8_t* block) noexcept {
  return block[0] > 1 ? "neither true nor false" : nullptr;
}

template <class Integer>
constexpr Format integer_format(std::string_view name, std::uint32_t gguf_type, std::string_view summary) {
  return {.name = name,
          .gguf_type = gguf_type,
          .block_size = 1,
          .block_bytes = sizeof(Integer),
          .summary = summary,
          .decode = decode_integers<Integer>,
          .encode_plain = nullptr,
          .grid = nullptr,
          .defect = nullptr};
}

}  // namespace

constexpr Format i8 = integer_format<std::int8_t>("I8", 24, "signed integer");
constexpr Format i16 = integer_format<std::int16_t>("I16", 25, "signed integer");
constexpr Format i32 = integer_format<std::int32_t>("I32", 26, "signed integer");
constexpr Format i64 = integer_format<std::int64_t>("I64", 27, "signed integer");
constexpr Format u8 = integer_format<std::uint8_t>("U8", kNoGgufType, "unsigned integer");
constexpr Format u16 = integer_format<std::uint16_t>("U16", kNoGgufType, "unsigned integer");
constexpr Format u32 = integer_format<std::uint32_t>("U32", kNoGgufType, "unsigned integer");
constexpr Format u64 = integer_format<std::uint64_t>("U64", kNoGgufType, "unsigned integer");
constexpr Format boolean{.name = "BOOL",
                         .gguf_type = kNoGgufType,
                         .block_size = 1,
                         .block_bytes = 1,
                         .summary = "truth value",
                         .decode = decode_booleans,
                         .encode_plain = nullptr,
                         .grid = nullptr,
                         .defect = boolean_defect};

}  // namespace kerf::formats
