// A GGUF model in several files, as gguf-split of llama.cpp makes them: name-00001-of-00003.gguf, with the
// keys split.no (from 0), split.count and split.tensors.count; the first holds the metadata.
#pragma once

#include "kerf/io/container.h"

namespace kerf {

/// Whether the metadata says that there are more files.
[[nodiscard]] bool is_gguf_shard(const Container& container);

/// Opens the other shards beside `shard`, any one of them, and joins all; the split.* keys are dropped.
/// Errors: not_found, input, io, unsupported.
Result<Container> join_gguf_shards(Container shard);

}  // namespace kerf
