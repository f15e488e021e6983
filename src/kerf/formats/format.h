// Format: what the bytes of a tensor mean. Knows nothing of how codes are chosen (quantizers/) nor of models.
//
// One equation for every block format:  x = scale · level[code] + offset.
// A new format is one file that defines a `const Format` and one line in formats.def.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kerf {

/// The adjustable grid of a block format whose codes stand for one number each: number i of group g is
/// scale[g] · levels[codes[i]] + offset[g]. Groups split a block evenly.
///
/// A quantizer first calls store_parameters(), which rounds scales and offsets to what the block can hold,
/// and then chooses codes against the rounded ones: so it never optimises a grid that decode() will not see.
struct Grid {
  /// Most groups and numbers of any block; arrays of these sizes fit every format.
  static constexpr std::size_t kMaxGroups = 16;
  static constexpr std::size_t kMaxBlock = 256;

  enum class Sign : std::uint8_t { any, non_negative, non_positive };

  std::uint32_t n_groups;
  std::span<const float> levels;  ///< ascending, indexed by code
  bool uniform;                   ///< levels[c] == levels[0] + c
  Sign scale_sign;                ///< which scales can be stored
  bool has_offset;                ///< otherwise every offset is 0
  Sign offset_sign;               ///< which offsets can be stored

  /// Writes the parameters of one block to `block` and replaces scale[n_groups] and offset[n_groups] by
  /// the values decode() will use. Inputs are finite; code bytes of the block are left alone.
  void (*store_parameters)(float* scale, float* offset, std::uint8_t* block) noexcept;
  /// Writes codes[block_size], each below levels.size(), into a block; parameter bytes are left alone.
  void (*store_codes)(const std::uint8_t* codes, std::uint8_t* block) noexcept;
  /// Reads parameters and codes back. decode() equals the equation above on what this returns, rounded to
  /// binary32 in the order that the format's definition prescribes.
  void (*load)(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept;
};

/// The type number of formats that GGUF does not have.
inline constexpr std::uint32_t kNoGgufType = 0xFFFFFFFF;

struct Format {
  std::string_view name;     ///< as people type it: «Q4_K»; matched in any case
  std::uint32_t gguf_type;   ///< number in GGUF files: do not renumber
  std::uint32_t block_size;  ///< numbers per block; a row is a whole number of blocks
  std::uint32_t block_bytes;
  std::string_view summary;  ///< one line for tables

  /// Decodes n numbers (a multiple of block_size) to dst. Any bytes are legal input.
  void (*decode)(const std::uint8_t* src, float* dst, std::size_t n) noexcept;
  /// For formats without parameters (F32, F16, BF16 …): rounds each number to nearest even. Else nullptr.
  void (*encode_plain)(const float* src, std::uint8_t* dst, std::size_t n) noexcept;
  /// For block formats that quantizers can fill. Else nullptr.
  const Grid* grid;
  /// Why a block cannot be what a sound writer wrote (NaN or infinite scale, impossible code), as a short
  /// phrase, or nullptr if nothing is wrong with it. May be nullptr: every bit pattern is sound.
  const char* (*defect)(const std::uint8_t* block) noexcept;

  [[nodiscard]] constexpr double bits_per_weight() const noexcept { return 8.0 * block_bytes / block_size; }
  [[nodiscard]] constexpr bool writable() const noexcept {
    return encode_plain != nullptr || grid != nullptr;
  }
  /// Numbers stored one by one, without blocks: F32, F16, BF16, integers.
  [[nodiscard]] constexpr bool plain() const noexcept { return block_size == 1; }
  /// Bytes of a row of n numbers; n is a multiple of block_size.
  [[nodiscard]] constexpr std::uint64_t row_bytes(std::uint64_t n) const noexcept {
    return n / block_size * block_bytes;
  }
};

/// Every format, in the order of formats.def.
[[nodiscard]] std::span<const Format* const> all_formats() noexcept;
/// By name, in any case; nullptr if unknown.
[[nodiscard]] const Format* find_format(std::string_view name) noexcept;
/// By the number in GGUF files; nullptr if unknown.
[[nodiscard]] const Format* format_of_gguf_type(std::uint32_t type) noexcept;

#define KERF_FORMAT(identifier) extern const Format identifier;
namespace formats {
#include "kerf/formats/formats.def"
}
#undef KERF_FORMAT

}  // namespace kerf
