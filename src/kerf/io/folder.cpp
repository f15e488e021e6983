// A Hugging Face model folder: which files make up the model, and do they agree with the index.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "kerf/base/json.h"
#include "kerf/io/printable.h"
#include "kerf/io/safetensors.h"

namespace kerf {
namespace {

namespace fs = std::filesystem;
using WeightMap = std::map<std::string, std::string>;  // tensor → file name

constexpr std::uint64_t kMaxIndexBytes = 100'000'000;

/// A file name without a path: an index must not make us open files elsewhere.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

Result<WeightMap> read_index(const fs::path& path) {
  const std::string where = path.string();
  KERF_TRY(const std::string text, read_file(path, kMaxIndexBytes));
  KERF_TRY(const nlohmann::json index, parse_json(text, where));
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (map == index.end() || !map->is_object())
    return fail(ErrorKind::input, where, "«weight_map» is missing or not a JSON object");
  WeightMap out;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !is_plain_name(file.get_ref<const std::string&>()))
      return fail(
          ErrorKind::input, where,
          fmt::format("tensor «{}»: its shard is not the name of a file in the folder", printable(tensor)));
    out.emplace(tensor, file.get<std::string>());
  }
  if (out.empty()) return fail(ErrorKind::input, where, "«weight_map» lists no tensors");
  return out;
}

void merge_metadata(Container& into, const Container& from) {
  for (const auto& [key, value] : from.metadata.entries())
    if (!into.metadata.contains(key)) into.metadata.set(key, value);
}

Container empty_container(const fs::path& folder) {
  Container out;
  out.path = folder;
  out.kind = "safetensors";
  out.metadata = Metadata(folder.string());
  return out;
}

/// Joins `files`. With an index, a tensor that two shards hold is taken from the one the index names.
Result<Container> join(const fs::path& folder, const std::set<std::string>& files, const WeightMap& map) {
  Container out = empty_container(folder);
  for (const std::string& name : files) {
    KERF_TRY(Container shard, open_safetensors(folder / name));
    out.file_bytes += shard.file_bytes;
    merge_metadata(out, shard);
    for (StoredTensor& tensor : shard.tensors) {
      const auto listed = map.find(tensor.name);
      if (listed != map.end() && listed->second != name) continue;
      if (!out.index.emplace(tensor.name, out.tensors.size()).second)
        return fail(
            ErrorKind::input, (folder / name).string(),
            fmt::format("tensor «{}» is in another file of the folder too; remove the files that do not "
                        "belong to the model",
                        printable(tensor.name)));
      out.tensors.push_back(std::move(tensor));
    }
  }
  return out;
}

Result<Container> open_indexed(const fs::path& folder, const fs::path& index) {
  KERF_TRY(const WeightMap map, read_index(index));
  std::set<std::string> files;
  for (const auto& [tensor, file] : map) files.insert(file);
  for (const std::string& file : files)
    if (std::error_code ec; !fs::exists(folder / file, ec))
      return fail(ErrorKind::not_found, index.string(),
                  fmt::format("shard «{}» is listed, but not in the folder; fetch it", printable(file)));
  KERF_TRY(Container out, join(folder, files, map));
  for (const auto& [tensor, file] : map)
    if (!out.index.contains(tensor))
      return fail(ErrorKind::input, (folder / file).string(),
                  fmt::format("tensor «{}» should be here by {}, but is not; fetch shard and index again",
                              printable(tensor), index.filename().string()));
  return out;
}

/// What to say of a folder without safetensors.
tl::unexpected<Error> nothing_to_open(const fs::path& folder, const std::set<std::string>& other) {
  for (const std::string& name : other) {
    const auto extension = fs::path(name).extension();
    if (extension == ".gguf")
      return fail(
          ErrorKind::unsupported, folder.string(),
          fmt::format("is a folder with GGUF files; name the file: {}", (folder / printable(name)).string()));
    if (extension == ".bin" || extension == ".pt" || extension == ".pth")
      return fail(
          ErrorKind::unsupported, folder.string(),
          fmt::format("holds PyTorch weights («{}»), which can run code when loaded and are not read; "
                      "convert them to safetensors",
                      printable(name)));
  }
  return fail(ErrorKind::not_found, folder.string(), "there is no *.safetensors file in this folder");
}

}  // namespace

Result<Container> open_safetensors_folder(const fs::path& folder) {
  std::error_code ec;
  const fs::path index = folder / "model.safetensors.index.json";
  if (fs::exists(index, ec)) return open_indexed(folder, index);
  std::set<std::string> files;
  std::set<std::string> other;
  for (auto entry = fs::directory_iterator(folder, ec); !ec && entry != fs::directory_iterator();
       entry.increment(ec)) {
    const fs::path& path = entry->path();
    (path.extension() == ".safetensors" ? files : other).insert(path.filename().string());
  }
  if (ec)
    return fail(ErrorKind::io, folder.string(), fmt::format("cannot list the folder: {}", ec.message()));
  if (files.contains("model.safetensors")) files = {"model.safetensors"};
  return files.empty() ? nothing_to_open(folder, other) : join(folder, files, {});
}

}  // namespace kerf
