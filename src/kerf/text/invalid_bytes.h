// Lets text with invalid UTF-8 pass through steps that need valid text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kerf::text {

/// Writes each invalid byte as one character of a block of 256 private-use characters that the text does not
/// use itself, and puts the bytes back in the words that come out at the other end.
class InvalidBytes {
 public:
  /// `text` with its invalid bytes hidden. Valid text is returned as it is and costs one pass.
  std::string_view hide(std::string_view text);
  [[nodiscard]] bool any() const noexcept { return block_ != 0; }
  /// A part of what hide() returned, with the bytes in place.
  [[nodiscard]] std::string restore(std::string_view hidden) const;

 private:
  std::string hidden_;
  char32_t block_ = 0;  // first character of the block; 0 while nothing is hidden
};

}  // namespace kerf::text
