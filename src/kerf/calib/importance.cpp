#include "kerf/calib/importance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/io/byte_reader.h"
#include "kerf/io/gguf.h"
#include "kerf/io/printable.h"

namespace kerf {
namespace {

constexpr std::string_view kSums = ".in_sum2";
constexpr std::string_view kCounts = ".counts";
constexpr std::uint64_t kDefaultChunk = 512;  // tokens per call in files that do not say

/// «weight» of «weight.in_sum2», or nothing.
std::string_view without(std::string_view name, std::string_view suffix) {
  return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : std::string_view{};
}

Error about(const std::string& where, std::string_view weight, std::string reason) {
  return {ErrorKind::input, where, fmt::format("weight «{}»: {}", printable(weight), std::move(reason))};
}

/// The reason why these cannot be mean squares, or nothing.
std::string complaint(std::span<const float> values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!(values[i] >= 0.0F) || !std::isfinite(values[i]))
      return fmt::format("value {} is {}, which is no mean square; make the importance matrix again", i,
                         values[i]);
  return {};
}

std::vector<float> numbers_of(const StoredTensor& tensor) {
  std::vector<float> values(tensor.n_elements());
  tensor.format->decode(tensor.bytes.data(), values.data(), values.size());
  return values;
}

Result<Importance> importance_of(const std::string& where, const StoredTensor& sums,
                                 const StoredTensor* counts, std::string_view weight) {
  if (counts == nullptr || sums.format != &formats::f32 || counts->format != &formats::f32 ||
      counts->n_elements() != sums.n_rows())
    return tl::unexpected<Error>(about(where, weight, "its sums and counts do not fit each other"));
  Importance out{sums.row_length(), numbers_of(sums), {}};
  for (const float count : numbers_of(*counts)) out.n_tokens.push_back(count);
  for (std::size_t m = 0; m < out.n_matrices(); ++m) {
    if (!(out.n_tokens[m] >= 0) || !std::isfinite(out.n_tokens[m]))
      return tl::unexpected<Error>(about(where, weight, fmt::format("a count is {}", out.n_tokens[m])));
    const auto n = static_cast<float>(std::max(out.n_tokens[m], 1.0));
    for (std::size_t k = 0; k < out.n_columns; ++k) out.mean_square[m * out.n_columns + k] /= n;
  }
  return out;
}

Result<ImportanceMatrix> from_gguf(const Container& file) {
  const std::string where = file.path.string();
  KERF_TRY(const std::string type, file.metadata.string_or("general.type", ""));
  if (type != "imatrix")
    return fail(ErrorKind::input, where,
                "is not an importance matrix (general.type is not «imatrix»); make one with llama-imatrix");
  ImportanceMatrix out;
  KERF_TRY(out.n_chunks, file.metadata.u64_or("imatrix.chunk_count", 0));
  KERF_TRY(out.chunk_size, file.metadata.u64_or("imatrix.chunk_size", 0));
  if (const auto datasets = file.metadata.strings("imatrix.datasets")) out.datasets = **datasets;
  for (const StoredTensor& tensor : file.tensors) {
    const std::string_view weight = without(tensor.name, kSums);
    if (weight.empty()) continue;
    const StoredTensor* counts = file.find(fmt::format("{}{}", weight, kCounts));
    KERF_TRY(out.weights[std::string(weight)], importance_of(where, tensor, counts, weight));
  }
  return out;
}

Result<void> read_legacy_entry(ByteReader& in, ImportanceMatrix& out) {
  const auto length = [&in](std::string_view what) -> Result<std::uint64_t> {
    KERF_TRY(const auto n, in.number<std::int32_t>(what));
    if (n < 0) return in.fail_here(ErrorKind::input, fmt::format("{} is {}; {}", what, n, kFetchAgain));
    return static_cast<std::uint64_t>(n);
  };
  KERF_TRY(const std::uint64_t n_name, length("length of the name"));
  KERF_TRY(const Bytes name, in.bytes(n_name, "name"));
  const std::string weight(name.begin(), name.end());
  in.set_subject(fmt::format("weight «{}»", printable(weight)));
  KERF_TRY(const std::uint64_t n_calls, length("number of calls"));
  KERF_TRY(const std::uint64_t n_values, length("number of values"));
  KERF_TRY(const Bytes values, in.bytes(n_values * sizeof(float), "values"));
  Importance& entry = out.weights[weight];
  entry.n_columns = n_values;
  entry.n_tokens = {static_cast<double>(n_calls * kDefaultChunk)};
  const auto n = static_cast<float>(std::max<std::uint64_t>(n_calls, 1));
  for (std::uint64_t i = 0; i < n_values; ++i)
    entry.mean_square.push_back(load_le<float>(values.data() + i * sizeof(float)) / n);
  return {};
}

Result<ImportanceMatrix> from_legacy(Bytes bytes, const std::string& where) {
  ByteReader in(bytes, where);
  in.set_subject("importance matrix");
  KERF_TRY(const auto n_entries, in.number<std::int32_t>("number of entries"));
  if (n_entries <= 0 || static_cast<std::uint64_t>(n_entries) > in.left() / 12)
    return in.fail_here(ErrorKind::input, "is neither a GGUF nor a legacy importance matrix");
  ImportanceMatrix out;
  for (std::int32_t i = 0; i < n_entries; ++i) {
    in.set_subject(fmt::format("entry {} of {}", i + 1, n_entries));
    KERF_CHECK_OK(read_legacy_entry(in, out));
  }
  if (in.left() < 8) return out;  // older files end here
  in.set_subject("end of the file");
  KERF_TRY(const auto n_chunks, in.number<std::int32_t>("number of chunks"));
  KERF_TRY(const auto n_name, in.number<std::int32_t>("length of the dataset's name"));
  KERF_TRY(const Bytes name,
           in.bytes(static_cast<std::uint64_t>(std::max(n_name, 0)), "name of the dataset"));
  out.n_chunks = static_cast<std::uint64_t>(std::max(n_chunks, 0));
  out.datasets.emplace_back(name.begin(), name.end());
  return out;
}

Result<void> write_gguf(const ImportanceMatrix& matrix, const std::filesystem::path& path) {
  Metadata metadata;
  metadata.set("general.type", MetaValue::of_string("imatrix"));
  metadata.set("imatrix.datasets", MetaValue::of_strings(matrix.datasets));
  metadata.set("imatrix.chunk_count", MetaValue::of_u32(static_cast<std::uint32_t>(matrix.n_chunks)));
  metadata.set("imatrix.chunk_size", MetaValue::of_u32(static_cast<std::uint32_t>(matrix.chunk_size)));
  std::vector<PlannedTensor> tensors;
  for (const auto& [weight, entry] : matrix.weights) {
    tensors.push_back(
        {fmt::format("{}{}", weight, kSums), &formats::f32, {entry.n_matrices(), entry.n_columns}});
    tensors.push_back({fmt::format("{}{}", weight, kCounts), &formats::f32, {entry.n_matrices(), 1}});
  }
  KERF_TRY(GgufWriter writer, GgufWriter::create(path, metadata, std::move(tensors)));
  const auto write = [&writer](const std::vector<float>& values) {
    return writer.write(
        Bytes{reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(float)});
  };
  for (const auto& [weight, entry] : matrix.weights) {
    std::vector<float> sums(entry.mean_square.size());
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] = static_cast<float>(entry.mean_square[i] * entry.n_tokens[i / entry.n_columns]);
    KERF_CHECK_OK(write(sums));
    KERF_CHECK_OK(write(std::vector<float>(entry.n_tokens.begin(), entry.n_tokens.end())));
  }
  return writer.commit();
}

