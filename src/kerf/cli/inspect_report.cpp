#include "kerf/cli/inspect_report.h"

#include <algorithm>
#include <map>

#include "kerf/io/tensor_role.h"

namespace kerf::cli {
namespace {

void add(Share& share, const StoredTensor& tensor) {
  ++share.n_tensors;
  share.n_parameters += tensor.n_elements();
  share.n_bytes += tensor.bytes.size();
}

std::vector<Share> by_type(const Container& container) {
  std::map<std::string_view, Share> shares;
  for (const StoredTensor& tensor : container.tensors) add(shares[tensor.format->name], tensor);
  std::vector<Share> out;
  for (auto& [name, share] : shares) {
    share.name = name;
    out.push_back(std::move(share));
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Share& a, const Share& b) { return a.n_bytes > b.n_bytes; });
  return out;
}

std::vector<Share> by_role(const Container& container) {
  std::vector<Share> out;
  for (const TensorRole role : kTensorRoles) {
    Share share;
    share.name = name_of(role);
    for (const StoredTensor& tensor : container.tensors)
      if (role_of(tensor.name) == role) add(share, tensor);
    if (share.n_tensors > 0) out.push_back(std::move(share));
  }
  return out;
}

void describe_tokenizer(const Metadata& metadata, InspectReport& report) {
  constexpr std::string_view kPrefix = "tokenizer.ggml.";
  constexpr std::string_view kEnding = "_token_id";
  report.tokenizer = metadata.string("tokenizer.ggml.model").value_or("");
  const auto found = metadata.strings("tokenizer.ggml.tokens");
  const std::vector<std::string> none;
  const auto& tokens = found ? **found : none;
  report.n_tokens = tokens.size();
  for (const auto& [key, value] : metadata.entries()) {
    const auto* id = std::get_if<std::int64_t>(&value.value);
    if (id == nullptr || !key.starts_with(kPrefix) || !key.ends_with(kEnding)) continue;
    SpecialToken& token = report.special.emplace_back();
    token.name = key.substr(kPrefix.size(), key.size() - kPrefix.size() - kEnding.size());
    token.id = *id;
    if (*id >= 0 && static_cast<std::size_t>(*id) < tokens.size())
      token.piece = tokens[static_cast<std::size_t>(*id)];
  }
}

}  // namespace

InspectReport inspect(ModelFile model) {
  InspectReport report;
  report.model = std::move(model);
  const Container& container = report.model.container;
  report.architecture = report.model.description.string("general.architecture").value_or("");
  for (const StoredTensor& tensor : container.tensors) {
    report.n_parameters += tensor.n_elements();
    report.n_tensor_bytes += tensor.bytes.size();
  }
  if (report.n_parameters > 0)
    report.bits_per_weight =
        8.0 * static_cast<double>(report.n_tensor_bytes) / static_cast<double>(report.n_parameters);
  report.types = by_type(container);
  report.roles = by_role(container);
  describe_tokenizer(report.model.description, report);
  return report;
}

}  // namespace kerf::cli
