// Writing GGUF version 3, little-endian; gguf_read.cpp has the layout. Tensors lie in the order given, each
// padded to the alignment, the last one too: llama.cpp reads the data section as a whole.
#include <fmt/format.h>

#include <unordered_set>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/io/gguf.h"
#include "kerf/io/gguf_own_types.h"
#include "kerf/io/printable.h"

namespace kerf {
namespace {

// llama.cpp holds names in 64 bytes with a zero at the end, and counts no more than 4 dimensions.
constexpr std::size_t kMaxNameBytes = 63;
constexpr std::size_t kMaxDims = 4;

template <class T>
void append(std::string& out, T value) {
  char raw[sizeof(T)];
  store_le(raw, value);
  out.append(raw, sizeof raw);
}

void append(std::string& out, const std::string& text) {
  append(out, static_cast<std::uint64_t>(text.size()));
  out += text;
}

/// Appends an integer, bool or float as `type` has it on disk.
template <class Held>
void append_number(std::string& out, MetaType type, Held value) {
  switch (type) {
    case MetaType::u8:
    case MetaType::i8:
    case MetaType::boolean:
      return append(out, static_cast<std::uint8_t>(value));
    case MetaType::u16:
    case MetaType::i16:
      return append(out, static_cast<std::uint16_t>(value));
    case MetaType::u32:
    case MetaType::i32:
      return append(out, static_cast<std::uint32_t>(value));
    case MetaType::u64:
    case MetaType::i64:
      return append(out, static_cast<std::uint64_t>(value));
    case MetaType::f32:
      return append(out, static_cast<float>(value));
    case MetaType::f64:
      return append(out, static_cast<double>(value));
    default:
      KERF_CHECK(!"a number with the type of a string or array");
  }
}

struct ValueAppender {
  std::string& out;
  MetaType type;

