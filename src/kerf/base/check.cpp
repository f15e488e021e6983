#include "kerf/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace kerf {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "kerf: internal error: %s does not hold at %s:%d; please report it\n", condition, file,
               line);
  std::abort();
}

}  // namespace kerf
