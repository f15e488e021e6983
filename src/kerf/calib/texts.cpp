#include "kerf/calib/texts.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "kerf/base/file.h"
#include "kerf/base/json.h"
#include "kerf/base/rng.h"

namespace kerf {
namespace {

Result<std::string> document_of(std::string_view line, const std::string& where) {
  KERF_TRY(const nlohmann::json object, parse_json(line, where));
  for (const char* field : {"text", "content"})
    if (object.is_object() && object.contains(field) && object[field].is_string())
      return object[field].get<std::string>();
  return fail(ErrorKind::input, where, "has no field «text» or «content» with a string");
}

Result<std::vector<std::string>> documents_of_lines(std::string_view text, const std::string& path) {
  std::vector<std::string> documents;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    KERF_TRY(std::string document, document_of(line, fmt::format("{}: line {}", path, number)));
    documents.push_back(std::move(document));
  }
  return documents;
}

/// The documents of one text as one sequence.
std::vector<TokenId> encode(const Tokenizer& tokenizer, const CalibrationText& text) {
  std::vector<TokenId> ids;
  for (const std::string& document : text.documents) {
    if (!ids.empty() && !tokenizer.adds_bos() && tokenizer.eos() >= 0) ids.push_back(tokenizer.eos());
    const auto more = tokenizer.encode(document, {.parse_special = false, .add_special = true});
    ids.insert(ids.end(), more.begin(), more.end());
  }
  return ids;
}

Result<void> check_ids(const std::vector<TokenId>& ids, const std::string& text, std::size_t n_vocabulary) {
  for (const TokenId id : ids)
    if (id < 0 || static_cast<std::size_t>(id) >= n_vocabulary)
      return fail(
          ErrorKind::input, text,
          fmt::format("the tokenizer makes token {} of it, but the model's embedding has {} rows; the "
                      "tokenizer is of another model",
                      id, n_vocabulary));
  return {};
}

}  // namespace

Result<CalibrationText> read_calibration_text(const std::filesystem::path& path) {
  KERF_TRY(std::string text, read_file(path));
  CalibrationText out{path.filename().string(), {}};
  if (path.extension() == ".jsonl") {
    KERF_TRY(out.documents, documents_of_lines(text, path.string()));
  } else {
    out.documents.push_back(std::move(text));
  }
  return out;
}

Result<TokenWindows> cut_windows(const Tokenizer& tokenizer, const std::vector<CalibrationText>& texts,
                                 std::size_t ctx, std::size_t n_vocabulary) {
  TokenWindows windows(ctx);
  std::size_t n_tokens = 0;
  for (const CalibrationText& text : texts) {
    std::vector<TokenId> ids = encode(tokenizer, text);
    KERF_CHECK_OK(check_ids(ids, text.name, n_vocabulary));
    n_tokens += ids.size();
    for (std::size_t begin = 0; begin + ctx <= ids.size(); begin += ctx) {
      if (tokenizer.adds_bos()) ids[begin] = tokenizer.bos();
      windows.append(std::span(ids).subspan(begin, ctx));
    }
  }
  if (windows.size() == 0)
    return fail(
        ErrorKind::input, texts.empty() ? "" : texts.front().name,
        fmt::format("the calibration texts have {} tokens, less than one window of {}; give more text "
                    "or a smaller context",
                    n_tokens, ctx));
  return windows;
}

TokenWindows sample_windows(const TokenWindows& windows, std::size_t n, std::uint64_t seed) {
  if (n >= windows.size()) return windows;
  std::vector<std::size_t> order(windows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Rng rng(seed);
  for (std::size_t i = 0; i < n; ++i) std::swap(order[i], order[i + rng.below(order.size() - i)]);
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n));
  TokenWindows chosen(windows.ctx());
  for (std::size_t i = 0; i < n; ++i) chosen.append(windows[order[i]]);
  return chosen;
}

TokenWindows spread_windows(const TokenWindows& windows, std::size_t n) {
  if (n == 0 || n >= windows.size()) return windows;
  TokenWindows chosen(windows.ctx());
  for (std::size_t i = 0; i < n; ++i) chosen.append(windows[i * windows.size() / n]);
  return chosen;
}

}  // namespace kerf