void append(std::string& out, std::int32_t value) {
  char raw[sizeof value];
  store_le(raw, value);
  out.append(raw, sizeof raw);
}

Result<void> write_legacy(const ImportanceMatrix& matrix, const std::filesystem::path& path) {
  const double chunk = static_cast<double>(matrix.chunk_size == 0 ? kDefaultChunk : matrix.chunk_size);
  std::string out;
  append(out, static_cast<std::int32_t>(matrix.weights.size()));
  for (const auto& [weight, entry] : matrix.weights) {
    const double most = *std::max_element(entry.n_tokens.begin(), entry.n_tokens.end());
    const auto n_calls = static_cast<std::int32_t>(std::ceil(most / chunk));
    append(out, static_cast<std::int32_t>(weight.size()));
    out += weight;
    append(out, n_calls);
    append(out, static_cast<std::int32_t>(entry.mean_square.size()));
    for (const float value : entry.mean_square) {
      char raw[sizeof value];
      store_le(raw, value * static_cast<float>(std::max(n_calls, 1)));
      out.append(raw, sizeof raw);
    }
  }
  const std::string dataset = matrix.datasets.empty() ? std::string{} : matrix.datasets.front();
  append(out, static_cast<std::int32_t>(matrix.n_chunks));
  append(out, static_cast<std::int32_t>(dataset.size()));
  return write_file(path, out + dataset);
}

}  // namespace

std::string expert_site(std::string_view weight, std::size_t expert) {
  return fmt::format("{}[{}]", weight, expert);
}

std::vector<std::string> experts_never_hit(const ImportanceMatrix& matrix) {
  std::vector<std::string> names;
  for (const auto& [weight, entry] : matrix.weights)
    for (std::size_t m = 0; m < entry.n_matrices(); ++m)
      if (entry.n_matrices() > 1 && entry.n_tokens[m] == 0) names.push_back(expert_site(weight, m));
  return names;
}

Result<ImportanceMatrix> parse_importance(Bytes bytes, const std::string& where) {
  Result<ImportanceMatrix> out;
  if (looks_like_gguf(bytes)) {
    KERF_TRY(const Container container, parse_gguf(bytes, where));
    out = from_gguf(container);
  } else {
    out = from_legacy(bytes, where);
  }
  if (!out) return out;
  if (out->weights.empty()) return fail(ErrorKind::input, where, "holds no weight's importance");
  for (const auto& [weight, entry] : out->weights)
    if (const std::string reason = complaint(entry.mean_square); !reason.empty())
      return tl::unexpected<Error>(about(where, weight, reason));
  return out;
}

Result<ImportanceMatrix> read_importance(const std::filesystem::path& path) {
  KERF_TRY(const auto file, MappedFile::open(path));
  return parse_importance(file->bytes(), path.string());
}

Result<void> write_importance(const ImportanceMatrix& matrix, const std::filesystem::path& path) {
  return path.extension() == ".dat" ? write_legacy(matrix, path) : write_gguf(matrix, path);
}

}  // namespace kerf
