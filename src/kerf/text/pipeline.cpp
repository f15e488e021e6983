#include "kerf/text/pipeline.h"

#include <algorithm>
#include <mutex>

#include "kerf/text/byte_level.h"
#include "kerf/text/hash.h"
#include "kerf/text/invalid_bytes.h"
#include "kerf/text/word_cache.h"

namespace kerf::text {
namespace {

/// What one call of encode() works with.
struct Workspace {
  Scratch scratch;
  WordCache cache;
};

/// Hands out workspaces, so that calls on any number of threads keep what earlier calls have learnt.
class WorkspacePool {
 public:
  std::unique_ptr<Workspace> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<Workspace>();
    auto workspace = std::move(free_.back());
    free_.pop_back();
    return workspace;
  }
  void give_back(std::unique_ptr<Workspace> workspace) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(workspace));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> free_;
};

AddedTokenMatcher matcher_of(const Pipeline& pipeline, bool normalized) {
  std::vector<AddedToken> tokens;
  for (AddedToken token : pipeline.added) {
    if (token.normalized != normalized) continue;
    if (normalized) pipeline.normalizer.apply(token.text);
    tokens.push_back(std::move(token));
  }
  return AddedTokenMatcher(std::move(tokens));
}

class PipelineTokenizer final : public Tokenizer {
 public:
  explicit PipelineTokenizer(Pipeline pipeline)
      : parts_(std::move(pipeline)),
        raw_tokens_(matcher_of(parts_, false)),
        normalized_tokens_(matcher_of(parts_, true)),
        is_added_(parts_.vocabulary->size()) {
    for (const AddedToken& token : parts_.added)
      if (parts_.vocabulary->contains(token.id)) is_added_[static_cast<std::size_t>(token.id)] = true;
  }

  std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const override {
    std::vector<TokenId> ids;
    ids.reserve(text.size() / 4 + 16);
    if (options.add_special) ids = parts_.prefix;
    auto workspace = pool_.take();
    Run run{*this, *workspace, ids, options.parse_special, {}};
    run.encode_text(text);
    pool_.give_back(std::move(workspace));
    if (options.add_special) ids.insert(ids.end(), parts_.suffix.begin(), parts_.suffix.end());
    return ids;
  }

  std::string token_bytes(TokenId id, bool special) const override {
    if (!parts_.vocabulary->contains(id) || (!special && is_special(id))) return {};
    const std::string_view spelling = piece(id);
    if (is_added_[static_cast<std::size_t>(id)] || is_special(id)) return std::string(spelling);
    if (parts_.vocabulary->type(id) == TokenType::byte)
      if (const int byte = byte_of_piece(spelling); byte >= 0) return {static_cast<char>(byte)};
    if (parts_.decode.byte_level) return from_byte_level(spelling).value_or(std::string(spelling));
    std::string bytes(spelling);
    if (!parts_.decode.blank.empty()) replace_step(parts_.decode.blank, " ")->apply(bytes);
    return bytes;
  }

  std::string_view piece(TokenId id) const override {
    return parts_.vocabulary->contains(id) ? parts_.vocabulary->piece(id) : std::string_view();
  }
  std::size_t vocabulary_size() const noexcept override { return parts_.vocabulary->size(); }
  bool is_special(TokenId id) const noexcept override {
    if (!parts_.vocabulary->contains(id)) return false;
    const TokenType type = parts_.vocabulary->type(id);
    return type == TokenType::control || type == TokenType::unknown;
  }
  TokenId bos() const noexcept override { return parts_.bos; }
  TokenId eos() const noexcept override { return parts_.eos; }
  bool ends_text(TokenId id) const noexcept override {
    return std::find(parts_.ends.begin(), parts_.ends.end(), id) != parts_.ends.end();
  }
  bool adds_bos() const noexcept override {
    return parts_.bos != kNoToken && !parts_.prefix.empty() && parts_.prefix.front() == parts_.bos;
  }
  bool strips_leading_blank() const noexcept override { return parts_.decode.strips_leading_blank; }

 private:
  /// One call of encode(): text → stretches between added tokens → normalized → words → ids.
  struct Run {
    const PipelineTokenizer& self;
    Workspace& workspace;
    std::vector<TokenId>& ids;
    bool parse_special;
    InvalidBytes invalid;

    void encode_text(std::string_view text) {
      self.raw_tokens_.split(invalid.hide(text), parse_special, [&](AddedTokenMatcher::Part part) {
        part.id != kNoToken ? ids.push_back(part.id) : encode_stretch(part.text, part.begin == 0);
      });
    }

    void encode_stretch(std::string_view text, bool first) {
      std::string normalized;
      if (!self.parts_.normalizer.empty()) {
        normalized = text;
        self.parts_.normalizer.apply(normalized);
        text = normalized;
      }
      self.normalized_tokens_.split(text, parse_special, [&](AddedTokenMatcher::Part part) {
        if (part.id != kNoToken)
          ids.push_back(part.id);
        else
          self.parts_.pre_tokenizer.split({part.text, first && part.begin == 0},
                                          [&](Word word) { encode_word(word.text); });
      });
    }

    void encode_word(std::string_view word) {
      if (invalid.any()) return encode_parts(invalid.restore(word));
      encode_parts(word);
    }

    void encode_parts(std::string_view word) {
      while (!word.empty()) {
        const std::size_t n = self.parts_.model->independent_prefix(word);
        encode_part(word.substr(0, n));
        word.remove_prefix(n);
      }
    }

    void encode_part(std::string_view part) {
      if (part.size() > WordCache::kMaxWordBytes)
        return self.parts_.model->encode(part, workspace.scratch, ids);
      const std::uint64_t hash = hash_bytes(part);
      if (workspace.cache.append_known(part, hash, ids)) return;
      const std::size_t begin = ids.size();
      self.parts_.model->encode(part, workspace.scratch, ids);
      workspace.cache.remember(part, hash, std::span(ids).subspan(begin));
    }
  };

  Pipeline parts_;
  AddedTokenMatcher raw_tokens_, normalized_tokens_;
  std::vector<bool> is_added_;
  mutable WorkspacePool pool_;
};

}  // namespace

std::shared_ptr<const Tokenizer> make_tokenizer(Pipeline pipeline) {
  return std::make_shared<PipelineTokenizer>(std::move(pipeline));
}

std::vector<TokenId> ending_tokens(const Vocabulary& vocabulary, TokenId eos) {
  // Chat models end their turns with tokens that no file marks as such; these are the names in use.
  static constexpr std::string_view kNames[] = {"<|eot_id|>",    "<|im_end|>", "<|end|>",
                                                "<|return|>",    "<|call|>",   "<end_of_turn>",
                                                "<|endoftext|>", "<|eom_id|>", "<EOT>",
                                                "[EOT]",         "[EOS]",      "<|end_of_text|>",
                                                "<eos>",         "<turn|>",    "<end_of_utterance>",
                                                "<|eot|>",       "<|eom|>",    "<｜end▁of▁sentence｜>"};
  std::vector<TokenId> ends;
  if (eos != kNoToken) ends.push_back(eos);
  for (const std::string_view name : kNames) {
    const TokenId id = vocabulary.find(name);
    if (id != kNoToken && id != eos && vocabulary.type(id) == TokenType::control) ends.push_back(id);
  }
  return ends;
}

}  // namespace kerf::text
