// Reading GGUF. Layout of a file (all numbers little-endian):
//
//   «GGUF» | u32 version | u64 n_tensors | u64 n_kv
//   n_kv ×      string key | u32 type | value;   an array is u32 element type | u64 n | n values
//   n_tensors × string name | u32 n_dims | n_dims × u64 extent, innermost first | u32 type | u64 offset
//   padding to the alignment | data, in which the offsets count
//
// A string is u64 length | bytes. Versions 2 and 3 differ only in that 3 may be big-endian.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "kerf/io/byte_reader.h"
#include "kerf/io/gguf.h"
#include "kerf/io/gguf_own_types.h"
#include "kerf/io/printable.h"

namespace kerf {
namespace {

constexpr std::uint32_t kMagic = 0x46554747;  // «GGUF»
constexpr std::uint32_t kMaxDims = 4;
// Limits far above what any model needs; they bound what a hostile header can make us allocate.
constexpr std::uint64_t kMaxNameBytes = 65535;
constexpr std::uint64_t kMaxArrayLength = 1ULL << 27;
constexpr std::uint64_t kMaxAlignment = 1ULL << 20;
constexpr std::uint64_t kDefaultAlignment = 32;
// The least that a key-value and a tensor take: empty name, type, one byte of value; no extents, offset.
constexpr std::uint64_t kMinKeyValueBytes = 8 + 4 + 1;
constexpr std::uint64_t kMinTensorBytes = 8 + 4 + 4 + 8;

/// Calls `visit` with a value of the C++ type that `type` has on disk; false for strings, arrays and
/// unknowns.
template <class Visit>
bool visit_number_type(MetaType type, Visit visit) {
  switch (type) {
    case MetaType::u8:
      return visit(std::uint8_t{}), true;
    case MetaType::i8:
      return visit(std::int8_t{}), true;
    case MetaType::u16:
      return visit(std::uint16_t{}), true;
    case MetaType::i16:
      return visit(std::int16_t{}), true;
    case MetaType::u32:
      return visit(std::uint32_t{}), true;
    case MetaType::i32:
      return visit(std::int32_t{}), true;
    case MetaType::u64:
      return visit(std::uint64_t{}), true;
    case MetaType::i64:
      return visit(std::int64_t{}), true;
    case MetaType::f32:
      return visit(float{}), true;
    case MetaType::f64:
      return visit(double{}), true;
    case MetaType::boolean:
      return visit(bool{}), true;
    default:
      return false;
  }
}

class GgufParser {
 public:
  GgufParser(Bytes bytes, const std::string& where) : bytes_(bytes), in_(bytes, where) {
    out_.path = where;
    out_.kind = "gguf";
    out_.metadata = Metadata(where);
    out_.file_bytes = bytes.size();
  }

  Result<Container> parse() && {
    KERF_CHECK_OK(read_header());
    KERF_CHECK_OK(read_metadata());
    KERF_TRY(alignment_, gguf_alignment(out_.metadata));
    KERF_CHECK_OK(read_tensors());
    KERF_CHECK_OK(place_tensors());
    KERF_CHECK_OK(refuse_overlap());
    KERF_CHECK_OK(apply_own_types(out_));
    return std::move(out_);
  }

 private:
  Result<void> read_header();
  Result<void> read_metadata();
  Result<void> read_key_value();
  Result<MetaValue> read_value();
  Result<MetaValue> read_array();
  Result<MetaValue> read_strings(std::uint64_t n);
  template <class T>
  Result<MetaValue> read_numbers(MetaType type, std::uint64_t n);
  Result<void> read_tensors();
  Result<void> read_tensor();
  Result<void> check_name(std::string_view name);
  Result<void> read_shape(StoredTensor& tensor);
  Result<void> read_format(StoredTensor& tensor);
  Result<void> place_tensors();
  Result<void> refuse_overlap();

