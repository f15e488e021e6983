// A pull reader for the large parts of tokenizer.json: a vocabulary of 150 000 entries is read straight into
// its tables. Small parts go to parse_json().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kerf/base/result.h"

namespace kerf::text {

/// Reads values one after the other. The first thing that is not as asked for sets the error, after which
/// every call does nothing and returns false. Nesting is limited to 64.
class JsonReader {
 public:
  /// `text` must outlive the reader. `where` names the file in errors.
  JsonReader(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {}

  /// Enters an object; then next_key() gives key after key, and after each the value must be read.
  bool begin_object() { return open('{'); }
  bool next_key(std::string& key);
  /// Enters an array; then next_element() is true before each element.
  bool begin_array() { return open('['); }
  bool next_element() { return next(']'); }

  bool read_string(std::string& value);
  bool read_number(double& value);
  bool read_integer(std::int64_t& value);
  /// Any value, unread, as it stands in the text. Only its nesting is checked.
  bool raw(std::string_view& value);

  /// The first character of the value to come: «{», «[», «"» …; '\0' at the end.
  [[nodiscard]] char peek();
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] tl::unexpected<Error> error() const;

 private:
  void skip_blanks();
  bool open(char bracket);
  bool next(char closing);
  bool skip_string();
  bool read_escape(std::string& value);
  bool read_hex(std::uint32_t& code);
  bool wrong(const char* expected);

  std::string_view text_;
  std::string where_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool first_ = false;  // whether the bracket before has just been opened
  bool failed_ = false;
  const char* expected_ = "";
};

}  // namespace kerf::text
