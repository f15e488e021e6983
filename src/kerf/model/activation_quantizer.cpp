#include "kerf/model/activation_quantizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kerf/numbers/minifloat.h"

namespace kerf {
namespace {

constexpr float kE4M3Unit = 512.0F;  // the smallest E4M3 number is 2^−9

std::optional<CodeType> code_type(std::string_view name) {
  using Kind = CodeType::Kind;
  if (name == "int8") return CodeType{Kind::signed_integer, 8};
  if (name == "int4") return CodeType{Kind::signed_integer, 4};
  if (name == "uint8") return CodeType{Kind::unsigned_integer, 8};
  if (name == "uint4") return CodeType{Kind::unsigned_integer, 4};
  if (name == "fp8-e4m3") return CodeType{Kind::e4m3, 8};
  return std::nullopt;
}

/// What stands before and after the first colon.
std::pair<std::string_view, std::string_view> cut(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

bool parse_scope(std::string_view text, ActivationSpec& spec) {
  using Scope = ActivationSpec::Scope;
  if (text == "token") return spec.scope = Scope::token, true;
  if (text == "tensor") return spec.scope = Scope::tensor, true;
  if (text == "static") return spec.scope = Scope::fixed, true;
  const auto [word, number] = cut(text);
  if (word != "group") return false;
  spec.scope = Scope::group;
  const char* end = number.data() + number.size();
  const auto [rest, error] = std::from_chars(number.data(), end, spec.group);
  return error == std::errc() && rest == end && spec.group > 0;
}

float quantize_signed(float most, double magnitude, std::span<const float> x, std::int32_t* codes) noexcept {
  const auto scale = static_cast<float>(magnitude / most);
  for (std::size_t i = 0; i < x.size(); ++i)
    codes[i] =
        scale > 0 ? static_cast<std::int32_t>(std::clamp(std::nearbyint(x[i] / scale), -most, most)) : 0;
  return scale;
}

float quantize_unsigned(float most, const ActivationRange& range, std::span<const float> x,
                        std::int32_t* codes) noexcept {
  const double low = std::min(range.low, 0.0);
  const auto scale = static_cast<float>((std::max(range.high, 0.0) - low) / most);
  const float zero = scale > 0 ? std::clamp(std::nearbyint(static_cast<float>(-low) / scale), 0.0F, most) : 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    codes[i] = scale > 0
                   ? static_cast<std::int32_t>(std::clamp(std::nearbyint(x[i] / scale), -zero, most - zero))
                   : 0;
  return scale;
}

float quantize_e4m3(double magnitude, std::span<const float> x, std::int32_t* codes) noexcept {
  const auto scale = static_cast<float>(magnitude / 448.0);
  for (std::size_t i = 0; i < x.size(); ++i)
    codes[i] =
        scale > 0 ? static_cast<std::int32_t>(kE4M3Unit * E4M3::decode(E4M3::encode(x[i] / scale))) : 0;
  return scale / kE4M3Unit;
}

}  // namespace

Result<ActivationSpec> parse_activation_spec(std::string_view text) {
  ActivationSpec spec;
  if (text == "llm-int8") {
    spec.splits_outliers = true;
    return spec;
  }
  const auto [code, scope] = cut(text);
  const auto type = code_type(code);
  if (!type || !parse_scope(scope, spec))
    return fail(ErrorKind::usage, "--activations",
                fmt::format("«{}» is not llm-int8 nor TYPE:SCOPE with TYPE int8, uint8, int4, uint4 or "
                            "fp8-e4m3 and SCOPE token, tensor, static or group:N",
                            text));
  spec.code = *type;
  return spec;
}

Result<std::optional<CodeType>> parse_weight_spec(std::string_view text) {
  if (text == "file") return std::optional<CodeType>();
  const auto [code, scope] = cut(text);
  const auto type = code_type(code);
  if (!type || !type->symmetric() || scope != "row")
    return fail(ErrorKind::usage, "--weights",
                fmt::format("«{}» is none of file, int8:row, int4:row and fp8-e4m3:row", text));
  return type;
}

ActivationRange range_of(std::span<const float> x) noexcept {
  ActivationRange range;
  for (const float value : x) {
    range.low = std::min<double>(range.low, value);
    range.high = std::max<double>(range.high, value);
  }
  return range;
}

float quantize_span(CodeType type, std::span<const float> x, const ActivationRange& range,
                    std::int32_t* codes) noexcept {
  const double magnitude = std::max(-range.low, range.high);
  if (type.kind == CodeType::Kind::e4m3) return quantize_e4m3(magnitude, x, codes);
  if (type.kind == CodeType::Kind::unsigned_integer)
    return quantize_unsigned(static_cast<float>((1 << type.bits) - 1), range, x, codes);
  return quantize_signed(static_cast<float>((1 << (type.bits - 1)) - 1), magnitude, x, codes);
}

QuantizedRows quantize_rows(const ActivationSpec& spec, std::span<const float> x, std::size_t n_cols,
                            const ActivationRange& range) {
  using Scope = ActivationSpec::Scope;
  QuantizedRows rows;
  rows.n_cols = n_cols;
  rows.group = spec.scope == Scope::group ? std::min(spec.group, n_cols) : n_cols;
  rows.codes.resize(x.size());
  const ActivationRange whole = spec.scope == Scope::tensor ? range_of(x) : range;
  const bool own_range = spec.scope == Scope::token || spec.scope == Scope::group;
  for (std::size_t row = 0; row < x.size(); row += n_cols) {
    for (std::size_t begin = 0; begin < n_cols; begin += rows.group) {
      const auto part = x.subspan(row + begin, std::min(rows.group, n_cols - begin));
      rows.scales.push_back(quantize_span(spec.code, part, own_range ? range_of(part) : whole,
                                          rows.codes.data() + row + begin));
    }
  }
  return rows;
}

}  // namespace kerf