  Bytes bytes_;
  ByteReader in_;
  Container out_;
  std::uint64_t n_tensors_ = 0;
  std::uint64_t n_key_values_ = 0;
  std::uint64_t alignment_ = 0;
  std::vector<std::uint64_t> offsets_;  // of each tensor, in the data
};

Result<void> GgufParser::read_header() {
  in_.set_subject("header");
  KERF_TRY(const auto magic, in_.number<std::uint32_t>("magic number"));
  if (magic != kMagic) return in_.fail_here(ErrorKind::input, "does not begin with «GGUF»");
  KERF_TRY(const auto version, in_.number<std::uint32_t>("version"));
  if ((version & 0xFFFFU) == 0)
    return in_.fail_here(
        ErrorKind::unsupported,
        "this is a big-endian GGUF file; kerf reads little-endian ones: fetch that variant or "
        "convert it with gguf_convert_endian.py of gguf-py");
  if (version != 2 && version != 3)
    return in_.fail_here(
        ErrorKind::unsupported,
        fmt::format("GGUF version {} is not supported; kerf reads 2 and 3: {}", version,
                    version < 2 ? "convert the original model anew" : "a newer kerf may read it"));
  KERF_TRY(n_tensors_, in_.number<std::uint64_t>("tensor count"));
  KERF_TRY(n_key_values_, in_.number<std::uint64_t>("metadata count"));
  if (n_tensors_ > in_.left() / kMinTensorBytes)
    return in_.fail_here(ErrorKind::input, fmt::format("{} tensors cannot fit in a file of {} bytes; {}",
                                                       n_tensors_, bytes_.size(), kFetchAgain));
  if (n_key_values_ > in_.left() / kMinKeyValueBytes)
    return in_.fail_here(ErrorKind::input,
                         fmt::format("{} metadata keys cannot fit in a file of {} bytes; {}", n_key_values_,
                                     bytes_.size(), kFetchAgain));
  return {};
}

Result<void> GgufParser::check_name(std::string_view name) {
  if (name.empty()) return in_.fail_here(ErrorKind::input, "has an empty name; the file was written wrongly");
  if (name.size() > kMaxNameBytes)
    return in_.fail_here(ErrorKind::input, fmt::format("has a name of {} bytes, more than {}; {}",
                                                       name.size(), kMaxNameBytes, kFetchAgain));
  if (name.find('\0') != std::string_view::npos)
    return in_.fail_here(ErrorKind::input,
                         fmt::format("its name «{}» contains a zero byte; {}", printable(name), kFetchAgain));
  return {};
}

Result<void> GgufParser::read_metadata() {
  for (std::uint64_t i = 0; i < n_key_values_; ++i) {
    in_.set_subject(fmt::format("metadata key {} of {}", i + 1, n_key_values_));
    KERF_CHECK_OK(read_key_value());
  }
  return {};
}

Result<void> GgufParser::read_key_value() {
  KERF_TRY(const std::string_view key, in_.string("name"));
  KERF_CHECK_OK(check_name(key));
  in_.set_subject(fmt::format("metadata key «{}»", printable(key)));
  if (out_.metadata.contains(key))
    return in_.fail_here(ErrorKind::input, "appears twice; the file was written wrongly");
  KERF_TRY(MetaValue value, read_value());
  out_.metadata.set(std::string(key), std::move(value));
  return {};
}

template <class T>
Result<MetaValue> GgufParser::read_numbers(MetaType type, std::uint64_t n) {
  const std::uint64_t offset = in_.offset();
  KERF_TRY(const Bytes source, in_.bytes(n * sizeof(T), "value"));  // n is bounded: no wrap
  if constexpr (std::is_same_v<T, bool>) {
    const auto wrong = std::find_if(source.begin(), source.end(), [](std::uint8_t b) { return b > 1; });
    if (wrong != source.end())
      return in_.fail_here(ErrorKind::input,
                           fmt::format("byte {} at offset {} is not a bool (0 or 1); {}", *wrong,
                                       offset + (wrong - source.begin()), kFetchAgain));
  }
  using Held = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
  using Stored = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;
  std::vector<Held> values(n);
  for (std::size_t i = 0; i < n; ++i)
    values[i] = static_cast<Held>(load_le<Stored>(source.data() + i * sizeof(T)));
  return MetaValue{type, std::move(values)};
}

Result<MetaValue> GgufParser::read_strings(std::uint64_t n) {
  if (n > in_.left() / sizeof(std::uint64_t))
    return in_.fail_here(ErrorKind::input, fmt::format("{} strings cannot fit in the {} bytes left; {}", n,
                                                       in_.left(), kFetchAgain));
  std::vector<std::string> values;
  values.reserve(n);
  for (std::uint64_t i = 0; i < n; ++i) {
    KERF_TRY(const std::string_view text, in_.string("a string of the array"));
    values.emplace_back(text);
  }
  return MetaValue{MetaType::string, std::move(values)};
}

Result<MetaValue> GgufParser::read_array() {
  KERF_TRY(const auto element, in_.number<std::uint32_t>("element type"));
  KERF_TRY(const auto n, in_.number<std::uint64_t>("array length"));
  const auto type = static_cast<MetaType>(element);
  if (type == MetaType::array)
    return in_.fail_here(ErrorKind::unsupported, "is an array of arrays, which no known model uses");
  if (n > kMaxArrayLength)
    return in_.fail_here(ErrorKind::input, fmt::format("array length {} is above the limit of {}; {}", n,
                                                       kMaxArrayLength, kFetchAgain));
  if (type == MetaType::string) return read_strings(n);
  Result<MetaValue> value;
  if (!visit_number_type(type, [&](auto number) { value = read_numbers<decltype(number)>(type, n); }))
    return in_.fail_here(ErrorKind::input, fmt::format("unknown element type {} at offset {}; {}", element,
                                                       in_.offset() - 12, kFetchAgain));
  return value;
}

Result<MetaValue> GgufParser::read_value() {
  KERF_TRY(const auto number, in_.number<std::uint32_t>("type"));
  const auto type = static_cast<MetaType>(number);
  if (type == MetaType::array) return read_array();
  if (type == MetaType::string) {
    KERF_TRY(const std::string_view text, in_.string("string"));
    return MetaValue::of_string(std::string(text));
  }
  Result<MetaValue> value;
  if (!visit_number_type(type, [&](auto sample) { value = read_numbers<decltype(sample)>(type, 1); }))
    return in_.fail_here(ErrorKind::input, fmt::format("unknown value type {} at offset {}; {}", number,
                                                       in_.offset() - 4, kFetchAgain));
  if (!value) return value;
  // One number was read as an array of one.
  if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value->value))
    return MetaValue{type, integers->front()};
  return MetaValue{type, std::get<std::vector<double>>(value->value).front()};
}

