// Holds every registered format to the contract of format.h. Decoded values come from other programs
// (tools/golden_formats.py); each check must also reject a format that is wrong on purpose.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <vector>

#include "kerf/base/bits.h"
#include "kerf/base/rng.h"
#include "kerf/formats/format.h"

namespace kerf {
namespace {

using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;

// --- golden decoding ---------------------------------------------------------------------------

struct Golden {
  std::uint32_t block_size = 0;
  std::uint32_t block_bytes = 0;
  std::vector<std::uint8_t> blocks;
  std::vector<float> values;
  std::vector<std::uint8_t> sweep;
  std::vector<std::uint64_t> sweep_hashes;
};

template <class T>
std::vector<T> read_array(std::istream& in, std::size_t count) {
  std::vector<T> array(count);
  in.read(reinterpret_cast<char*>(array.data()), static_cast<std::streamsize>(count * sizeof(T)));
  return array;
}

std::map<std::string, Golden> read_goldens() {
  std::ifstream in(KERF_SOURCE_DIR "/tests/golden/formats.bin", std::ios::binary);
  std::map<std::string, Golden> goldens;
  char name[17] = {};
  while (in.read(name, 16)) {
    const auto sizes = read_array<std::uint32_t>(in, 4);
    Golden& golden = goldens[name];
    golden.block_size = sizes[0];
    golden.block_bytes = sizes[1];
    golden.blocks = read_array<std::uint8_t>(in, std::size_t{sizes[2]} * sizes[1]);
    golden.values = read_array<float>(in, std::size_t{sizes[2]} * sizes[0]);
    golden.sweep = read_array<std::uint8_t>(in, std::size_t{sizes[3]} * sizes[1]);
    golden.sweep_hashes = read_array<std::uint64_t>(in, sizes[3]);
  }
  return goldens;
}

const std::map<std::string, Golden>& goldens() {
  static const auto loaded = read_goldens();
  return loaded;
}

std::uint64_t fnv1a(const std::vector<float>& values) {
  std::uint64_t state = 0xCBF29CE484222325ULL;
  for (const float value : values)
    for (const std::uint8_t byte : std::bit_cast<std::array<std::uint8_t, 4>>(value))
      state = (state ^ byte) * 0x100000001B3ULL;
  return state;
}

/// A row of one block.
std::vector<float> decode_block(const Format& format, const std::uint8_t* block) {
  std::vector<float> values(format.block_size);
  format.decode(block, values.data(), values.size());
  return values;
}

AssertionResult decodes_golden(const Format& format) {
  const auto found = goldens().find(std::string(format.name));
  if (found == goldens().end()) return AssertionFailure() << "no golden blocks";
  const Golden& golden = found->second;
  if (golden.block_size != format.block_size || golden.block_bytes != format.block_bytes)
    return AssertionFailure() << "block of other size";

  std::vector<float> values(golden.values.size());
  format.decode(golden.blocks.data(), values.data(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    if (std::bit_cast<std::uint32_t>(values[i]) != std::bit_cast<std::uint32_t>(golden.values[i]))
      return AssertionFailure() << "number " << i << " is " << values[i] << ", not " << golden.values[i];
  for (std::size_t b = 0; b < golden.sweep_hashes.size(); ++b)
    if (fnv1a(decode_block(format, golden.sweep.data() + b * format.block_bytes)) != golden.sweep_hashes[b])
      return AssertionFailure() << "block " << b << " of the sweep differs";
  return AssertionSuccess();
}

// --- what every format owes ----------------------------------------------------------------------

/// Rows of whole blocks, and where the format has them rows that end within one.
std::vector<std::size_t> row_lengths(const Format& format) {
  const std::size_t block = format.block_size;
  std::vector<std::size_t> lengths = {0, block, 2 * block, 3 * block};
  if (format.any_length && block > 1)
    lengths.insert(lengths.end(), {1, block - 1, block + 1, 2 * block + block / 2, 3 * block - 1});
  return lengths;
}

AssertionResult decodes_exactly_n_numbers(const Format& format) {
  constexpr float kUntouched = 12345.0F;
  for (const std::size_t n : row_lengths(format)) {
    const std::vector<std::uint8_t> row(format.row_bytes(n), 0);
    std::vector<float> values(n + format.block_size + 64, kUntouched);
    format.decode(row.data(), values.data(), n);
    const auto written = std::count_if(values.begin(), values.end(), [](float v) { return v != kUntouched; });
    if (static_cast<std::size_t>(written) != n || (n > 0 && values[n - 1] == kUntouched))
      return AssertionFailure() << written << " numbers written for a row of " << n;
  }
  return AssertionSuccess();
}

/// The numbers of a row that ends within a block are those of the same bytes as whole blocks.
AssertionResult tails_are_the_beginnings_of_blocks(const Format& format) {
  Rng rng(6);
  for (const std::size_t n : row_lengths(format)) {
    std::vector<std::uint8_t> row(format.row_bytes(n));
    for (auto& byte : row) byte = static_cast<std::uint8_t>(rng.next());
    std::vector<float> whole((n + format.block_size - 1) / format.block_size * format.block_size);
    std::vector<float> part(n);
    format.decode(row.data(), whole.data(), whole.size());
    format.decode(row.data(), part.data(), n);
    for (std::size_t i = 0; i < n; ++i)
      if (std::bit_cast<std::uint32_t>(whole[i]) != std::bit_cast<std::uint32_t>(part[i]) &&
          !(std::isnan(whole[i]) && std::isnan(part[i])))
        return AssertionFailure() << "number " << i << " of " << n << " is " << part[i] << ", not "
                                  << whole[i];
  }
  return AssertionSuccess();
}

/// Of a row of one block.
bool is_sound(const Format& format, const std::uint8_t* row) {
  return (format.header_defect == nullptr || format.header_defect(row) == nullptr) &&
         (format.defect == nullptr || format.defect(row + format.header_bytes) == nullptr);
}

/// Whatever the bytes: decoding ends, and a block without a defect holds finite numbers.
AssertionResult sound_blocks_are_finite(const Format& format) {
  Rng rng(7);
  std::vector<std::uint8_t> block(format.row_bytes(format.block_size));
  std::size_t n_sound = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    for (auto& byte : block)
      byte = trial == 0 ? 0 : trial == 1 ? 0xFF : static_cast<std::uint8_t>(rng.next());
    const std::vector<float> values = decode_block(format, block.data());
    const bool sound = is_sound(format, block.data());
    const bool finite = std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
    n_sound += sound;
    if (sound && !finite) return AssertionFailure() << "trial " << trial << ": unnoticed NaN or infinity";
    if (trial == 0 && !sound) return AssertionFailure() << "zeros are called defective";
  }
  return n_sound > 0 ? AssertionSuccess() : AssertionFailure() << "every random block is called defective";
}

AssertionResult encodes_what_it_decodes(const Format& format) {
  Rng rng(8);
  std::vector<std::uint8_t> bytes(format.block_bytes * std::size_t{4096});
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.next());
  std::vector<float> values(4096);
  std::vector<std::uint8_t> again(bytes.size());
  format.decode(bytes.data(), values.data(), values.size());
  format.encode_plain(values.data(), again.data(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isnan(values[i]) &&
        std::memcmp(&bytes[i * format.block_bytes], &again[i * format.block_bytes], format.block_bytes) != 0)
      return AssertionFailure() << "number " << i << ", " << values[i] << ", came back in other bytes";
  return AssertionSuccess();
}

// --- what a grid owes ----------------------------------------------------------------------------

struct Parameters {
  std::vector<float> scale;
  std::vector<float> offset;
  bool operator==(const Parameters&) const = default;
};

float with_sign(Grid::Sign sign, double magnitude, Rng& rng) {
  const bool negative = sign == Grid::Sign::non_positive || (sign == Grid::Sign::any && rng.below(2) == 1);
  return static_cast<float>(negative ? -magnitude : magnitude);
}

/// Scales around `size`, and offsets around size · number of levels, within the signs of the grid.
Parameters random_parameters(const Grid& grid, double size, Rng& rng) {
  Parameters wanted;
  for (std::uint32_t g = 0; g < grid.n_groups; ++g) {
    const double width = size * std::exp2(rng.normal() / 2);
    wanted.scale.push_back(with_sign(grid.scale_sign, width, rng));
    wanted.offset.push_back(
        grid.has_offset ? with_sign(grid.offset_sign,
                                    width * rng.uniform() * static_cast<double>(grid.levels.size()), rng)
                        : 0.0F);
  }
  return wanted;
}

std::vector<std::uint8_t> random_codes(const Format& format, Rng& rng) {
  std::vector<std::uint8_t> codes(format.block_size);
  for (auto& code : codes) code = static_cast<std::uint8_t>(rng.below(format.grid->levels.size()));
  return codes;
}

AssertionResult grid_is_well_formed(const Format& format) {
  const Grid& grid = *format.grid;
  if (grid.n_groups == 0 || grid.n_groups > Grid::kMaxGroups || format.block_size > Grid::kMaxBlock ||
      format.block_size % grid.n_groups != 0)
    return AssertionFailure() << "groups do not split the block";
  for (std::size_t c = 1; c < grid.levels.size(); ++c)
    if (!(grid.levels[c - 1] < grid.levels[c]))
      return AssertionFailure() << "level " << c << " does not ascend";
  for (std::size_t c = 0; c < grid.levels.size(); ++c)
    if (grid.uniform && grid.levels[c] != grid.levels[0] + static_cast<float>(c))
      return AssertionFailure() << "level " << c << " is not uniform";
  return AssertionSuccess();
}

/// What is stored is what load() and decode() see, whichever of the two parts is stored first.
AssertionResult stores_what_it_loads(const Format& format) {
  const Grid& grid = *format.grid;
  Rng rng(9);
  // 2^-40 and 2^60: far outside of what a binary16 factor can hold.
  for (const double size : {0.0, 1.0, 0.01, 1e-4, 1e-7, 0x1p-40, 1000.0, 0x1p60}) {
    for (int trial = 0; trial < 50; ++trial) {
      Parameters kept = random_parameters(grid, size, rng);
      const auto codes = random_codes(format, rng);
      std::vector<std::uint8_t> block(format.block_bytes, 0xA5);
      std::vector<std::uint8_t> other_order(format.block_bytes, 0x5A);
      grid.store_codes(codes.data(), other_order.data());
      Parameters same = kept;
      grid.store_parameters(kept.scale.data(), kept.offset.data(), block.data());
      grid.store_codes(codes.data(), block.data());
      grid.store_parameters(same.scale.data(), same.offset.data(), other_order.data());
      if (block != other_order)
        return AssertionFailure() << "the order of storing matters, or bytes stay unset";

      Parameters loaded{std::vector<float>(grid.n_groups), std::vector<float>(grid.n_groups)};
      std::vector<std::uint8_t> loaded_codes(format.block_size);
      grid.load(block.data(), loaded.scale.data(), loaded.offset.data(), loaded_codes.data());
      if (!(loaded == kept))
        return AssertionFailure() << "parameters of size " << size << " come back changed";
      if (loaded_codes != codes) return AssertionFailure() << "codes come back changed";
      if (format.defect != nullptr && format.defect(block.data()) != nullptr)
        return AssertionFailure() << "size " << size << ": own block called defective";

      const std::vector<float> values = decode_block(format, block.data());
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t g = i / (format.block_size / grid.n_groups);
        const float expected = kept.scale[g] * grid.levels[codes[i]] + kept.offset[g];
        if (!(values[i] == expected) || !std::isfinite(expected))
          return AssertionFailure() << "number " << i << " is " << values[i] << ", grid says " << expected;
      }
    }
  }
  return AssertionSuccess();
}

AssertionResult has_sign(float value, Grid::Sign sign) {
  if ((sign == Grid::Sign::non_negative && value < 0) || (sign == Grid::Sign::non_positive && value > 0))
    return AssertionFailure() << value << " has the wrong sign";
  return AssertionSuccess();
}

/// Storing what was read back changes nothing, signs are kept, and what is stored is near what was wanted.
AssertionResult rounds_parameters_soundly(const Format& format) {
  const Grid& grid = *format.grid;
  Rng rng(10);
  // A scale behind a row scale has few bits and need not reach far.
  const bool behind_row_scale = find_format(format.name) != &format;
  for (const double size : behind_row_scale ? std::vector{0.7, 0.9} : std::vector{1.0, 0.01, 30.0}) {
    for (int trial = 0; trial < 200; ++trial) {
      const Parameters wanted = random_parameters(grid, size, rng);
      Parameters kept = wanted;
      std::vector<std::uint8_t> block(format.block_bytes, 0);
      grid.store_parameters(kept.scale.data(), kept.offset.data(), block.data());
      Parameters again = kept;
      grid.store_parameters(again.scale.data(), again.offset.data(), block.data());
      if (!(again == kept)) return AssertionFailure() << "not idempotent, trial " << trial;

      float largest_scale = 0;
      float largest_offset = 0;
      for (std::uint32_t g = 0; g < grid.n_groups; ++g) {
        largest_scale = std::max(largest_scale, std::fabs(wanted.scale[g]));
        largest_offset = std::max(largest_offset, std::fabs(wanted.offset[g]));
      }
      for (std::uint32_t g = 0; g < grid.n_groups; ++g) {
        if (const auto ok = has_sign(kept.scale[g], grid.scale_sign); !ok) return ok;
        if (const auto ok = has_sign(kept.offset[g], grid.offset_sign); !ok) return ok;
        // A power of two is off by up to √2, everything else (4 bits of sub-scale) by less.
        if (std::fabs(kept.scale[g] - wanted.scale[g]) > 0.4143F * largest_scale)
          return AssertionFailure() << "scale " << wanted.scale[g] << " became " << kept.scale[g];
        // A zero point is an integer, and its range ends one scale before the levels do.
        const bool zero_point =
            grid.has_offset && kept.offset[g] == kept.scale[g] * std::rint(kept.offset[g] / kept.scale[g]);
        const float slack = zero_point ? 1.01F * std::fabs(kept.scale[g]) : 0.0F;
        if (std::fabs(kept.offset[g] - wanted.offset[g]) > 0.06F * largest_offset + slack)
          return AssertionFailure() << "offset " << wanted.offset[g] << " became " << kept.offset[g];
      }
    }
  }
  return AssertionSuccess();
}

AssertionResult all_zero_is_stored_as_zero(const Format& format) {
  const Grid& grid = *format.grid;
  std::vector<float> scale(grid.n_groups, 0.0F);
  std::vector<float> offset(grid.n_groups, 0.0F);
  std::vector<std::uint8_t> block(format.block_bytes, 0xFF);
  grid.store_parameters(scale.data(), offset.data(), block.data());
  // Where no scale is 0 there is a level 0.
  const auto zero = std::find(grid.levels.begin(), grid.levels.end(), 0.0F) - grid.levels.begin();
  const std::size_t code = scale[0] < 0x1p-100F ? 0 : static_cast<std::size_t>(zero);
  if (code == grid.levels.size()) return AssertionFailure() << "neither a scale nor a level is 0";
  grid.store_codes(std::vector<std::uint8_t>(format.block_size, static_cast<std::uint8_t>(code)).data(),
                   block.data());
  for (const float value : decode_block(format, block.data()))
    if (!(std::fabs(value) <= 0x1p-100F)) return AssertionFailure() << "zero scale decodes to " << value;
  return AssertionSuccess();
}

// --- every registered format -----------------------------------------------------------------------

using Filter = bool (*)(const Format&);

std::vector<const Format*> formats_that(Filter filter) {
  std::vector<const Format*> chosen;
  for (const Format* format : all_formats())
    if (filter(*format)) chosen.push_back(format);
  return chosen;
}

/// Grids of their own and those behind a row scale.
std::vector<const Format*> formats_with_grid() {
  std::vector<const Format*> chosen;
  for (const Format* format : all_formats()) {
    if (format->row_scale != nullptr) format = format->row_scale->inner;
    if (format->grid != nullptr && std::find(chosen.begin(), chosen.end(), format) == chosen.end())
      chosen.push_back(format);
  }
  return chosen;
}

std::string name_of(const testing::TestParamInfo<const Format*>& info) {
  std::string name(info.param->name);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

class EveryFormat : public testing::TestWithParam<const Format*> {};
TEST_P(EveryFormat, DecodesAnyBytes) {
  EXPECT_TRUE(decodes_exactly_n_numbers(*GetParam()));
  EXPECT_TRUE(tails_are_the_beginnings_of_blocks(*GetParam()));
  EXPECT_TRUE(sound_blocks_are_finite(*GetParam()));
}
INSTANTIATE_TEST_SUITE_P(Conformance, EveryFormat,
                         testing::ValuesIn(formats_that([](const Format&) { return true; })), name_of);

class BlockFormat : public testing::TestWithParam<const Format*> {};
TEST_P(BlockFormat, DecodesWhatOtherProgramsDecode) {
  EXPECT_TRUE(decodes_golden(*GetParam()));
}
INSTANTIATE_TEST_SUITE_P(Conformance, BlockFormat, testing::ValuesIn(formats_that([](const Format& f) {
                           return !f.plain() && f.in_gguf();
                         })),
                         name_of);

class WritablePlainFormat : public testing::TestWithParam<const Format*> {};
TEST_P(WritablePlainFormat, EncodesWhatItDecodes) {
  EXPECT_TRUE(encodes_what_it_decodes(*GetParam()));
}
INSTANTIATE_TEST_SUITE_P(Conformance, WritablePlainFormat,
                         testing::ValuesIn(formats_that([](const Format& f) {
                           return f.plain() && f.encode_plain != nullptr;
                         })),
                         name_of);

class GridFormat : public testing::TestWithParam<const Format*> {};
TEST_P(GridFormat, KeepsItsPromises) {
  ASSERT_TRUE(grid_is_well_formed(*GetParam()));
  EXPECT_TRUE(stores_what_it_loads(*GetParam()));
  EXPECT_TRUE(rounds_parameters_soundly(*GetParam()));
  EXPECT_TRUE(all_zero_is_stored_as_zero(*GetParam()));
}
INSTANTIATE_TEST_SUITE_P(Conformance, GridFormat, testing::ValuesIn(formats_with_grid()), name_of);

// --- the checks have teeth ---------------------------------------------------------------------------

template <const Format& kFormat>
struct Broken {
  static void decode_off_by_one_ulp(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
    kFormat.decode(src, dst, n);
    if (n > 0) dst[n - 1] = std::nextafter(dst[n - 1], 1e30F);
  }
  static void decode_one_too_few(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
    if (n > 0) kFormat.decode(src, dst, n - kFormat.block_size);
  }
  static void keep_wanted_scale(float* scale, float* offset, std::uint8_t* block) noexcept {
    const float wanted = scale[0];
    kFormat.grid->store_parameters(scale, offset, block);
    scale[0] = wanted;
  }
  static void store_first_code_as_zero(const std::uint8_t* codes, std::uint8_t* block) noexcept {
    std::vector<std::uint8_t> changed(codes, codes + kFormat.block_size);
    changed[0] = 0;
    kFormat.grid->store_codes(changed.data(), block);
  }
  static void halve_scales(float* scale, float* offset, std::uint8_t* block) noexcept {
    for (std::uint32_t g = 0; g < kFormat.grid->n_groups; ++g) scale[g] *= 0.5F;
    kFormat.grid->store_parameters(scale, offset, block);
  }
};

TEST(ConformanceChecks, RejectWrongFormats) {
  using Breaks = Broken<formats::q4_k>;
  Format wrong = formats::q4_k;
  wrong.decode = Breaks::decode_off_by_one_ulp;
  EXPECT_FALSE(decodes_golden(wrong));
  EXPECT_FALSE(stores_what_it_loads(wrong));
  wrong = formats::q4_k;
  wrong.decode = Breaks::decode_one_too_few;
  EXPECT_FALSE(decodes_exactly_n_numbers(wrong));
  wrong = formats::q4_k;
  wrong.defect = nullptr;
  EXPECT_FALSE(sound_blocks_are_finite(wrong));
  wrong = formats::bf16;
  wrong.encode_plain = formats::f16.encode_plain;
  EXPECT_FALSE(encodes_what_it_decodes(wrong));

  Grid grid = *formats::q4_k.grid;
  wrong = formats::q4_k;
  wrong.grid = &grid;
  grid.store_parameters = Breaks::keep_wanted_scale;
  EXPECT_FALSE(stores_what_it_loads(wrong));
  grid = *formats::q4_k.grid;
  grid.store_codes = Breaks::store_first_code_as_zero;
  EXPECT_FALSE(stores_what_it_loads(wrong));
  grid = *formats::q4_k.grid;
  grid.store_parameters = Breaks::halve_scales;
  EXPECT_FALSE(rounds_parameters_soundly(wrong));
  grid = *formats::q4_k.grid;
  grid.levels = grid.levels.subspan(1);
  EXPECT_FALSE(stores_what_it_loads(wrong));
  grid.uniform = true;
  grid.n_groups = 7;
  EXPECT_FALSE(grid_is_well_formed(wrong));
}

}  // namespace
}  // namespace kerf
