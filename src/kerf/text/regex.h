// Regular expressions as tokenizer.json files hold them (Oniguruma's syntax), run by PCRE2.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kerf/base/result.h"

namespace kerf::text {

struct Span {
  std::size_t begin;
  std::size_t end;
};

class Regex {
 public:
  /// Errors: input if the expression is malformed, unsupported if it means something else to PCRE2.
  static Result<Regex> compile(std::string_view pattern, const std::string& where);
  /// One that finds `text` itself.
  static Regex literal(std::string_view text);

  /// Walks the matches of one text. An expression that exhausts its limits matches nothing from there on,
  /// so that hostile patterns cost bounded time and have a defined result.
  class Matches {
   public:
    /// `text` must be valid UTF-8 and outlive the object.
    Matches(const Regex& regex, std::string_view text);
    ~Matches();
    Matches(const Matches&) = delete;
    Matches& operator=(const Matches&) = delete;
    [[nodiscard]] std::optional<Span> next();

   private:
    const Regex& regex_;
    std::string_view text_;
    void* data_;
    std::size_t at_ = 0;
    bool done_ = false;
  };

 private:
  struct Code;
  explicit Regex(std::shared_ptr<const Code> code) : code_(std::move(code)) {}
  std::shared_ptr<const Code> code_;
};

}  // namespace kerf::text