  void operator()(const std::string& text) const { append(out, text); }
  void operator()(std::int64_t value) const { append_number(out, type, value); }
  void operator()(double value) const { append_number(out, type, value); }
  template <class T>
  void operator()(const std::vector<T>& values) const {
    append(out, static_cast<std::uint32_t>(type));
    append(out, static_cast<std::uint64_t>(values.size()));
    for (const T& value : values) (*this)(value);
  }
};

/// Extents as the file lists them: innermost first, and the bytes of a row where GGUF has no type for it.
void append_type(std::string& out, const PlannedTensor& tensor) {
  const bool own = !tensor.format->in_gguf();
  append(out, static_cast<std::uint32_t>(tensor.shape.size()));
  for (std::size_t i = tensor.shape.size(); i-- > 0;) {
    const bool row = i + 1 == tensor.shape.size();
    append(out, own && row ? tensor.format->row_bytes(tensor.shape[i]) : tensor.shape[i]);
  }
  append(out, own ? formats::i8.gguf_type : tensor.format->gguf_type);
}

/// Everything in front of the data, with its padding.
std::string header_of(const Metadata& given, const std::vector<PlannedTensor>& tensors,
                      std::uint64_t alignment) {
  const Metadata metadata = with_own_types(given, tensors);
  std::string out = "GGUF";
  append(out, std::uint32_t{3});
  append(out, static_cast<std::uint64_t>(tensors.size()));
  append(out, static_cast<std::uint64_t>(metadata.entries().size()));
  for (const auto& [key, value] : metadata.entries()) {
    append(out, key);
    append(out, static_cast<std::uint32_t>(value.is_array() ? MetaType::array : value.type));
    std::visit(ValueAppender{out, value.type}, value.value);
  }
  std::uint64_t offset = 0;
  for (const PlannedTensor& tensor : tensors) {
    append(out, tensor.name);
    append_type(out, tensor);
    append(out, offset);
    offset += round_up(tensor.n_bytes(), alignment);
  }
  out.resize(round_up(out.size(), alignment), '\0');
  return out;
}

std::uint64_t data_bytes(const std::vector<PlannedTensor>& tensors, std::uint64_t alignment) {
  std::uint64_t sum = 0;
  for (const PlannedTensor& tensor : tensors) sum += round_up(tensor.n_bytes(), alignment);
  return sum;
}

/// Why no reader of GGUF would take this tensor; empty if one would.
std::string complaint(const PlannedTensor& tensor) {
  if (tensor.name.empty()) return "has no name";
  if (tensor.name.size() > kMaxNameBytes)
    return fmt::format("its name is longer than the {} bytes that readers of GGUF take", kMaxNameBytes);
  if (tensor.shape.size() > kMaxDims)
    return fmt::format("has {} dimensions; GGUF holds at most {}", tensor.shape.size(), kMaxDims);
  if (tensor.format->plain() && !tensor.format->in_gguf())
    return fmt::format("GGUF has no type for {}", tensor.format->name);
  if (!tensor.format->in_gguf() && tensor.shape.empty())
    return "a single number needs no format of kerf's own";
  for (const std::uint64_t extent : tensor.shape)
    if (extent == 0) return "has an extent of 0";
  const std::uint64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
  if (!tensor.format->fits(row))
    return fmt::format("rows of {} are not a multiple of {}, the block of {}", row, tensor.format->block_size,
                       tensor.format->name);
  return {};
}

Result<void> check_plan(const std::string& where, const std::vector<PlannedTensor>& tensors) {
  std::unordered_set<std::string_view> names;
  for (const PlannedTensor& tensor : tensors) {
    std::string reason = complaint(tensor);
    if (reason.empty() && !names.insert(tensor.name).second) reason = "is planned twice";
    if (!reason.empty())
      return fail(ErrorKind::unsupported, where,
                  fmt::format("tensor «{}»: cannot be written: {}", printable(tensor.name), reason));
  }
  return {};
}

}  // namespace

std::uint64_t PlannedTensor::n_bytes() const noexcept {
  std::uint64_t n = 1;
  for (const std::uint64_t extent : shape) n *= extent;
  const std::uint64_t row = shape.empty() ? 1 : shape.back();
  return row == 0 ? 0 : n / row * format->row_bytes(row);
}

std::uint64_t GgufWriter::file_bytes(const Metadata& metadata, const std::vector<PlannedTensor>& tensors) {
  const Result<std::uint64_t> alignment = gguf_alignment(metadata);
  KERF_CHECK(alignment);
  return header_of(metadata, tensors, *alignment).size() + data_bytes(tensors, *alignment);
}

Result<GgufWriter> GgufWriter::create(const std::filesystem::path& target, const Metadata& metadata,
                                      std::vector<PlannedTensor> tensors) {
  KERF_CHECK_OK(check_plan(target.string(), tensors));
  KERF_TRY(const std::uint64_t alignment, gguf_alignment(metadata));
  const std::string header = header_of(metadata, tensors, alignment);
  KERF_TRY(AtomicFile file, AtomicFile::create(target, header.size() + data_bytes(tensors, alignment)));
  KERF_CHECK_OK(file.write(header));
  return GgufWriter(target.string(), std::move(file), std::move(tensors), alignment);
}

Result<void> GgufWriter::write(Bytes bytes) {
  if (bytes.empty()) return {};
  KERF_CHECK(current_ < tensors_.size() && bytes.size() <= tensors_[current_].n_bytes() - written_);
  KERF_CHECK_OK(file_.write(bytes));
  written_ += bytes.size();
  if (written_ < tensors_[current_].n_bytes()) return {};
  ++current_;
  written_ = 0;
  return file_.pad_to(round_up(file_.position(), alignment_));
}

Result<void> GgufWriter::commit() {
  if (current_ < tensors_.size())
    return fail(ErrorKind::input, where_,
                fmt::format("tensor «{}»: only {} of its {} bytes were written",
                            printable(tensors_[current_].name), written_, tensors_[current_].n_bytes()));
  return file_.commit();
}

}  // namespace kerf
