// What a path holds is decided by its first bytes, never by its name.
#include "kerf/io/container.h"

#include "kerf/io/gguf.h"
#include "kerf/io/gguf_shards.h"
#include "kerf/io/safetensors.h"

namespace kerf {
namespace {

struct Stranger {
  std::string_view begins;
  ErrorKind kind;
  std::string_view what;
};

// Files that end up where a model is expected, with what to do about it.
constexpr Stranger kStrangers[] = {
    {"version https://git-lfs", ErrorKind::input,
     "is a Git LFS pointer, not the model itself; fetch it with «git lfs pull»"},
    {"<!DOCTYPE", ErrorKind::input, "is a web page, not a model; the download went wrong"},
    {"<html", ErrorKind::input, "is a web page, not a model; the download went wrong"},
    {"PK\x03\x04", ErrorKind::unsupported,
     "is a PyTorch checkpoint, which can run code when loaded and is not read; convert it to safetensors"},
    {"\x80\x02", ErrorKind::unsupported,
     "is a Python pickle, which can run code when loaded and is not read; convert it to safetensors"},
    {"FUGG", ErrorKind::unsupported, "is a big-endian GGUF file; kerf reads little-endian ones"},
    {"tjgg", ErrorKind::unsupported, "is a GGML file of before 2023-08; convert the original model to GGUF"},
    {"fmgg", ErrorKind::unsupported, "is a GGML file of before 2023-08; convert the original model to GGUF"},
    {"lmgg", ErrorKind::unsupported, "is a GGML file of before 2023-08; convert the original model to GGUF"},
};

const Stranger* find_stranger(Bytes bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const Stranger& stranger : kStrangers)
    if (text.starts_with(stranger.begins)) return &stranger;
  return nullptr;
}

}  // namespace

Result<Container> open_container(const std::filesystem::path& path) {
  if (std::error_code ec; std::filesystem::is_directory(path, ec)) return open_safetensors_folder(path);
  KERF_TRY(const auto file, MappedFile::open(path));
  if (looks_like_gguf(file->bytes())) {
    KERF_TRY(Container container, open_gguf(path));
    return is_gguf_shard(container) ? join_gguf_shards(std::move(container)) : std::move(container);
  }
  if (const Stranger* stranger = find_stranger(file->bytes()))
    return fail(stranger->kind, path.string(), std::string(stranger->what));
  // A damaged header is best explained by the parser that it was meant for.
  if (looks_like_safetensors(file->bytes()) || path.extension() == ".safetensors")
    return open_safetensors(path);
  return fail(ErrorKind::input, path.string(),
              "is neither GGUF nor safetensors; if it should be, it is damaged or cut short: fetch it again");
}

}  // namespace kerf
