#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "kerf/cli/common.h"
#include "kerf/cli/inspect_report.h"
#include "kerf/io/printable.h"

namespace kerf::cli {
namespace {

constexpr std::size_t kMinColumns = 60;
constexpr std::size_t kShownOfArray = 8;

/// At most `columns` characters, with «…» where something was cut.
std::string cut(const std::string& text, std::size_t columns) {
  const std::string whole = fmt::format("{:.{}}", text, columns);
  return whole.size() == text.size() ? text : fmt::format("{:.{}}…", text, columns - 1);
}

/// 134515008 → «134 515 008».
std::string grouped(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, " ");
  return digits;
}

/// 134515008 → «134.5 M».
std::string rounded_count(std::uint64_t n) {
  if (n < 100'000) return grouped(n);
  const auto x = static_cast<double>(n);
  return x < 1e9 ? fmt::format("{:.4g} M", x / 1e6) : fmt::format("{:.4g} B", x / 1e9);
}

/// A bar of `columns` characters for `part` of a whole, in eighths of a character.
std::string bar(double part, std::size_t columns) {
  static constexpr std::string_view kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<std::size_t>(part * 8.0 * static_cast<double>(columns) + 0.5);
  std::string out;
  for (std::size_t i = 0; i < eighths / 8; ++i) out += "█";
  out += kEighths[eighths % 8];
  return fmt::format("{:<{}}", out, columns);
}

std::string show(std::int64_t value, MetaType type) {
  if (type == MetaType::boolean) return value != 0 ? "true" : "false";
  if (type == MetaType::u64) return fmt::format("{}", static_cast<std::uint64_t>(value));
  return fmt::format("{}", value);
}
std::string show(double value, MetaType) {
  return fmt::format("{:.7g}", value);
}
std::string show(const std::string& value, MetaType) {
  return fmt::format("“{}”", printable(value, 400));
}

template <class T>
std::string show(const std::vector<T>& values, MetaType type) {
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(values.size(), kShownOfArray); ++i)
    shown.push_back(show(values[i], type));
  return fmt::format("[{}{}]", fmt::join(shown, ", "), values.size() > kShownOfArray ? ", …" : "");
}

std::string show(const MetaValue& value) {
  return std::visit([&](const auto& held) { return show(held, value.type); }, value.value);
}

/// «u32», «string[49152]».
std::string type_of(const MetaValue& value) {
  return std::visit(
      [&](const auto& held) {
        if constexpr (requires { held.size(); })
          if (value.is_array()) return fmt::format("{}[{}]", name_of(value.type), held.size());
        return std::string(name_of(value.type));
      },
      value.value);
}

class TextView {
 public:
  TextView(const InspectReport& report, const TextOptions& options)
      : report_(report), options_(options), columns_(std::max(options.columns, kMinColumns)) {}

  std::string text() && {
    header();
    chart("Bytes by type", report_.types);
    chart("Bytes by role", report_.roles);
    if (options_.tensors) tensors();
    if (options_.metadata) metadata();
    if (!options_.tensors || !options_.metadata)
      line(fmt::format("\nMore: {}", options_.tensors    ? "--metadata"
                                     : options_.metadata ? "--tensors"
                                                         : "--tensors, --metadata"));
    return std::move(out_);
  }

 private:
  void line(const std::string& text) {
    out_ += text;
    out_ += '\n';
  }
  void fact(std::string_view name, const std::string& value) {
    line(fmt::format("  {:<13} {}", name, cut(value, columns_ - 16)));
  }
  void header();
  void dimensions();
  void tokenizer();
  void chart(std::string_view title, const std::vector<Share>& shares);
  void tensors();
  void metadata();

