// Chooses the instruction set once, when the first caller asks.
#include "kerf/kernels/kernel.h"

namespace kerf::kernels {

const KernelTable& active_table() noexcept {
  return scalar_table;
}
const char* isa_error() noexcept {
  return nullptr;
}

}  // namespace kerf::kernels
