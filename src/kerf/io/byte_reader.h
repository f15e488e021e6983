// A cursor over the bytes of a header. Nothing is read past the end, and every error says where it stood.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "kerf/base/bits.h"
#include "kerf/base/file.h"
#include "kerf/base/result.h"

namespace kerf {

class ByteReader {
 public:
  /// `where` names the file in errors.
  ByteReader(Bytes bytes, std::string where) : bytes_(bytes), where_(std::move(where)) {}

  /// What is being read («tensor «output.weight»»), put in front of errors.
  void set_subject(std::string subject) { subject_ = std::move(subject); }
  [[nodiscard]] const std::string& subject() const noexcept { return subject_; }
  [[nodiscard]] const std::string& where() const noexcept { return where_; }
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
  [[nodiscard]] std::uint64_t left() const noexcept { return bytes_.size() - offset_; }

  /// A little-endian number. `what` names it in the error.
  template <class T>
  Result<T> number(std::string_view what) {
    static_assert(std::is_arithmetic_v<T>);
    if (left() < sizeof(T)) return past_end(what, sizeof(T));
    const T value = load_le<T>(bytes_.data() + offset_);
    offset_ += sizeof(T);
    return value;
  }

  /// `n` bytes, in place.
  Result<Bytes> bytes(std::uint64_t n, std::string_view what) {
    if (left() < n) return past_end(what, n);
    const Bytes part = bytes_.subspan(offset_, n);
    offset_ += n;
    return part;
  }

  /// A u64 length and that many bytes, in place.
  Result<std::string_view> string(std::string_view what) {
    KERF_TRY(const auto length, number<std::uint64_t>(what));
    KERF_TRY(const Bytes text, bytes(length, what));
    return std::string_view(reinterpret_cast<const char*>(text.data()), text.size());
  }

  /// An error about what was just read: file, subject, reason.
  [[nodiscard]] tl::unexpected<Error> fail_here(ErrorKind kind, std::string reason) const;

 private:
  [[nodiscard]] tl::unexpected<Error> past_end(std::string_view what, std::uint64_t n_bytes) const;

  Bytes bytes_;
  std::uint64_t offset_ = 0;
  std::string where_;
  std::string subject_;
};

/// The way out for files whose bytes are not what their writer wrote.
inline constexpr std::string_view kFetchAgain = "the file is damaged or cut short: fetch it again";

}  // namespace kerf
