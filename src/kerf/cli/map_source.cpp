#include "kerf/cli/map_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "kerf/io/container.h"
#include "kerf/io/npy.h"
#include "kerf/io/printable.h"

namespace kerf::cli {
namespace {

// Two gigabytes of binary64.
constexpr std::uint64_t kMostNumbers = std::uint64_t{1} << 28;

std::uint64_t wanted_rows(std::uint64_t n_rows, std::uint64_t limit) {
  return limit == 0 ? n_rows : std::min(n_rows, limit);
}

Result<void> check_size(const std::string& where, std::uint64_t n_rows, std::uint64_t n_columns) {
  if (n_rows == 0 || n_columns == 0) return fail(ErrorKind::input, where, "has no numbers to map");
  if (n_columns <= kMostNumbers && n_rows <= kMostNumbers / n_columns) return {};
  return fail(ErrorKind::resource, where,
              fmt::format("{} rows of {} numbers are too many at once; --rows N takes the first N", n_rows,
                          n_columns));
}

Result<MapSource> of_npy(const std::string& path, std::uint64_t limit) {
  KERF_TRY(NpyArray array, read_npy(path));
  MapSource out;
  out.name = printable(path);
  out.n_columns = array.shape.empty() ? 1 : array.shape.back();
  const std::uint64_t n_rows = out.n_columns == 0 ? 0 : array.values.size() / out.n_columns;
  out.n_rows = wanted_rows(n_rows, limit);
  KERF_CHECK_OK(check_size(out.name, out.n_rows, out.n_columns));
  array.values.resize(out.n_rows * out.n_columns);
  out.x = std::move(array.values);
  return out;
}

/// Up to a few names that contain `part`, or the first names of all.
std::string names_like(const Container& container, const std::string& part) {
  std::string out;
  std::size_t n = 0;
  for (const bool only_similar : {true, false}) {
    for (const StoredTensor& tensor : container.tensors)
      if ((!only_similar || (!part.empty() && tensor.name.find(part) != std::string::npos)) && n < 5)
        out += fmt::format("{}{}", n++ == 0 ? "" : ", ", printable(tensor.name, 80));
    if (n > 0) break;
  }
  return out;
}

Result<MapSource> of_tensor(const std::string& path, const std::string& name, std::uint64_t limit) {
  KERF_TRY(const Container container, open_container(path));
  const StoredTensor* const tensor = container.find(name);
  if (tensor == nullptr)
    return fail(ErrorKind::usage, printable(path),
                fmt::format("{}; it holds {} …",
                            name.empty() ? "name one of its tensors with --tensor"
                                         : fmt::format("has no tensor «{}»", printable(name, 80)),
                            names_like(container, name)));
  MapSource out;
  out.name = printable(name, 200);
  out.n_columns = tensor->row_length();
  out.n_rows = wanted_rows(tensor->n_rows(), limit);
  KERF_CHECK_OK(check_size(out.name, out.n_rows, out.n_columns));
  out.x.resize(out.n_rows * out.n_columns);
  std::vector<float> row(out.n_columns);
  const std::uint64_t row_bytes = tensor->format->row_bytes(out.n_columns);
  for (std::uint64_t r = 0; r < out.n_rows; ++r) {
    tensor->format->decode(tensor->bytes.data() + r * row_bytes, row.data(), row.size());
    std::copy(row.begin(), row.end(), out.x.begin() + static_cast<std::ptrdiff_t>(r * out.n_columns));
  }
  return out;
}

bool holds_npy(const std::string& path) {
  const auto file = MappedFile::open(path);
  return file && looks_like_npy((*file)->bytes());
}

}  // namespace

Result<std::vector<double>> parse_numbers(const std::string& text, const std::string& option) {
  constexpr std::string_view kMinus = "−";
  std::string plain = text;
  for (std::size_t at = plain.find(kMinus); at != std::string::npos; at = plain.find(kMinus, at))
    plain.replace(at, kMinus.size(), "-");
  std::vector<double> out;
  constexpr std::string_view kBetween = ", \t\n";
  for (std::size_t at = plain.find_first_not_of(kBetween); at != std::string::npos;) {
    const std::size_t end = std::min(plain.find_first_of(kBetween, at), plain.size());
    const std::string_view word = std::string_view(plain).substr(at, end - at);
    double value = 0;
    const auto [stop, error] =
        std::from_chars(word.data() + (word.front() == '+'), word.data() + word.size(), value);
    if (error == std::errc::result_out_of_range)
      return fail(ErrorKind::usage, option, fmt::format("«{}» is out of range", printable(word, 40)));
    if (error != std::errc() || stop != word.data() + word.size())
      return fail(ErrorKind::usage, option, fmt::format("«{}» is not a number", printable(word, 40)));
    out.push_back(value);
    at = plain.find_first_not_of(kBetween, end);
  }
  if (out.empty()) return fail(ErrorKind::usage, option, "there are no numbers");
  return out;
}

Result<MapSource> open_map_source(const std::string& path, const std::string& tensor, std::uint64_t n_rows) {
  if (!holds_npy(path)) return of_tensor(path, tensor, n_rows);
  if (!tensor.empty())
    return fail(ErrorKind::usage, "--tensor",
                fmt::format("{} is a single array without names", printable(path)));
  return of_npy(path, n_rows);
}

Result<std::vector<double>> open_weights(const std::string& text) {
  if (!holds_npy(text)) return parse_numbers(text, "--importance");
  KERF_TRY(NpyArray array, read_npy(text));
  return std::move(array.values);
}

}  // namespace kerf::cli
