#include "kerf/io/byte_reader.h"

#include <fmt/format.h>

namespace kerf {

tl::unexpected<Error> ByteReader::fail_here(ErrorKind kind, std::string reason) const {
  return fail(kind, where_, subject_.empty() ? std::move(reason) : fmt::format("{}: {}", subject_, reason));
}

tl::unexpected<Error> ByteReader::past_end(std::string_view what, std::uint64_t n_bytes) const {
  return fail_here(ErrorKind::input,
                   fmt::format("{} ({} bytes at offset {}) reaches past the end of the file ({} bytes); {}",
                               what, n_bytes, offset_, bytes_.size(), kFetchAgain));
}

}  // namespace kerf
