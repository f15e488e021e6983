#include "kerf/io/gguf_own_types.h"

#include <fmt/format.h>

#include "kerf/io/printable.h"

namespace kerf {
namespace {

constexpr const char* kNames = "kerf.tensor.names";
constexpr const char* kFormats = "kerf.tensor.formats";
constexpr const char* kColumns = "kerf.tensor.columns";
constexpr std::string_view kLayoutPrefix = "kerf.format.";

std::string layout_of(const Format& format) {
  std::string text;
  if (format.header_bytes != 0)
    text = fmt::format("a row begins with {} bytes of its own; ", format.header_bytes);
  return text + fmt::format("blocks of {} numbers in {} bytes: {}", format.block_size, format.block_bytes,
                            format.summary);
}

/// Gives one tensor its real format; the reason if that cannot be.
std::string reinterpret(StoredTensor& tensor, const Format& format, std::uint64_t n_columns) {
  if (tensor.format != &formats::i8 || tensor.shape.empty()) return "is not stored as bytes (I8)";
  // row_bytes() of an absurd row length would wrap.
  const bool plausible = n_columns > 0 && n_columns / format.block_size <= tensor.shape.back();
  if (!plausible || !format.fits(n_columns) || format.row_bytes(n_columns) != tensor.shape.back())
    return fmt::format("rows of {} bytes do not hold {} numbers in {}", tensor.shape.back(), n_columns,
                       format.name);
  tensor.format = &format;
  tensor.shape.back() = n_columns;
  return {};
}

void drop_keys(Metadata& metadata) {
  std::vector<std::string> keys = {kNames, kFormats, kColumns};
  for (const auto& [key, value] : metadata.entries())
    if (key.starts_with(kLayoutPrefix)) keys.push_back(key);
  for (const std::string& key : keys) metadata.erase(key);
}

}  // namespace

Metadata with_own_types(const Metadata& metadata, const std::vector<PlannedTensor>& tensors) {
  std::vector<std::string> names;
  std::vector<std::string> formats;
  std::vector<std::int64_t> columns;
  Metadata full = metadata;
  for (const PlannedTensor& tensor : tensors) {
    if (tensor.format->in_gguf()) continue;
    names.push_back(tensor.name);
    formats.emplace_back(tensor.format->name);
    columns.push_back(static_cast<std::int64_t>(tensor.shape.empty() ? 1 : tensor.shape.back()));
    full.set(fmt::format("{}{}", kLayoutPrefix, tensor.format->name),
             MetaValue::of_string(layout_of(*tensor.format)));
  }
  if (names.empty()) return full;
  full.set(kNames, MetaValue::of_strings(std::move(names)));
  full.set(kFormats, MetaValue::of_strings(std::move(formats)));
  full.set(kColumns, MetaValue{MetaType::u64, std::move(columns)});
  return full;
}

Result<void> apply_own_types(Container& container) {
  if (!container.metadata.contains(kNames)) return {};
  KERF_TRY(const auto* names, container.metadata.strings(kNames));
  KERF_TRY(const auto* formats, container.metadata.strings(kFormats));
  KERF_TRY(const auto* columns, container.metadata.integers(kColumns));
  const std::string where = container.path.string();
  if (formats->size() != names->size() || columns->size() != names->size())
    return fail(ErrorKind::input, where,
                fmt::format("metadata keys «{}», «{}» and «{}» have {}, {} and {} entries instead of as many "
                            "each; the file was written wrongly",
                            kNames, kFormats, kColumns, names->size(), formats->size(), columns->size()));
  for (std::size_t i = 0; i < names->size(); ++i) {
    const std::string subject = fmt::format("tensor «{}»", printable((*names)[i]));
    const auto place = container.index.find((*names)[i]);
    if (place == container.index.end())
      return fail(ErrorKind::input, where,
                  fmt::format("{}: is named in «{}», but not in the file; fetch it again", subject, kNames));
    const Format* format = find_format((*formats)[i]);
    if (format == nullptr)
      return fail(ErrorKind::unsupported, where,
                  fmt::format("{}: is in kerf's format «{}», which this kerf does not know; a newer one may",
                              subject, printable((*formats)[i])));
    const std::string reason =
        reinterpret(container.tensors[place->second], *format, static_cast<std::uint64_t>((*columns)[i]));
    if (!reason.empty())
      return fail(ErrorKind::input, where,
                  fmt::format("{}: {}; the file was written wrongly", subject, reason));
  }
  drop_keys(container.metadata);
  return {};
}

}  // namespace kerf
