// Looking at every block of every tensor for what a sound writer would not have written, and at the
// vocabulary for ids that point nowhere.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/io/container.h"

namespace kerf {

/// What is wrong with one tensor's numbers.
struct TensorDefects {
  std::string tensor;
  const Format* format = nullptr;
  std::uint64_t n_blocks = 0;
  std::uint64_t n_bad = 0;
  std::uint64_t first_block = 0;   ///< the first bad one
  std::uint64_t first_offset = 0;  ///< its first byte, from the start of the tensor's file
  std::string file;                ///< in which it lies
  std::string reason;              ///< Format::defect of that block
};

/// Scans all tensors with Format::defect. Tensors without a bad block are not listed; the order is that of
/// the container, the result the same for any number of threads. Pages are let go once seen, so that a model
/// larger than memory passes through. Errors: cancelled.
Result<std::vector<TensorDefects>> find_defects(const Container& container, ThreadPool& pool,
                                                Progress& progress);

/// Contradictions between the tokenizer.ggml.* keys of `metadata` and the embedding: ids beyond the
/// vocabulary, arrays of unequal length, an embedding with the wrong number of rows. One sentence each.
[[nodiscard]] std::vector<std::string> vocabulary_complaints(const Metadata& metadata,
                                                             const Container& container);

}  // namespace kerf
