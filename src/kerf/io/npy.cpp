#include "kerf/io/npy.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

#include "kerf/base/bits.h"
#include "kerf/io/byte_reader.h"
#include "kerf/io/printable.h"
#include "kerf/numbers/float16.h"

namespace kerf {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMostExtents = 32;  // of NumPy before version 2; 64 since, which nobody has seen

struct Header {
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<std::uint64_t>> shape;
};

/// The literal of a Python dict with the three keys that NEP 1 has, in any order.
class DictReader {
 public:
  DictReader(std::string_view text, ByteReader& reader) : text_(text), reader_(reader) {}

  Result<Header> read() {
    Header header;
    KERF_CHECK_OK(expect('{'));
    while (!accept('}')) {
      KERF_TRY(const std::string key, string());
      KERF_CHECK_OK(expect(':'));
      KERF_CHECK_OK(value(key, header));
      if (!accept(',')) {
        KERF_CHECK_OK(expect('}'));
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) return fail_at("nothing more");
    if (!header.descr || !header.fortran_order || !header.shape)
      return reader_.fail_here(ErrorKind::input, "the header lacks one of descr, fortran_order and shape");
    return header;
  }

 private:
  Result<void> value(const std::string& key, Header& header) {
    if (key == "descr" && !header.descr) {
      // A list describes the fields of a record.
      if (accept('['))
        return reader_.fail_here(ErrorKind::unsupported, "holds records; save one field of them");
      KERF_TRY(header.descr, string());
    } else if (key == "fortran_order" && !header.fortran_order) {
      KERF_TRY(header.fortran_order, boolean());
    } else if (key == "shape" && !header.shape) {
      KERF_TRY(header.shape, extents());
    } else {
      return reader_.fail_here(ErrorKind::input,
                               fmt::format("the header has an unexpected key «{}»", printable(key, 40)));
    }
    return {};
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  Result<void> expect(char c) {
    if (accept(c)) return {};
    return fail_at(fmt::format("«{}»", c));
  }
  [[nodiscard]] tl::unexpected<Error> fail_at(std::string_view wanted) const {
    return reader_.fail_here(
        ErrorKind::input, fmt::format("the header has something else than {} at character {}", wanted, at_));
  }

  Result<std::string> string() {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') return fail_at("a string");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return fail_at("a string that ends");
    std::string out(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return out;
  }

  Result<bool> boolean() {
    skip_space();
    for (const auto& [word, meaning] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return meaning;
      }
    return fail_at("True or False");
  }

  Result<std::vector<std::uint64_t>> extents() {
    std::vector<std::uint64_t> out;
    KERF_CHECK_OK(expect('('));
    while (!accept(')')) {
      skip_space();
      std::uint64_t extent = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), extent);
      if (error != std::errc()) return fail_at("a whole number");
      at_ = static_cast<std::size_t>(end - text_.data());
      out.push_back(extent);
      if (out.size() > kMostExtents)
        return reader_.fail_here(ErrorKind::input, fmt::format("has more than {} extents", kMostExtents));
      if (!accept(',')) {
        KERF_CHECK_OK(expect(')'));
        break;
      }
    }
    return out;
  }

  std::string_view text_;
  ByteReader& reader_;
  std::size_t at_ = 0;
};

struct ElementType {
  std::string_view name;  ///< «f4»: kind and bytes
  std::size_t n_bytes;
  double (*read)(const std::uint8_t* bytes) noexcept;
};

template <class T>
double read_as(const std::uint8_t* bytes) noexcept {
  return static_cast<double>(load_le<T>(bytes));
}

constexpr ElementType kElementTypes[] = {
    {"f8", 8, read_as<double>},
    {"f4", 4, read_as<float>},
    {"f2", 2,
     [](const std::uint8_t* b) noexcept {
       return static_cast<double>(f16_to_f32(load_le<std::uint16_t>(b)));
     }},
    {"i8", 8, read_as<std::int64_t>},
    {"i4", 4, read_as<std::int32_t>},
    {"i2", 2, read_as<std::int16_t>},
    {"i1", 1, read_as<std::int8_t>},
    {"u8", 8, read_as<std::uint64_t>},
    {"u4", 4, read_as<std::uint32_t>},
    {"u2", 2, read_as<std::uint16_t>},
    {"u1", 1, read_as<std::uint8_t>},
    {"b1", 1, [](const std::uint8_t* b) noexcept { return *b != 0 ? 1.0 : 0.0; }},
};

Result<const ElementType*> element_type(const std::string& descr, const ByteReader& reader) {
  const auto refuse = [&](std::string_view what) {
    return reader.fail_here(ErrorKind::unsupported, fmt::format("{} («{}»)", what, printable(descr, 40)));
  };
  if (descr.size() < 2) return refuse("has elements of an unknown type");
  if (descr[0] == '>') return refuse("is big-endian; save it with .astype(\"<f4\")");
  const std::string_view name = std::string_view(descr).substr(1);
  if (name.starts_with('O'))
    return refuse("holds pickled objects, which can run code when loaded; save an array of numbers");
  if (descr[0] == '<' || descr[0] == '|' || descr[0] == '=')
    for (const ElementType& type : kElementTypes)
      if (type.name == name) return &type;
  return refuse("has elements that are no real numbers; save it with .astype(\"<f4\")");
}

/// Bytes of an array of this shape, or nothing when that wraps.
std::optional<std::uint64_t> array_bytes(const std::vector<std::uint64_t>& shape, std::size_t element_bytes) {
  std::optional<std::uint64_t> n = element_bytes;
  // A zero anywhere makes it empty, whatever the others.
  for (const std::uint64_t extent : shape)
    if (extent == 0) return 0;
  for (const std::uint64_t extent : shape) {
    n = checked_mul(*n, extent);
    if (!n) return std::nullopt;
  }
  return n;
}

Result<std::string_view> header_text(ByteReader& reader) {
  KERF_TRY(const Bytes magic, reader.bytes(kMagic.size(), "the magic bytes"));
  if (!looks_like_npy(magic)) return reader.fail_here(ErrorKind::input, "does not begin like a .npy file");
  KERF_TRY(const auto major, reader.number<std::uint8_t>("the version"));
  KERF_TRY(const auto minor, reader.number<std::uint8_t>("the version"));
  if (major < 1 || major > 3 || minor != 0)
    return reader.fail_here(ErrorKind::unsupported,
                            fmt::format("is of version {}.{}; 1 to 3 are read", major, minor));
  std::uint64_t length = 0;
  if (major == 1) {
    KERF_TRY(length, reader.number<std::uint16_t>("the length of the header"));
  } else {
    KERF_TRY(length, reader.number<std::uint32_t>("the length of the header"));
  }
  KERF_TRY(const Bytes text, reader.bytes(length, "the header"));
  return std::string_view(reinterpret_cast<const char*>(text.data()), text.size());
}

}  // namespace

bool looks_like_npy(Bytes bytes) noexcept {
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()).starts_with(kMagic);
}

