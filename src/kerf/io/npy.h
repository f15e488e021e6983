// Arrays in NumPy's .npy files.
// Source: NEP 1, «A Simple File Format for NumPy Arrays», versions 1 to 3.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kerf/base/file.h"
#include "kerf/base/result.h"

namespace kerf {

/// An array of numbers, outermost extent first, values in C order as binary64; a scalar has an empty shape.
/// 64-bit integers beyond 2^53 are rounded.
struct NpyArray {
  std::vector<std::uint64_t> shape;
  std::vector<double> values;
};

/// Whether `bytes` begin as a .npy file does.
[[nodiscard]] bool looks_like_npy(Bytes bytes) noexcept;

/// Reads booleans, integers and floats of up to 64 bits. Errors: not_found, io, input (damaged); unsupported
/// (pickled objects, records, complex numbers, big-endian, Fortran order), with the call that makes it
/// readable.
Result<NpyArray> read_npy(const std::filesystem::path& path);

/// The same from memory; `where` names the source in errors.
Result<NpyArray> parse_npy(Bytes bytes, const std::string& where);

}  // namespace kerf
