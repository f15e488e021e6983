#include "kerf/calib/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "kerf/base/bits.h"
#include "kerf/io/gguf.h"
#include "kerf/io/printable.h"

namespace kerf {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::string_view kTypeKey = "general.type";
constexpr std::string_view kType = "calibration";
constexpr std::string_view kVersionKey = "kerf.calibration.version";
constexpr std::string_view kSitesKey = "kerf.calibration.sites";
constexpr std::string_view kObserversKey = "kerf.calibration.observers";

std::string tensor_name(std::size_t entry, std::string_view field) {
  return fmt::format("{}.{}", entry, field);
}

struct StoredField {
  PlannedTensor plan;
  Bytes bytes;
};

StoredField stored(std::size_t entry, const StateField& field) {
  return std::visit(
      [&](const auto& values) {
        using T = typename std::remove_cvref_t<decltype(values)>::value_type;
        StoredField out;
        out.plan.name = tensor_name(entry, field.name);
        out.plan.format = find_format(std::is_same_v<T, double> ? "F64" : "I64");
        out.plan.shape = {values.size()};
        out.bytes = {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(T)};
        return out;
      },
      field.values);
}

template <class T>
std::vector<T> array_of(const StoredTensor& tensor) {
  std::vector<T> out(tensor.bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), tensor.bytes.data(), out.size() * sizeof(T));
  return out;
}

Result<StateField> field_of(const StoredTensor& tensor, std::string name) {
  if (tensor.format->name == "I64") return StateField{std::move(name), array_of<std::int64_t>(tensor)};
  if (tensor.format->name == "F64") return StateField{std::move(name), array_of<double>(tensor)};
  return fail(ErrorKind::input, printable(tensor.name),
              fmt::format("is of type {}; states are I64 or F64", tensor.format->name));
}

/// The tensors of a file by the entry that their names begin with. Errors: input (a name that is no
/// «n.field»).
Result<std::vector<ObserverState>> states_of(const Container& container, std::size_t n_entries) {
  std::vector<ObserverState> states(n_entries);
  for (const StoredTensor& tensor : container.tensors) {
    const char* const end = tensor.name.data() + tensor.name.size();
    std::size_t entry = n_entries;
    const auto [dot, error] = std::from_chars(tensor.name.data(), end, entry);
    if (error != std::errc() || dot == end || *dot != '.' || entry >= n_entries)
      return fail(ErrorKind::input, printable(tensor.name), "belongs to none of the file's observers");
    KERF_TRY(StateField field, field_of(tensor, std::string(dot + 1, end)));
    states[entry].push_back(std::move(field));
  }
  return states;
}

Result<void> check_header(const Container& container) {
  KERF_TRY(const auto type, container.metadata.string_or(kTypeKey, ""));
  if (type != kType)
    return fail(ErrorKind::input, container.path.string(),
                "is not a calibration; «kerf inspect» tells what it is");
  KERF_TRY(const auto version, container.metadata.u64(kVersionKey));
  if (version != kVersion)
    return fail(ErrorKind::unsupported, container.path.string(),
                fmt::format("is a calibration of version {}; this kerf reads version {}", version, kVersion));
  return {};
}

Error in_file(const std::filesystem::path& path, const std::string& site, Error error) {
  error.where = fmt::format("{}: {}: {}", path.string(), printable(site), error.where);
  return error;
}

struct ExpertSite {
  std::string weight;
  std::size_t number;
};

/// What expert_site() made the name of, if it did.
std::optional<ExpertSite> expert_of(std::string_view site) {
  constexpr std::size_t kMaxExperts = 1U << 14;
  const std::size_t open = site.rfind('[');
  if (open == std::string_view::npos || !site.ends_with(']')) return std::nullopt;
  const std::string_view digits = site.substr(open + 1, site.size() - open - 2);
  std::size_t number = 0;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (status != std::errc{} || end != digits.data() + digits.size() || number >= kMaxExperts)
    return std::nullopt;
  return ExpertSite{std::string(site.substr(0, open)), number};
}

/// [K] of each expert → [E, K]; those without tokens are zeros.
Importance stack(const std::vector<Importance>& experts) {
  Importance out;
  for (const Importance& expert : experts) out.n_columns = std::max(out.n_columns, expert.n_columns);
  for (const Importance& expert : experts) {
    const bool hit = expert.n_columns == out.n_columns;
    out.n_tokens.push_back(hit ? expert.n_tokens.front() : 0);
    for (std::size_t k = 0; k < out.n_columns; ++k)
      out.mean_square.push_back(hit ? expert.mean_square[k] : 0.0F);
  }
  return out;
}

}  // namespace