Result<void> GgufParser::read_tensors() {
  out_.tensors.reserve(n_tensors_);
  out_.index.reserve(n_tensors_);
  offsets_.reserve(n_tensors_);
  for (std::uint64_t i = 0; i < n_tensors_; ++i) {
    in_.set_subject(fmt::format("tensor {} of {}", i + 1, n_tensors_));
    KERF_CHECK_OK(read_tensor());
  }
  return {};
}

Result<void> GgufParser::read_tensor() {
  KERF_TRY(const std::string_view name, in_.string("name"));
  KERF_CHECK_OK(check_name(name));
  in_.set_subject(fmt::format("tensor «{}»", printable(name)));
  StoredTensor tensor;
  tensor.name = name;
  if (!out_.index.emplace(tensor.name, out_.tensors.size()).second)
    return in_.fail_here(ErrorKind::input, "appears twice; the file was written wrongly");
  KERF_CHECK_OK(read_shape(tensor));
  KERF_CHECK_OK(read_format(tensor));
  KERF_TRY(const auto offset, in_.number<std::uint64_t>("offset"));
  offsets_.push_back(offset);
  out_.tensors.push_back(std::move(tensor));
  return {};
}

Result<void> GgufParser::read_shape(StoredTensor& tensor) {
  KERF_TRY(const auto n_dims, in_.number<std::uint32_t>("number of dimensions"));
  if (n_dims > kMaxDims)
    return in_.fail_here(ErrorKind::input,
                         fmt::format("{} dimensions at offset {}, but GGUF has at most {}; {}", n_dims,
                                     in_.offset() - 4, kMaxDims, kFetchAgain));
  tensor.shape.resize(n_dims);
  std::uint64_t n_elements = 1;
  for (std::uint32_t i = n_dims; i-- > 0;) {
    KERF_TRY(tensor.shape[i], in_.number<std::uint64_t>("extent"));
    const auto product = checked_mul(n_elements, tensor.shape[i]);
    if (tensor.shape[i] == 0)
      return in_.fail_here(ErrorKind::input, fmt::format("has an extent of 0; {}", kFetchAgain));
    if (!product || *product >> 63 != 0)
      return in_.fail_here(ErrorKind::input,
                           fmt::format("the number of elements wraps 64 bits (an extent is {}); {}",
                                       tensor.shape[i], kFetchAgain));
    n_elements = *product;
  }
  return {};
}

