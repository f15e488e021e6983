// Layout: u64 N | N bytes of JSON {"name": {"dtype", "shape", "data_offsets": [begin, end]}, …,
// "__metadata__": {string: string}} | data, in which the offsets count and which they tile without holes.
#include "kerf/io/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "kerf/base/bits.h"
#include "kerf/base/json.h"
#include "kerf/io/byte_reader.h"
#include "kerf/io/printable.h"

namespace kerf {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference implementation
constexpr std::size_t kMaxDims = 16;

// The names of the format; kerf's own formats of these names mean the same bytes.
constexpr std::string_view kDtypes[] = {"F32", "F16", "BF16", "F64", "I8",   "U8",      "I16",     "U16",
                                        "I32", "U32", "I64",  "U64", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"};

struct Place {
  std::uint64_t begin;
  std::uint64_t end;
};

class SafetensorsParser {
 public:
  SafetensorsParser(Bytes bytes, const std::string& where) : bytes_(bytes), where_(where) {
    out_.path = where;
    out_.kind = "safetensors";
    out_.metadata = Metadata(where);
    out_.file_bytes = bytes.size();
  }

  Result<Container> parse() && {
    KERF_TRY(const json header, read_header());
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__")
        KERF_CHECK_OK(read_metadata(entry));
      else
        KERF_CHECK_OK(read_tensor(name, entry));
    }
    KERF_CHECK_OK(order_by_place());
    for (std::size_t i = 0; i < out_.tensors.size(); ++i) out_.index.emplace(out_.tensors[i].name, i);
    return std::move(out_);
  }

 private:
  Result<json> read_header();
  Result<void> read_metadata(const json& entries);
  Result<void> read_tensor(const std::string& name, const json& entry);
  Result<void> read_format(StoredTensor& tensor, const json& entry);
  Result<void> read_shape(StoredTensor& tensor, const json& entry);
  Result<Place> read_place(const StoredTensor& tensor, const json& entry);
  Result<void> order_by_place();

  [[nodiscard]] tl::unexpected<Error> wrong(const std::string& name, std::string_view reason,
                                            ErrorKind kind = ErrorKind::input) const {
    return fail(kind, where_, fmt::format("tensor «{}»: {}", printable(name), reason));
  }

  Bytes bytes_;
  Bytes data_;
  std::string where_;
  Container out_;
};

/// A non-negative integer, or nothing: JSON also has −1, 1.5 and 1e30.
std::optional<std::uint64_t> as_size(const json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  return value.get<std::uint64_t>();
}

Result<json> SafetensorsParser::read_header() {
  ByteReader in(bytes_, where_);
  KERF_TRY(const auto length, in.number<std::uint64_t>("header length"));
  if (length > kMaxHeaderBytes)
    return fail(ErrorKind::input, where_,
                fmt::format("the header claims {} bytes, more than the {} that safetensors allows; {}",
                            length, kMaxHeaderBytes, kFetchAgain));
  KERF_TRY(const Bytes text, in.bytes(length, "header"));
  data_ = bytes_.subspan(in.offset());
  KERF_TRY(json header,
           parse_json({reinterpret_cast<const char*>(text.data()), text.size()}, where_ + ": header"));
  if (!header.is_object()) return fail(ErrorKind::input, where_, "the header is not a JSON object");
  return header;
}

Result<void> SafetensorsParser::read_metadata(const json& entries) {
  if (!entries.is_object()) return fail(ErrorKind::input, where_, "«__metadata__» is not a JSON object");
  for (const auto& [key, value] : entries.items()) {
    if (!value.is_string())
      return fail(ErrorKind::input, where_,
                  fmt::format("«__metadata__»: «{}» is not a string", printable(key)));
    out_.metadata.set(key, MetaValue::of_string(value.get<std::string>()));
  }
  return {};
}

Result<void> SafetensorsParser::read_tensor(const std::string& name, const json& entry) {
  StoredTensor tensor;
  tensor.name = name;
  if (name.empty() || name.find('\0') != std::string::npos)
    return wrong(name, "the name is empty or contains a zero byte; the file was written wrongly");
  if (!entry.is_object()) return wrong(name, "its header entry is not a JSON object");
  KERF_CHECK_OK(read_format(tensor, entry));
  KERF_CHECK_OK(read_shape(tensor, entry));
  KERF_TRY(const Place place, read_place(tensor, entry));
  tensor.bytes = data_.subspan(place.begin, place.end - place.begin);
  out_.tensors.push_back(std::move(tensor));
  return {};
}

Result<void> SafetensorsParser::read_format(StoredTensor& tensor, const json& entry) {
  const auto dtype = entry.find("dtype");
  if (dtype == entry.end() || !dtype->is_string())
    return wrong(tensor.name, "«dtype» is missing or not a string");
  const auto& spelled = dtype->get_ref<const std::string&>();
  const bool known = std::find(std::begin(kDtypes), std::end(kDtypes), spelled) != std::end(kDtypes);
  tensor.format = known ? find_format(spelled) : nullptr;
  if (tensor.format == nullptr)
    return wrong(
        tensor.name,
        fmt::format("dtype «{}» is not supported; convert the tensor to F16 or BF16", printable(spelled)),
        ErrorKind::unsupported);
  return {};
}

Result<void> SafetensorsParser::read_shape(StoredTensor& tensor, const json& entry) {
  const auto shape = entry.find("shape");
  if (shape == entry.end() || !shape->is_array() || shape->size() > kMaxDims)
    return wrong(tensor.name, fmt::format("«shape» is not an array of at most {} extents", kMaxDims));
  std::uint64_t n_elements = 1;
  for (const json& value : *shape) {
    const auto extent = as_size(value);
    if (!extent) return wrong(tensor.name, "«shape» contains something other than non-negative integers");
    // An extent of 0 makes every product 0: the others must still be sane.
    const auto product = checked_mul(n_elements, std::max<std::uint64_t>(*extent, 1));
    if (!product || *product >> 56 != 0)
      return wrong(tensor.name, "the number of elements wraps 64 bits; the file was written wrongly");
    n_elements = *product;
    tensor.shape.push_back(*extent);
  }
  return {};
}

Result<Place> SafetensorsParser::read_place(const StoredTensor& tensor, const json& entry) {
  const auto offsets = entry.find("data_offsets");
  if (offsets == entry.end() || !offsets->is_array() || offsets->size() != 2)
    return wrong(tensor.name, "«data_offsets» is not an array of two numbers");
  const auto begin = as_size((*offsets)[0]);
  const auto end = as_size((*offsets)[1]);
  if (!begin || !end || *begin > *end)
    return wrong(tensor.name, "«data_offsets» is not a range [begin, end] of non-negative integers");
  if (*end > data_.size())
    return wrong(tensor.name,
                 fmt::format("its data [{}, {}) reaches past the {} bytes of data in the file; {}", *begin,
                             *end, data_.size(), kFetchAgain));
  const std::uint64_t wanted = tensor.format->row_bytes(tensor.n_elements());
  if (*end - *begin != wanted)
    return wrong(tensor.name,
                 fmt::format("[{}] {} takes {} bytes, but its data [{}, {}) has {}; the file was "
                             "written wrongly",
                             fmt::join(tensor.shape, " × "), tensor.format->name, wanted, *begin, *end,
                             *end - *begin));
  return Place{*begin, *end};
}

/// Sorts by data and refuses holes and overlap: they could hide a second content from other readers.
Result<void> SafetensorsParser::order_by_place() {
  const auto begin = [&](const StoredTensor& t) {
    return static_cast<std::uint64_t>(t.bytes.data() - data_.data());
  };
  std::sort(out_.tensors.begin(), out_.tensors.end(), [&](const StoredTensor& a, const StoredTensor& b) {
    return std::tuple(begin(a), a.bytes.size(), std::string_view(a.name)) <
           std::tuple(begin(b), b.bytes.size(), std::string_view(b.name));
  });
  std::uint64_t expected = 0;
  for (const StoredTensor& tensor : out_.tensors) {
    if (begin(tensor) != expected)
      return wrong(
          tensor.name,
          fmt::format("its data begins at {}, but the tensor before ends at {} ({}); the file was written "
                      "wrongly",
                      begin(tensor), expected, begin(tensor) < expected ? "overlap" : "hole"));
    expected += tensor.bytes.size();
  }
  if (expected != data_.size())
    return fail(ErrorKind::input, where_,
                fmt::format("{} bytes follow the data of the last tensor; the file was written wrongly",
                            data_.size() - expected));
  return {};
}

}  // namespace

bool looks_like_safetensors(Bytes bytes) noexcept {
  return bytes.size() > 8 && load_le<std::uint64_t>(bytes.data()) <= kMaxHeaderBytes && bytes[8] == '{';
}

Result<Container> parse_safetensors(Bytes bytes, const std::string& where) {
  return SafetensorsParser(bytes, where).parse();
}

Result<Container> open_safetensors(const std::filesystem::path& path) {
  KERF_TRY(const auto file, MappedFile::open(path));
  KERF_TRY(Container container, parse_safetensors(file->bytes(), path.string()));
  for (StoredTensor& tensor : container.tensors) tensor.file = file;
  return container;
}

}  // namespace kerf
