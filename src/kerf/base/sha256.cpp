#include "kerf/base/sha256.h"

#include <openssl/evp.h>

#include <array>

#include "kerf/base/check.h"

namespace kerf {

std::string sha256(Bytes bytes) {
  std::array<unsigned char, 32> digest{};
  unsigned length = 0;
  KERF_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) == 1 &&
             length == digest.size());
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : digest) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

}  // namespace kerf
