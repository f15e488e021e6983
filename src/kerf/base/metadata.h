// A typed, ordered key-value store: what a GGUF header holds. Models read from elsewhere are given the same
// keys, so that everything above reads one kind of description.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "kerf/base/result.h"

namespace kerf {

/// Value types with their numbers in GGUF files: do not renumber.
enum class MetaType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

/// «u32», «string» …
[[nodiscard]] std::string_view name_of(MetaType type) noexcept;

/// One value or one flat array. `type` is the on-disk type of the value, or of the elements of an array.
/// Integers and bools are held as 64 bits (u64 in two's complement), f32 and f64 as double.
struct MetaValue {
  MetaType type = MetaType::u32;
  std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>,
               std::vector<std::string>>
      value;

  [[nodiscard]] bool is_array() const noexcept { return value.index() >= 3; }

  static MetaValue of_u32(std::uint32_t v) { return {MetaType::u32, static_cast<std::int64_t>(v)}; }
  static MetaValue of_u64(std::uint64_t v) { return {MetaType::u64, static_cast<std::int64_t>(v)}; }
  static MetaValue of_i32(std::int32_t v) { return {MetaType::i32, static_cast<std::int64_t>(v)}; }
  static MetaValue of_f32(float v) { return {MetaType::f32, static_cast<double>(v)}; }
  static MetaValue of_bool(bool v) { return {MetaType::boolean, static_cast<std::int64_t>(v)}; }
  static MetaValue of_string(std::string v) { return {MetaType::string, std::move(v)}; }
  static MetaValue of_strings(std::vector<std::string> v) { return {MetaType::string, std::move(v)}; }
  static MetaValue of_i32s(std::vector<std::int64_t> v) { return {MetaType::i32, std::move(v)}; }
  static MetaValue of_f32s(std::vector<double> v) { return {MetaType::f32, std::move(v)}; }
};

class Metadata {
 public:
  using Entry = std::pair<std::string, MetaValue>;

  /// `where` names the file in errors.
  explicit Metadata(std::string where = {}) : where_(std::move(where)) {}

  /// Adds at the end, or replaces in place.
  void set(std::string key, MetaValue value);
  void erase(std::string_view key);
  [[nodiscard]] bool contains(std::string_view key) const { return find(key) != nullptr; }
  /// nullptr if there is no such key.
  [[nodiscard]] const MetaValue* find(std::string_view key) const;
  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
  [[nodiscard]] const std::string& where() const noexcept { return where_; }

  /// Typed reads. A missing key is ErrorKind::not_found; a key of another type is ErrorKind::input.
  /// Any integer type that holds a non-negative value will do for u64().
  [[nodiscard]] Result<std::uint64_t> u64(std::string_view key) const;
  [[nodiscard]] Result<double> f64(std::string_view key) const;  ///< accepts integers too
  [[nodiscard]] Result<bool> boolean(std::string_view key) const;
  [[nodiscard]] Result<std::string> string(std::string_view key) const;
  /// Pointers into the store, valid until it changes.
  [[nodiscard]] Result<const std::vector<std::string>*> strings(std::string_view key) const;
  [[nodiscard]] Result<const std::vector<std::int64_t>*> integers(std::string_view key) const;
  [[nodiscard]] Result<const std::vector<double>*> floats(std::string_view key) const;

  /// The same with a value for a missing key; a key of another type is still an error.
  [[nodiscard]] Result<std::uint64_t> u64_or(std::string_view key, std::uint64_t missing) const;
  [[nodiscard]] Result<double> f64_or(std::string_view key, double missing) const;
  [[nodiscard]] Result<bool> boolean_or(std::string_view key, bool missing) const;
  [[nodiscard]] Result<std::string> string_or(std::string_view key, std::string missing) const;

 private:
  std::string where_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace kerf