Result<void> GgufParser::read_format(StoredTensor& tensor) {
  KERF_TRY(const auto type, in_.number<std::uint32_t>("type"));
  tensor.format = format_of_gguf_type(type);
  if (tensor.format == nullptr)
    return in_.fail_here(
        ErrorKind::unsupported,
        fmt::format("is of GGUF type {}, which kerf does not know; «kerf formats» lists what it reads",
                    type));
  if (tensor.row_length() % tensor.format->block_size != 0)
    return in_.fail_here(
        ErrorKind::input,
        fmt::format("rows of {} are not a multiple of {}, the block of {}; {}", tensor.row_length(),
                    tensor.format->block_size, tensor.format->name, kFetchAgain));
  return {};
}

Result<void> GgufParser::place_tensors() {
  const std::uint64_t begin = round_up(in_.offset(), alignment_);
  for (std::size_t i = 0; i < out_.tensors.size(); ++i) {
    StoredTensor& tensor = out_.tensors[i];
    in_.set_subject(fmt::format("tensor «{}»", printable(tensor.name)));
    if (offsets_[i] % alignment_ != 0)
      return in_.fail_here(ErrorKind::input,
                           fmt::format("its offset {} is not a multiple of the alignment {}; {}", offsets_[i],
                                       alignment_, kFetchAgain));
    const auto size =
        checked_mul(tensor.n_elements() / tensor.format->block_size, tensor.format->block_bytes);
    const auto first = checked_add(begin, offsets_[i]);
    const auto end = size && first ? checked_add(*first, *size) : std::nullopt;
    if (!end || *end > bytes_.size())
      return in_.fail_here(
          ErrorKind::input,
          fmt::format(
              "[{}] {} at offset {} of the data, which begins at {}, reaches past the end of the file "
              "({} bytes); {}",
              fmt::join(tensor.shape, " × "), tensor.format->name, offsets_[i], begin, bytes_.size(),
              kFetchAgain));
    tensor.bytes = bytes_.subspan(*first, *size);
  }
  return {};
}

Result<void> GgufParser::refuse_overlap() {
  std::vector<const StoredTensor*> order;
  for (const StoredTensor& tensor : out_.tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(),
            [](const auto* a, const auto* b) { return a->bytes.data() < b->bytes.data(); });
  for (std::size_t i = 1; i < order.size(); ++i) {
    const Bytes before = order[i - 1]->bytes;
    if (order[i]->bytes.data() >= before.data() + before.size()) continue;
    in_.set_subject(fmt::format("tensor «{}»", printable(order[i]->name)));
    return in_.fail_here(ErrorKind::input, fmt::format("its bytes from offset {} overlap tensor «{}»; {}",
                                                       order[i]->bytes.data() - bytes_.data(),
                                                       printable(order[i - 1]->name), kFetchAgain));
  }
  return {};
}

}  // namespace

Result<std::uint64_t> gguf_alignment(const Metadata& metadata) {
  const MetaValue* value = metadata.find("general.alignment");
  if (value == nullptr) return kDefaultAlignment;
  const auto* number = std::get_if<std::int64_t>(&value->value);
  if (number == nullptr || value->type != MetaType::u32)
    return fail(
        ErrorKind::input, metadata.where(),
        fmt::format("metadata key «general.alignment» must be a u32, not {}{}; the file was written wrongly",
                    value->is_array() ? "an array of " : "", name_of(value->type)));
  const auto alignment = static_cast<std::uint64_t>(*number);
  if (alignment < 8 || !std::has_single_bit(alignment) || alignment > kMaxAlignment)
    return fail(
        ErrorKind::input, metadata.where(),
        fmt::format("metadata key «general.alignment»: {} is not a power of two from 8 to {}; the file was "
                    "written wrongly",
                    alignment, kMaxAlignment));
  return alignment;
}

bool looks_like_gguf(Bytes bytes) noexcept {
  return bytes.size() >= 4 && load_le<std::uint32_t>(bytes.data()) == kMagic;
}

Result<Container> parse_gguf(Bytes bytes, const std::string& where) {
  return GgufParser(bytes, where).parse();
}

Result<Container> open_gguf(const std::filesystem::path& path) {
  KERF_TRY(const auto file, MappedFile::open(path));
  KERF_TRY(Container container, parse_gguf(file->bytes(), path.string()));
  for (StoredTensor& tensor : container.tensors) tensor.file = file;
  return container;
}

}  // namespace kerf
