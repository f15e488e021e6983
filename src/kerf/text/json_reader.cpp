#include "kerf/text/json_reader.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "kerf/text/unicode.h"

namespace kerf::text {
namespace {

constexpr int kMaxDepth = 64;

bool is_blank(char c) noexcept {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

}  // namespace

void JsonReader::skip_blanks() {
  while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
}

char JsonReader::peek() {
  skip_blanks();
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonReader::wrong(const char* expected) {
  if (!failed_) expected_ = expected;
  failed_ = true;
  return false;
}

tl::unexpected<Error> JsonReader::error() const {
  return fail(ErrorKind::input, where_, fmt::format("byte {} is not {}", at_, expected_));
}

bool JsonReader::open(char bracket) {
  if (failed_ || peek() != bracket)
    return wrong(bracket == '{' ? "the object that belongs there" : "the list that belongs there");
  if (++depth_ > kMaxDepth) return wrong("nested less than 64 deep");
  ++at_;
  first_ = true;
  return true;
}

bool JsonReader::next(char closing) {
  if (failed_) return false;
  if (peek() == closing) {
    ++at_;
    --depth_;
    first_ = false;
    return false;
  }
  if (!first_) {
    if (peek() != ',') return wrong("a comma");
    ++at_;
  }
  first_ = false;
  return true;
}

bool JsonReader::next_key(std::string& key) {
  if (!next('}') || !read_string(key)) return false;
  if (peek() != ':') return wrong("a colon");
  ++at_;
  return true;
}

bool JsonReader::read_string(std::string& value) {
  value.clear();
  if (failed_ || peek() != '"') return wrong("a string");
  ++at_;
  first_ = false;
  while (at_ < text_.size()) {
    std::size_t end = at_;
    while (end < text_.size() && text_[end] != '"' && text_[end] != '\\' &&
           static_cast<unsigned char>(text_[end]) >= 0x20)
      ++end;
    value.append(text_, at_, end - at_);
    at_ = end;
    if (at_ == text_.size() || static_cast<unsigned char>(text_[at_]) < 0x20) break;
    ++at_;
    if (text_[end] == '"') return true;
    if (!read_escape(value)) return false;
  }
  return wrong("the end of a string");
}

bool JsonReader::read_escape(std::string& value) {
  if (at_ == text_.size()) return wrong("an escape");
  const char c = text_[at_++];
  static constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
  if (const std::size_t i = kNames.find(c); i != std::string_view::npos) {
    value.push_back(kValues[i]);
    return true;
  }
  std::uint32_t code = 0;
  if (c != 'u' || !read_hex(code)) return wrong("an escape");
  if (code >= 0xD800 && code < 0xDC00) {
    std::uint32_t low = 0;
    if (!text_.substr(at_).starts_with("\\u")) return wrong("the second half of a surrogate pair");
    at_ += 2;
    if (!read_hex(low) || low < 0xDC00 || low > 0xDFFF) return wrong("the second half of a surrogate pair");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  } else if (code >= 0xDC00 && code < 0xE000) {
    return wrong("the first half of a surrogate pair");
  }
  append_utf8(value, code);
  return true;
}

bool JsonReader::read_hex(std::uint32_t& code) {
  if (text_.size() - at_ < 4) return false;
  const char* begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, begin + 4, code, 16);
  if (error != std::errc() || end != begin + 4) return false;
  at_ += 4;
  return true;
}

bool JsonReader::read_number(double& value) {
  if (failed_) return false;
  skip_blanks();
  first_ = false;
  const char* begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
  if (error != std::errc()) return wrong("a number");
  at_ += static_cast<std::size_t>(end - begin);
  return true;
}

bool JsonReader::read_integer(std::int64_t& value) {
  if (failed_) return false;
  skip_blanks();
  first_ = false;
  const char* begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
  if (error != std::errc()) return wrong("an integer");
  at_ += static_cast<std::size_t>(end - begin);
  return true;
}

bool JsonReader::skip_string() {
  for (++at_; at_ < text_.size(); ++at_) {
    const void* quote = std::memchr(text_.data() + at_, '"', text_.size() - at_);
    if (quote == nullptr) break;
    at_ = static_cast<std::size_t>(static_cast<const char*>(quote) - text_.data());
    std::size_t backslashes = 0;
    while (text_[at_ - 1 - backslashes] == '\\') ++backslashes;
    if (backslashes % 2 == 0) {
      ++at_;
      return true;
    }
  }
  at_ = text_.size();
  return wrong("the end of a string");
}

bool JsonReader::raw(std::string_view& value) {
  if (failed_) return false;
  skip_blanks();
  first_ = false;
  const std::size_t begin = at_;
  const int outside = depth_;
  do {
    const char c = peek();
    if (c == '\0') return wrong("a value");
    if (c == '"') {
      if (!skip_string()) return false;
      continue;
    }
    if (c == '{' || c == '[') {
      if (++depth_ > kMaxDepth) return wrong("nested less than 64 deep");
      ++at_;
    } else if (c == '}' || c == ']') {
      if (--depth_ < outside) return wrong("a value");
      ++at_;
    } else if (c == ',' || c == ':') {
      if (depth_ == outside) return wrong("a value");
      ++at_;
    } else {
      while (at_ < text_.size() && std::strchr(",:{}[]\" \n\r\t", text_[at_]) == nullptr) ++at_;
    }
  } while (depth_ > outside);
  value = text_.substr(begin, at_ - begin);
  return true;
}

}  // namespace kerf::text
