// kerf inspect: what is in a model file, without loading it.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kerf/cli/common.h"
#include "kerf/cli/inspect_report.h"
#include "kerf/io/tensor_role.h"

namespace kerf::cli {
namespace {

using nlohmann::json;

// Vocabularies have a hundred thousand entries that nobody wants in a summary.
constexpr std::size_t kWholeArray = 64;
constexpr std::size_t kShownOfArray = 8;

json value_as_json(std::int64_t value, MetaType type) {
  if (type == MetaType::boolean) return value != 0;
  if (type == MetaType::u64) return static_cast<std::uint64_t>(value);
  return value;
}
json value_as_json(double value, MetaType) {
  return value;
}
json value_as_json(const std::string& value, MetaType) {
  return value;
}

/// Long arrays as {"type", "length", "first"}.
template <class T>
json value_as_json(const std::vector<T>& values, MetaType type) {
  json list = json::array();
  const std::size_t n = values.size() <= kWholeArray ? values.size() : kShownOfArray;
  for (std::size_t i = 0; i < n; ++i) list.push_back(value_as_json(values[i], type));
  if (n == values.size()) return list;
  return {{"type", name_of(type)}, {"length", values.size()}, {"first", list}};
}

json value_as_json(const MetaValue& value) {
  return std::visit([&](const auto& held) { return value_as_json(held, value.type); }, value.value);
}

json metadata_as_json(const Metadata& metadata) {
  json out = json::object();
  for (const auto& [key, value] : metadata.entries()) out[key] = value_as_json(value);
  return out;
}

json tensors_as_json(const Container& container) {
  json out = json::array();
  for (const StoredTensor& tensor : container.tensors)
    out.push_back({{"name", tensor.name},
                   {"type", tensor.format->name},
                   {"shape", tensor.shape},
                   {"bytes", tensor.bytes.size()},
                   {"bpw", tensor.format->bits_per_weight()},
                   {"role", name_of(role_of(tensor.name))}});
  return out;
}

json shares_as_json(const std::vector<Share>& shares) {
  json out = json::object();
  for (const Share& share : shares)
    out[share.name] = {
        {"tensors", share.n_tensors}, {"parameters", share.n_parameters}, {"bytes", share.n_bytes}};
  return out;
}

json tokenizer_as_json(const InspectReport& report) {
  if (report.tokenizer.empty() && report.n_tokens == 0) return nullptr;
  json special = json::object();
  for (const SpecialToken& token : report.special)
    special[token.name] = {{"id", token.id}, {"piece", token.piece}};
  return {{"model", report.tokenizer}, {"size", report.n_tokens}, {"special", special}};
}

json as_json(const InspectReport& report) {
  const ModelFile& model = report.model;
  json out = {{"path", model.container.path.string()},
              {"format", model.kind},
              {"architecture", report.architecture.empty() ? json(nullptr) : json(report.architecture)},
              {"parameters", report.n_parameters},
              {"file_bytes", model.container.file_bytes},
              {"tensor_bytes", report.n_tensor_bytes},
              {"bpw", report.bits_per_weight},
              {"types", shares_as_json(report.types)},
              {"roles", shares_as_json(report.roles)},
              {"tokenizer", tokenizer_as_json(report)},
              {"tensors", tensors_as_json(model.container)},
              {"metadata", metadata_as_json(model.description)}};
  if (!model.no_description.empty()) out["not_described"] = model.no_description;
  return out;
}

std::size_t terminal_columns() {
  constexpr std::size_t kUnknown = 100;
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUnknown;
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_inspect, "kerf inspect model.gguf --tensors");
  std::string path;
  TextOptions options;
  invocation.app()
      .add_option("MODEL", path, "GGUF file, safetensors file or Hugging Face folder")
      ->required();
  invocation.app().add_flag("--tensors", options.tensors, "list every tensor");
  invocation.app().add_flag("--metadata", options.metadata, "list every metadata key");
  return invocation.run(arguments, [&]() -> Result<void> {
    KERF_TRY(ModelFile model, open_model_file(path));
    const InspectReport report = inspect(std::move(model));
    options.columns = terminal_columns();
    if (invocation.common().json)
      print_json(as_json(report));
    else
      fmt::print("{}", inspect_text(report, options));
    return {};
  });
}

}  // namespace

const Command cmd_inspect{"inspect", "show what is in a model file", run};

}  // namespace kerf::cli
