// The formats whose rows this folder reads itself.
#pragma once

#include "kerf/kernels/kernel.h"

namespace kerf::kernels::avx512vnni {

constexpr std::size_t kEncodedFormats = 15;
extern const EncodedRows encoded_rows[kEncodedFormats];

}  // namespace kerf::kernels::avx512vnni
