// kerf tokenize: the ids and pieces of a text, as the model would see it.
#include <fmt/format.h>

#include <cstdio>

#include "kerf/base/file.h"
#include "kerf/cli/common.h"
#include "kerf/cli/load_tokenizer.h"
#include "kerf/io/printable.h"

namespace kerf::cli {
namespace {

struct Options {
  std::string model, text, file;
  bool special = false;
  bool count = false;
};

void print_lines(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  for (const TokenId id : ids) fmt::print("{:>7}  {}\n", id, printable(tokenizer.piece(id)));
}

nlohmann::json as_json(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool count) {
  nlohmann::json json = {{"count", ids.size()}};
  if (count) return json;
  auto pieces = nlohmann::json::array();
  for (const TokenId id : ids) pieces.push_back(tokenizer.piece(id));
  json["ids"] = ids;
  json["pieces"] = std::move(pieces);
  return json;
}

Result<void> tokenize(const Options& options, bool json) {
  KERF_TRY(const auto tokenizer, load_tokenizer(options.model));
  std::string text = options.text;
  if (!options.file.empty()) {
    KERF_TRY(text, read_file(options.file));
  }
  const auto ids = tokenizer->encode(text, {options.special, options.special});
  if (json)
    print_json(as_json(*tokenizer, ids, options.count));
  else if (options.count)
    fmt::print("{}\n", ids.size());
  else
    print_lines(*tokenizer, ids);
  return {};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_tokenize, "kerf tokenize model.gguf --text \"a saw takes its kerf\"");
  Options options;
  auto& app = invocation.app();
  app.add_option("MODEL", options.model, "GGUF file, Hugging Face folder, tokenizer.json or tokenizer.model")
      ->required();
  auto* text = app.add_option("--text", options.text, "the text itself");
  auto* file = app.add_option("--file", options.file, "file with the text")->excludes(text);
  app.add_flag("--special", options.special,
               "turn the text of special tokens into their ids, and add BOS and EOS where the model does");
  app.add_flag("--count", options.count, "print only how many tokens there are");
  return invocation.run(arguments, [&]() -> Result<void> {
    if (text->empty() && file->empty())
      return fail(ErrorKind::usage, "kerf tokenize", "give a text with --text or --file");
    return tokenize(options, invocation.common().json);
  });
}

}  // namespace

const Command cmd_tokenize{"tokenize", "show the ids and pieces of a text", run};

}  // namespace kerf::cli