Result<NpyArray> parse_npy(Bytes bytes, const std::string& where) {
  ByteReader reader(bytes, where);
  KERF_TRY(const std::string_view text, header_text(reader));
  KERF_TRY(Header header, DictReader(text, reader).read());
  KERF_TRY(const ElementType* type, element_type(*header.descr, reader));
  if (*header.fortran_order && header.shape->size() > 1)
    return reader.fail_here(ErrorKind::unsupported,
                            "is in Fortran order; save it with numpy.ascontiguousarray()");
  const auto n_bytes = array_bytes(*header.shape, type->n_bytes);
  if (!n_bytes || *n_bytes != reader.left())
    return reader.fail_here(ErrorKind::input,
                            fmt::format("its shape does not go with the {} bytes after the header; {}",
                                        reader.left(), kFetchAgain));
  KERF_TRY(const Bytes data, reader.bytes(*n_bytes, "the numbers"));
  NpyArray out;
  out.shape = *std::move(header.shape);
  out.values.resize(data.size() / type->n_bytes);
  for (std::size_t i = 0; i < out.values.size(); ++i)
    out.values[i] = type->read(data.data() + i * type->n_bytes);
  return out;
}

Result<NpyArray> read_npy(const std::filesystem::path& path) {
  KERF_TRY(const auto file, MappedFile::open(path));
  return parse_npy(file->bytes(), path.string());
}

}  // namespace kerf
