// The tokenizer as a row of steps, put together from whatever a file says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kerf/text/added_tokens.h"
#include "kerf/text/normalize.h"
#include "kerf/text/pretokenize.h"
#include "kerf/text/word_model.h"

namespace kerf::text {

/// How pieces become bytes again.
struct DecodeRules {
  bool byte_level = false;            ///< pieces are written in the byte-level alphabet
  std::string blank;                  ///< what stands for a blank («▁»); empty if nothing does
  bool strips_leading_blank = false;  ///< the text's first blank was put there by the encoder
};

struct Pipeline {
  std::shared_ptr<const Vocabulary> vocabulary;
  std::vector<AddedToken> added;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::shared_ptr<const WordModel> model;
  std::vector<TokenId> prefix, suffix;  ///< what add_special puts around a text
  DecodeRules decode;
  TokenId bos = kNoToken;
  TokenId eos = kNoToken;
  std::vector<TokenId> ends;  ///< tokens that end a text or a turn, eos among them
};

std::shared_ptr<const Tokenizer> make_tokenizer(Pipeline pipeline);

/// The tokens of `vocabulary` that are known by name to end a text or a turn, and `eos`.
std::vector<TokenId> ending_tokens(const Vocabulary& vocabulary, TokenId eos);

}  // namespace kerf::text
