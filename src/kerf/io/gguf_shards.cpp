#include "kerf/io/gguf_shards.h"

#include <fmt/format.h>

#include "kerf/io/gguf.h"
#include "kerf/io/printable.h"

namespace kerf {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxShards = 99999;  // five digits in the name

std::string suffix(std::uint64_t number, std::uint64_t count) {
  return fmt::format("-{:05}-of-{:05}.gguf", number + 1, count);
}

/// «…/name» of «…/name-00002-of-00003.gguf».
Result<std::string> prefix_of(const Container& shard, std::uint64_t number, std::uint64_t count) {
  const std::string path = shard.path.string();
  const std::string ending = suffix(number, count);
  if (!path.ends_with(ending))
    return fail(
        ErrorKind::input, path,
        fmt::format("is shard {} of {} by its metadata, so its name must end in «{}»; rename the file",
                    number + 1, count, ending));
  return path.substr(0, path.size() - ending.size());
}

Result<Container> open_shard(const std::string& prefix, std::uint64_t number, std::uint64_t count) {
  const fs::path path = prefix + suffix(number, count);
  auto shard = open_gguf(path);
  if (!shard && shard.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found, path.string(),
                fmt::format("shard {} of {} is missing; fetch it", number + 1, count));
  if (!shard) return shard;
  KERF_TRY(const std::uint64_t its_number, shard->metadata.u64("split.no"));
  KERF_TRY(const std::uint64_t its_count, shard->metadata.u64("split.count"));
  if (its_number != number || its_count != count)
    return fail(ErrorKind::input, path.string(),
                fmt::format("says that it is shard {} of {}, but its name says {} of {}; fetch it again",
                            its_number + 1, its_count, number + 1, count));
  return shard;
}

Result<void> append_tensors(Container& into, Container from) {
  into.file_bytes += from.file_bytes;
  for (StoredTensor& tensor : from.tensors) {
    if (!into.index.emplace(tensor.name, into.tensors.size()).second)
      return fail(
          ErrorKind::input, from.path.string(),
          fmt::format("tensor «{}» is in another shard too; fetch the shards again", printable(tensor.name)));
    into.tensors.push_back(std::move(tensor));
  }
  return {};
}

}  // namespace

bool is_gguf_shard(const Container& container) {
  return container.metadata.u64("split.count").value_or(0) > 1;
}

Result<Container> join_gguf_shards(Container shard) {
  KERF_TRY(const std::uint64_t number, shard.metadata.u64("split.no"));
  KERF_TRY(const std::uint64_t count, shard.metadata.u64("split.count"));
  if (count > kMaxShards || number >= count)
    return fail(ErrorKind::input, shard.path.string(),
                fmt::format("split.no {} and split.count {} make no sense; fetch it again", number, count));
  KERF_TRY(const std::string prefix, prefix_of(shard, number, count));
  KERF_TRY(Container out, open_shard(prefix, 0, count));
  for (std::uint64_t i = 1; i < count; ++i) {
    KERF_TRY(Container next, open_shard(prefix, i, count));
    KERF_CHECK_OK(append_tensors(out, std::move(next)));
  }
  KERF_TRY(const std::uint64_t expected, out.metadata.u64_or("split.tensors.count", out.tensors.size()));
  if (expected != out.tensors.size())
    return fail(
        ErrorKind::input, out.path.string(),
        fmt::format("the shards hold {} tensors together, but split.tensors.count says {}; fetch them again",
                    out.tensors.size(), expected));
  for (const char* key : {"split.no", "split.count", "split.tensors.count"}) out.metadata.erase(key);
  out.path = shard.path;
  return out;
}

}  // namespace kerf
