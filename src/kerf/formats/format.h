// Format: what the bytes of a tensor mean. Knows nothing of how codes are chosen (quantizers/) nor of models.
//
// One equation for every block format:  x = scale · level[code] + offset.
// A new format is one file that defines a `const Format` (or a family of them: an array, one per group size,
// say) and one line in formats.def.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kerf {

struct Format;

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
  /// Offsets are stored as integers z, offset = −scale·z, so that they move in steps of a scale.
  bool zero_point = false;
};

/// One scale in front of the blocks of each row: x̂ = row scale · (what `inner` decodes the blocks to) + row
/// offset, if it has one. So a scale of few bits per block reaches any magnitude, and a tensor's own scale is
/// one that all its rows share.
struct RowScale {
  enum class Type : std::uint8_t { f32, bf16 };

  const Format* inner;  ///< of the blocks; has no header itself
  Type type;
  /// Largest magnitude that `inner` decodes to: a row scale of max|x| / reach clips nothing.
  float reach;
  /// The least fraction of max|x| that is worth keeping unclipped: 1 where clipping never pays.
  float least_range;
  /// An offset follows the scale, in the same type; then `reach` is the width of what `inner` holds, from 0.
  bool has_offset = false;
};

/// Blocks of one scale and elements that are floating-point numbers of few bits: x = scale · element. There
/// are too many elements for a search over a table of levels, and they have the same relative precision
/// everywhere, so the scale alone is chosen.
struct FloatBlocks {
  float most;         ///< largest element
  int mantissa_bits;  ///< of an element
  bool power_of_two;  ///< so are all scales

  /// Writes a block with the scale nearest to a positive one that can be stored; each element is rounded to
  /// nearest even, saturating. x [block_size]. A scale of 0 gives zeros.
  void (*encode)(const float* x, float scale, std::uint8_t* block) noexcept;
};

struct Codebook;    // codebook.h: levels that each row or block brings along
struct VectorGrid;  // vector_grid.h: a code stands for several numbers

/// The type number of formats that GGUF does not have.
inline constexpr std::uint32_t kNoGgufType = 0xFFFFFFFF;

/// A row is its header, if the format has one, and then its blocks.
struct Format {
  std::string_view name;     ///< as people type it: «Q4_K»; matched in any case
  std::uint32_t gguf_type;   ///< number in GGUF files: do not renumber
  std::uint32_t block_size;  ///< numbers per block
  std::uint32_t block_bytes;
  std::string_view summary;  ///< one line for tables

  /// Decodes a row of n numbers to dst; without a header any number of rows that follow each other, as one.
  /// fits(n). Any bytes are legal input.
  void (*decode)(const std::uint8_t* src, float* dst, std::size_t n) noexcept;
  /// For formats without parameters (F32, F16, BF16 …): rounds each number to nearest even. Else nullptr.
  void (*encode_plain)(const float* src, std::uint8_t* dst, std::size_t n) noexcept;
  /// For block formats whose codes stand for one number each on a fixed table of levels. Else nullptr.
  const Grid* grid;
  /// Why a block cannot be what a sound writer wrote (NaN or infinite scale, impossible code), as a short
  /// phrase, or nullptr if nothing is wrong with it. May be nullptr: every bit pattern is sound.
  const char* (*defect)(const std::uint8_t* block) noexcept;

  std::uint32_t header_bytes = 0;  ///< in front of the blocks of each row
  bool any_length = false;         ///< the last block of a row may be partly used; else rows are whole blocks
  const RowScale* row_scale = nullptr;
  const Codebook* codebook = nullptr;
  const VectorGrid* vectors = nullptr;
  const FloatBlocks* floats = nullptr;
  /// As defect(), of the header of a row. nullptr: every bit pattern is sound.
  const char* (*header_defect)(const std::uint8_t* header) noexcept = nullptr;
  /// Formats that differ in numbers only share a line in tables, under this name; empty: alone.
  std::string_view family = {};

  /// Nominal: of a long row.
  [[nodiscard]] constexpr double bits_per_weight() const noexcept { return 8.0 * block_bytes / block_size; }
  /// Effective: of a row of n numbers, with its header and the unused end of its last block.
  [[nodiscard]] constexpr double bits_per_weight(std::uint64_t n) const noexcept {
    return 8.0 * static_cast<double>(row_bytes(n)) / static_cast<double>(n);
  }
  [[nodiscard]] constexpr bool writable() const noexcept {
    return encode_plain != nullptr || grid != nullptr || codebook != nullptr || vectors != nullptr ||
           floats != nullptr || (row_scale != nullptr && row_scale->inner->writable());
  }
  /// Numbers stored one by one, without blocks: F32, F16, BF16, integers.
  [[nodiscard]] constexpr bool plain() const noexcept { return block_size == 1 && header_bytes == 0; }
  /// GGUF files have a type number for it. The others are written as kerf's own (io/gguf_own_types.h).
  [[nodiscard]] constexpr bool in_gguf() const noexcept { return gguf_type != kNoGgufType; }
  /// Whether rows of n numbers can be stored.
  [[nodiscard]] constexpr bool fits(std::uint64_t n) const noexcept {
    return any_length || n % block_size == 0;
  }
  /// Bytes of a row of n numbers; fits(n).
  [[nodiscard]] constexpr std::uint64_t row_bytes(std::uint64_t n) const noexcept {
    return header_bytes + (n / block_size + (n % block_size != 0 ? 1 : 0)) * block_bytes;
  }
};

/// Decodes n_rows rows of n_cols numbers each: [n_rows, n_cols], row-major.
void decode_rows(const Format& format, const std::uint8_t* src, std::size_t n_rows, std::size_t n_cols,
                 float* dst) noexcept;

/// Every format, in the order of formats.def.
[[nodiscard]] std::span<const Format* const> all_formats() noexcept;
/// By name, in any case; nullptr if unknown.
[[nodiscard]] const Format* find_format(std::string_view name) noexcept;
/// By the number in GGUF files; nullptr if unknown.
[[nodiscard]] const Format* format_of_gguf_type(std::uint32_t type) noexcept;

#define KERF_FORMAT(identifier) extern const Format identifier;
#define KERF_FORMAT_FAMILY(identifier) extern const std::span<const Format> identifier;
namespace formats {
#include "kerf/formats/formats.def"
}
#undef KERF_FORMAT
#undef KERF_FORMAT_FAMILY

}  // namespace kerf
