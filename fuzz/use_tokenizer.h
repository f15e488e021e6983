// Uses a tokenizer that a hostile file described as the rest of kerf would.
#pragma once

#include <algorithm>
#include <string>

#include "kerf/base/check.h"
#include "kerf/text/tokenizer.h"

namespace kerf::fuzz {

inline void use_text(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options) {
  const std::vector<TokenId> ids = tokenizer.encode(text, options);
  StreamingDecoder decoder(tokenizer, true);
  std::string streamed;
  for (const TokenId id : ids) {
    KERF_CHECK(id >= 0 && static_cast<std::size_t>(id) < tokenizer.vocabulary_size());
    streamed += decoder.push(id);
  }
  streamed += decoder.finish();
  (void)tokenizer.decode(ids, true);
  (void)tokenizer.decode(ids, false);
}

/// Aborts if an id lies beyond the vocabulary.
inline void use(const Tokenizer& tokenizer) {
  for (const std::string_view text :
       {"", " Hello world,  it's 12345!\n", "Größe 模型 \xF0\x9F\x98\x80", "\xff\xc3 <s></s>"})
    for (const bool special : {false, true}) use_text(tokenizer, text, {special, special});
  const auto n = static_cast<TokenId>(std::min<std::size_t>(tokenizer.vocabulary_size(), 300));
  for (TokenId id = 0; id < n; ++id) {
    (void)tokenizer.token_bytes(id, true);
    (void)tokenizer.piece(id);
    (void)tokenizer.is_special(id);
    (void)tokenizer.ends_text(id);
  }
  for (const TokenId id : {tokenizer.bos(), tokenizer.eos()})
    KERF_CHECK(id >= -1 && id < static_cast<TokenId>(tokenizer.vocabulary_size()));
}

}  // namespace kerf::fuzz
