#include <fmt/format.h>

#include "kerf/io/printable.h"
#include "kerf/study/comparison_page.h"

namespace kerf::study {
namespace {

/// Names come from files: what Markdown would read as marks is escaped.
std::string plain(std::string_view text, std::size_t limit_bytes = 120) {
  std::string out;
  for (const char c : printable(text, limit_bytes)) {
    if (std::string_view("\\`*_{}[]<>#|!&~").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

/// Within `…` or a fenced block nothing can be escaped.
std::string code(std::string_view text, std::size_t limit_bytes = 400) {
  std::string out = printable(text, limit_bytes);
  for (char& c : out)
    if (c == '`') c = '\'';
  return out;
}

std::string facts(const ComparisonReport& report, const ComparedFile& each) {
  const FileSummary& file = each.file;
  const Comparison& c = *each.eval.comparison;
  std::string out = "| | |\n|---|---|\n";
  const auto row = [&](std::string_view name, const std::string& value) {
    out += fmt::format("| {} | {} |\n", name, value);
  };
  row("Base", plain(report.base.path.filename().string()));
  if (!file.architecture.empty()) row("Architecture", plain(file.architecture));
  if (!file.license.empty()) row("License", plain(file.license));
  row("Size",
      fmt::format("{} bytes ({:.1f} MB)", file.file_bytes, static_cast<double>(file.file_bytes) / 1e6));
  row("Bits per weight", fmt::format("{:.3f} ({} weights)", file.bits_per_weight(), file.n_weights));
  row("KL divergence", fmt::format("{:.5f} ± {:.5f} nats per token; 99 % of tokens below {:.4f}", c.kld_mean,
                                   c.kld_se, c.kld_p99));
  row("Perplexity",
      fmt::format("{:.4f} ± {:.4f}; base {:.4f}; ratio {:.5f} ± {:.5f}", each.eval.perplexity,
                  each.eval.perplexity_se, c.perplexity_base, c.perplexity_ratio, c.perplexity_ratio_se));
  row("Same top token", fmt::format("{:.2f} ± {:.2f} %", c.same_top_percent, c.same_top_percent_se));
  row("Measured on", fmt::format("{}, {} tokens scored, windows of {}",
                                 plain(std::filesystem::path(report.text).filename().string()),
                                 each.eval.tokens_scored, each.eval.ctx));
  if (!file.sha256.empty()) row("SHA-256", "`" + file.sha256 + "`");
  return out;
}

std::string types(const FileSummary& file) {
  std::string out = "| Type | Tensors | Weights | Bytes |\n|---|---:|---:|---:|\n";
  for (const auto& [type, share] : file.types)
    out +=
        fmt::format("| {} | {} | {} | {} |\n", plain(type), share.n_tensors, share.n_weights, share.n_bytes);
  return out;
}

std::string making(const FileSummary& file) {
  if (file.command.empty() && file.notes.empty()) return "Unknown: the file does not say.\n";
  std::string out;
  if (!file.command.empty())
    out += fmt::format("```\n{}\n```\n\nPut together from the file's metadata:\n\n", code(file.command));
  out += "| Key | Value |\n|---|---|\n";
  for (const auto& [key, value] : file.notes)
    out += fmt::format("| {} | {} |\n", plain(key), plain(value, 400));
  return out;
}

}  // namespace

std::string model_card(const ComparisonReport& report, std::string_view version) {
  std::string out;
  for (const ComparedFile& each : report.files) {
    const std::string name = each.file.path.filename().string();
    const std::string title = each.file.model_name.empty() ? name : each.file.model_name + ", " + name;
    out += fmt::format(
        "# {}\n\nA quantized file of {}.\n\n{}\n## Types\n\n{}\n", plain(title),
        plain(report.base.model_name.empty() ? report.base.path.filename().string() : report.base.model_name),
        facts(report, each), types(each.file));
    out +=
        fmt::format("## How it was made\n\n{}\n## How to run it\n\n```\nkerf run {} --prompt \"…\"\n```\n\n",
                    making(each.file), code(name));
  }
  return out + fmt::format("Measured with kerf {}: `kerf report`.\n", version);
}

}  // namespace kerf::study
