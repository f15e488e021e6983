// What the sources of models have in common about tokenizers: a model without one is still a model.
#pragma once

#include <string>

#include "kerf/base/result.h"

namespace kerf {

/// The error that says that the model at `where` has none.
inline tl::unexpected<Error> no_tokenizer(const std::string& where) {
  return fail(ErrorKind::not_found, where, "comes without a tokenizer, so text cannot be turned into tokens");
}

/// Whether weights can be read although the tokenizer cannot: it is missing or of an unknown kind, not
/// corrupt.
inline bool is_bearable(const Error& error) {
  return error.kind == ErrorKind::not_found || error.kind == ErrorKind::unsupported;
}

}  // namespace kerf
