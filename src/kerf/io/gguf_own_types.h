// Tensors in formats that GGUF has no type number for. In the file such a tensor is of type I8 with rows of
// row_bytes «numbers», so any reader can list and copy it; metadata says what the bytes mean:
//
//   kerf.tensor.names     [string]  the tensors concerned
//   kerf.tensor.formats   [string]  the format of each, by name
//   kerf.tensor.columns   [u64]     numbers in a row of each
//   kerf.format.<NAME>    string    for people: how a format lays out a row
#pragma once

#include "kerf/io/gguf.h"

namespace kerf {

/// `metadata` with the keys above for those of the tensors that need them; unchanged if none does.
[[nodiscard]] Metadata with_own_types(const Metadata& metadata, const std::vector<PlannedTensor>& tensors);

/// Gives the tensors that the metadata names their real format and row length, and drops the keys. Tensors
/// already have their bytes. Errors: input, unsupported (a format that this kerf does not know).
Result<void> apply_own_types(Container& container);

}  // namespace kerf
