#include "kerf/text/regex.h"

#include <fmt/format.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "kerf/base/check.h"
#include "kerf/text/unicode.h"

namespace kerf::text {
namespace {

constexpr std::size_t kMaxPatternBytes = 1 << 16;
constexpr std::uint32_t kMatchLimit = 1'000'000;
constexpr std::uint32_t kHeapLimitKib = 64 * 1024;

// PCRE2's \s has U+180E as well, which is not white space since Unicode 6.3; its \w lacks marks and symbols
// that count as alphabetic, and has the numbers that are not digits.
constexpr std::string_view kWhiteSpace =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kWordCharacter =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";

/// Rewrites what means something else to PCRE2 than to Oniguruma.
class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  Result<std::string> translate(const std::string& where) {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '\\' && at_ + 1 < pattern_.size()) {
        escape(pattern_[at_ + 1]);
        at_ += 2;
        continue;
      }
      if (in_class_ && (c == '[' || pattern_.substr(at_).starts_with("&&")))
        return fail(
            ErrorKind::unsupported, where,
            fmt::format("the regular expression «{}» has a character class inside another", pattern_));
      if (c == '[') {
        open_class();
        continue;
      }
      if (c == ']') in_class_ = false;
      result_ += c;
      ++at_;
    }
    return std::move(result_);
  }

 private:
  void escape(char c) {
    const std::string_view members = c == 's' || c == 'S' ? kWhiteSpace : kWordCharacter;
    const bool positive = c == 's' || c == 'w';
    const bool known = positive || ((c == 'S' || c == 'W') && !in_class_);
    if (!known)
      result_.append({'\\', c});
    else if (in_class_)
      result_ += members;
    else
      result_.append(positive ? "[" : "[^").append(members).append("]");
  }

  /// A «]» right after «[» or «[^» is a member, not the end.
  void open_class() {
    const auto next_is = [&](char c) { return at_ < pattern_.size() && pattern_[at_] == c; };
    in_class_ = true;
    result_ += pattern_[at_++];
    if (next_is('^')) result_ += pattern_[at_++];
    if (next_is(']')) result_.append({'\\', pattern_[at_++]});
  }

  std::string_view pattern_;
  std::string result_;
  std::size_t at_ = 0;
  bool in_class_ = false;
};

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;
  bool compiled_to_machine_code = false;
  Code() = default;
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

namespace {

PCRE2_SPTR bytes_of(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

}  // namespace

Result<Regex> Regex::compile(std::string_view pattern, const std::string& where) {
  if (pattern.size() > kMaxPatternBytes)
    return fail(
        ErrorKind::unsupported, where,
        fmt::format("a regular expression of {} bytes is longer than kerf takes (64 KiB)", pattern.size()));
  KERF_TRY(const std::string translated, Translator(pattern).translate(where));
  auto code = std::make_shared<Code>();
  int error = 0;
  PCRE2_SIZE offset = 0;
  // Line anchors match at every line, as in Oniguruma's default syntax.
  code->code = pcre2_compile(bytes_of(translated), translated.size(),
                             PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
                             &offset, nullptr);
  if (code->code == nullptr) {
    PCRE2_UCHAR message[160];
    pcre2_get_error_message(error, message, sizeof message);
    return fail(ErrorKind::input, where,
                fmt::format("the regular expression «{}» is malformed: {}", pattern,
                            reinterpret_cast<const char*>(message)));
  }
  code->compiled_to_machine_code = pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE) == 0;
  code->context = pcre2_match_context_create(nullptr);
  KERF_CHECK(code->context != nullptr);
  pcre2_set_match_limit(code->context, kMatchLimit);
  pcre2_set_heap_limit(code->context, kHeapLimitKib);
  return Regex(std::move(code));
}

Regex Regex::literal(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 0x80 || class_of_ascii(byte) == CharClass::letter;
    pattern += plain ? std::string(1, c) : fmt::format("\\x{{{:x}}}", byte);
  }
  auto regex = compile(pattern, {});
  KERF_CHECK(regex.has_value());
  return *std::move(regex);
}

Regex::Matches::Matches(const Regex& regex, std::string_view text)
    : regex_(regex), text_(text), data_(pcre2_match_data_create(1, nullptr)) {
  KERF_CHECK(data_ != nullptr);
}

Regex::Matches::~Matches() {
  pcre2_match_data_free(static_cast<pcre2_match_data*>(data_));
}

std::optional<Span> Regex::Matches::next() {
  auto* data = static_cast<pcre2_match_data*>(data_);
  const Code& code = *regex_.code_;
  if (done_ || at_ > text_.size()) return std::nullopt;
  const auto match = [&](std::uint32_t options) {
    return pcre2_match(code.code, bytes_of(text_), text_.size(), at_, PCRE2_NO_UTF_CHECK | options, data,
                       code.context);
  };
  int status = match(0);
  // The machine code's stack is small; the interpreter's is the heap, up to the limit.
  if (status == PCRE2_ERROR_JIT_STACKLIMIT) status = match(PCRE2_NO_JIT);
  if (status < 0) {
    done_ = true;
    return std::nullopt;
  }
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data);
  // \K inside a lookahead can put the start behind the end; such a match is taken as empty.
  const Span span{ends[0] < ends[1] ? ends[0] : ends[1], ends[1]};
  // After an empty match the search goes on behind the next character.
  at_ = span.end;
  if (span.begin == span.end) at_ += at_ < text_.size() ? decode_utf8(text_.substr(at_)).length : 1;
  return span;
}

}  // namespace kerf::text