  const InspectReport& report_;
  const TextOptions& options_;
  std::size_t columns_;
  std::string out_;
};

void TextView::header() {
  const ModelFile& model = report_.model;
  line(printable(model.container.path.string(), 1000));
  fact("format",
       fmt::format("{}, {}", model.kind, human_bytes(static_cast<double>(model.container.file_bytes))));
  if (!report_.architecture.empty()) fact("architecture", printable(report_.architecture));
  if (const auto name = model.description.string("general.name")) fact("name", printable(*name));
  fact("parameters",
       fmt::format("{} in {} tensors", grouped(report_.n_parameters), model.container.tensors.size()));
  fact("bits/weight", fmt::format("{:.3f}", report_.bits_per_weight));
  dimensions();
  tokenizer();
  if (!model.no_description.empty()) line(fmt::format("  not described: {}", model.no_description));
}

void TextView::dimensions() {
  static constexpr std::pair<std::string_view, std::string_view> kKeys[] = {
      {"layers", "block_count"},
      {"width", "embedding_length"},
      {"ffn width", "feed_forward_length"},
      {"heads", "attention.head_count"},
      {"kv heads", "attention.head_count_kv"},
      {"experts", "expert_count"},
      {"context", "context_length"}};
  std::vector<std::string> parts;
  for (const auto& [name, key] : kKeys)
    if (const auto value = report_.model.description.u64(fmt::format("{}.{}", report_.architecture, key)))
      parts.push_back(fmt::format("{} {}", name, *value));
  if (!parts.empty()) fact("dimensions", fmt::format("{}", fmt::join(parts, ", ")));
}

void TextView::tokenizer() {
  if (report_.tokenizer.empty() && report_.n_tokens == 0) return;
  fact("tokenizer", fmt::format("{}, {} tokens", printable(report_.tokenizer), grouped(report_.n_tokens)));
  for (const SpecialToken& token : report_.special)
    fact("", fmt::format("{} {} {}", printable(token.name), token.id, printable(token.piece, 40)));
}

void TextView::chart(std::string_view title, const std::vector<Share>& shares) {
  constexpr std::size_t kFixed = 52;
  const std::size_t width = std::min<std::size_t>(columns_ - kFixed, 50);
  line(fmt::format("\n{}", title));
  const auto total = static_cast<double>(std::max<std::uint64_t>(report_.n_tensor_bytes, 1));
  for (const Share& share : shares) {
    const double part = static_cast<double>(share.n_bytes) / total;
    line(fmt::format(
        "  {:<10} {} {:5.1f} % {:>9} {:>8} × {}", share.name, bar(part, width), 100 * part,
        human_bytes(static_cast<double>(share.n_bytes)), rounded_count(share.n_parameters),
        fmt::format("{:.4g} bits", share.n_parameters == 0 ? 0.0
                                                           : 8.0 * static_cast<double>(share.n_bytes) /
                                                                 static_cast<double>(share.n_parameters))));
  }
}

void TextView::tensors() {
  constexpr std::size_t kFixed = 56;
  std::size_t width = 4;
  for (const StoredTensor& tensor : report_.model.container.tensors)
    width = std::max(width, tensor.name.size());
  width = std::min(width, columns_ - kFixed);
  line(fmt::format("\n  {:<{}}  {:<8} {:<22} {:>10} {:>7}", "tensor", width, "type", "shape", "bytes",
                   "bits"));
  for (const StoredTensor& tensor : report_.model.container.tensors)
    line(fmt::format("  {:<{}}  {:<8} {:<22} {:>10} {:>7.4g}", cut(printable(tensor.name), width), width,
                     tensor.format->name, cut(fmt::format("{}", fmt::join(tensor.shape, " × ")), 22),
                     human_bytes(static_cast<double>(tensor.bytes.size())),
                     tensor.format->bits_per_weight()));
}

void TextView::metadata() {
  std::size_t width = 3;
  for (const auto& [key, value] : report_.model.description.entries()) width = std::max(width, key.size());
  width = std::min(width, columns_ / 2);
  line(fmt::format("\n  {:<{}}  {:<14} {}", "key", width, "type", "value"));
  for (const auto& [key, value] : report_.model.description.entries()) {
    line(fmt::format("  {:<{}}  {:<14} {}", cut(printable(key), width), width, type_of(value),
                     cut(show(value), columns_ - width - 19)));
  }
}

}  // namespace

std::string inspect_text(const InspectReport& report, const TextOptions& options) {
  return TextView(report, options).text();
}

}  // namespace kerf::cli