Observer& Calibration::at(const std::string& site, const ObserverKind& kind) {
  auto& slot = entries_[{site, kind.name}];
  if (slot == nullptr) slot = kind.make();
  return *slot;
}

const Observer* Calibration::find(const std::string& site, const ObserverKind& kind) const {
  const auto place = entries_.find({site, kind.name});
  return place == entries_.end() ? nullptr : place->second.get();
}

Result<void> Calibration::merge(const Calibration& other) {
  for (const auto& [key, observer] : other.entries_) {
    auto merged = at(key.first, observer->kind()).merge(*observer);
    if (!merged) {
      Error error = std::move(merged).error();
      error.where = fmt::format("{}: {}", printable(key.first), error.where);
      return tl::unexpected<Error>(std::move(error));
    }
  }
  return {};
}

Result<ImportanceMatrix> Calibration::importance_matrix() const {
  ImportanceMatrix out;
  std::map<std::string, std::vector<Importance>> of_experts;
  for (const auto& [key, observer] : entries_) {
    if (key.second != observers::second_moment.name) continue;
    if (const auto expert = expert_of(key.first)) {
      // The first one may never have been hit, and the observers are not in the order of the experts'
      // numbers.
      auto& experts = of_experts[expert->weight];
      if (experts.size() <= expert->number) experts.resize(expert->number + 1);
      if (observer->state().empty()) continue;
      KERF_TRY(experts[expert->number], observer->importance());
      continue;
    }
    KERF_TRY(auto weight, observer->importance());
    out.weights.emplace(key.first, std::move(weight));
  }
  for (const auto& [weight, experts] : of_experts)
    if (Importance stacked = stack(experts); stacked.n_columns > 0)
      out.weights.emplace(weight, std::move(stacked));
  return out;
}

Result<void> Calibration::save(const std::filesystem::path& path) const {
  std::vector<std::string> sites;
  std::vector<std::string> observers;
  std::vector<ObserverState> states;
  for (const auto& [key, observer] : entries_) {
    sites.push_back(key.first);
    observers.emplace_back(key.second);
    states.push_back(observer->state());
  }
  Metadata metadata(path.string());
  metadata.set(std::string(kTypeKey), MetaValue::of_string(std::string(kType)));
  metadata.set(std::string(kVersionKey), MetaValue::of_u32(kVersion));
  metadata.set(std::string(kSitesKey), MetaValue::of_strings(std::move(sites)));
  metadata.set(std::string(kObserversKey), MetaValue::of_strings(std::move(observers)));

  std::vector<PlannedTensor> plans;
  std::vector<Bytes> contents;
  for (std::size_t n = 0; n < states.size(); ++n)
    for (const StateField& field : states[n]) {
      StoredField next = stored(n, field);
      if (next.bytes.empty()) continue;
      plans.push_back(std::move(next.plan));
      contents.push_back(next.bytes);
    }
  KERF_TRY(GgufWriter writer, GgufWriter::create(path, metadata, std::move(plans)));
  for (const Bytes bytes : contents) KERF_CHECK_OK(writer.write(bytes));
  return writer.commit();
}

Result<Calibration> Calibration::load(const std::filesystem::path& path) {
  KERF_TRY(const Container container, open_gguf(path));
  return from(container);
}

Result<Calibration> Calibration::from(const Container& container) {
  const std::filesystem::path& path = container.path;
  KERF_CHECK_OK(check_header(container));
  KERF_TRY(const auto* sites, container.metadata.strings(kSitesKey));
  KERF_TRY(const auto* observers, container.metadata.strings(kObserversKey));
  if (sites->size() != observers->size())
    return fail(ErrorKind::input, path.string(), "lists more sites than observers, or fewer");
  KERF_TRY(const auto states, states_of(container, sites->size()));
  Calibration out;
  for (std::size_t n = 0; n < sites->size(); ++n) {
    const ObserverKind* const kind = find_observer((*observers)[n]);
    if (kind == nullptr)
      return fail(ErrorKind::unsupported, path.string(),
                  fmt::format("holds an unknown observer «{}»", printable((*observers)[n], 40)));
    auto observer = kind->restore(states[n]);
    if (!observer) return tl::unexpected<Error>(in_file(path, (*sites)[n], std::move(observer).error()));
    auto& slot = out.entries_[{(*sites)[n], kind->name}];
    if (slot != nullptr)
      return fail(ErrorKind::input, path.string(),
                  fmt::format("holds {} of «{}» twice", kind->name, printable((*sites)[n])));
    slot = *std::move(observer);
  }
  return out;
}

}  // namespace kerf
