#include "kerf/io/verify.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kerf/base/bits.h"
#include "kerf/base/rng.h"
#include "kerf/io/tensor_role.h"

namespace kerf {
namespace {

/// A container over bytes that the test owns.
struct InMemory {
  std::vector<std::vector<std::uint8_t>> bytes;
  Container container;

  void add(const std::string& name, const Format& format, std::vector<std::uint64_t> shape) {
    StoredTensor tensor{
        .name = name, .format = &format, .shape = std::move(shape), .bytes = {}, .file = nullptr};
    tensor.bytes = bytes.emplace_back(format.row_bytes(tensor.n_elements()));
    container.index.emplace(name, container.tensors.size());
    container.tensors.push_back(std::move(tensor));
  }
};

std::vector<TensorDefects> defects_of(const InMemory& model, unsigned n_threads = 1) {
  ThreadPool pool(n_threads);
  SilentProgress progress;
  auto found = find_defects(model.container, pool, progress);
  EXPECT_TRUE(found);
  return found ? *found : std::vector<TensorDefects>{};
}

TEST(Verify, SoundTensorsAreNotListed) {
  InMemory model;
  for (const Format* format : all_formats()) model.add(std::string(format->name), *format, {4, 256});
  EXPECT_TRUE(defects_of(model).empty());
}

TEST(Verify, EveryBadNumberIsCountedAndTheFirstIsLocated) {
  InMemory model;
  constexpr std::uint64_t kRows = 1000;
  model.add("sound", formats::f32, {kRows, 1000});
  model.add("f32", formats::f32, {kRows, 1000});
  model.add("f16", formats::f16, {kRows, 1000});
  model.add("q8_0", formats::q8_0, {kRows, 320});
  const auto put_nan = [&](std::size_t tensor, std::size_t byte) {  // two bytes of ones: NaN in each of these
    model.bytes[tensor].at(byte) = 0xFF;
    model.bytes[tensor].at(byte + 1) = 0x7F;
  };
  for (const std::size_t element : {777'777U, 777'778U, 999'999U}) put_nan(1, element * 4 + 2);
  put_nan(2, 5 * 2);
  put_nan(3, 9'999 * 34);
  for (const unsigned n_threads : {1U, 3U}) {
    const auto found = defects_of(model, n_threads);
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[0].tensor, "f32");
    EXPECT_EQ(found[0].n_blocks, 1'000'000U);
    EXPECT_EQ(found[0].n_bad, 3U);
    EXPECT_EQ(found[0].first_block, 777'777U);
    EXPECT_EQ(found[0].first_offset, 777'777U * 4);
    EXPECT_EQ(found[1].tensor, "f16");
    EXPECT_EQ(found[1].first_block, 5U);
    EXPECT_EQ(found[2].tensor, "q8_0");
    EXPECT_EQ(found[2].n_bad, 1U);
    EXPECT_EQ(found[2].first_offset, 9'999U * 34);
    EXPECT_FALSE(found[2].reason.empty());
  }
}

// The fast scan of plain formats decodes and looks for NaN and infinity; that is right only if every number
// that the format calls bad decodes to one.
TEST(Verify, WhatAPlainFormatCallsBadIsNotFinite) {
  Rng rng(5);
  for (const Format* format : all_formats()) {
    if (!format->plain() || format->defect == nullptr || format->block_bytes == 1) continue;
    SCOPED_TRACE(format->name);
    bool some_bad = false;
    for (std::uint64_t i = 0; i < 65536; ++i) {
      std::uint8_t raw[8];
      const std::uint64_t bits = rng.next();
      store_le(raw, bits);
      // Every pattern of the two highest bytes, where the exponent is.
      raw[format->block_bytes - 1] = static_cast<std::uint8_t>(i >> 8);
      raw[format->block_bytes - 2] = static_cast<std::uint8_t>(i);
      float decoded = 0;
      format->decode(raw, &decoded, 1);
      if (format->defect(raw) == nullptr) continue;
      some_bad = true;
      EXPECT_FALSE(std::isfinite(decoded)) << i;
    }
    EXPECT_TRUE(some_bad);
  }
}

Metadata vocabulary(std::size_t n_tokens) {
  Metadata metadata("model.gguf");
  metadata.set("tokenizer.ggml.tokens", MetaValue::of_strings(std::vector<std::string>(n_tokens, "x")));
  return metadata;
}

TEST(VocabularyComplaints, SaysWhatDoesNotFit) {
  InMemory model;
  model.container.kind = "gguf";
  model.add("token_embd.weight", formats::f32, {100, 8});
  EXPECT_TRUE(vocabulary_complaints(Metadata(), model.container).empty());
  EXPECT_TRUE(vocabulary_complaints(vocabulary(100), model.container).empty());
  EXPECT_EQ(vocabulary_complaints(vocabulary(99), model.container).size(), 1U) << "more rows than tokens";
  EXPECT_EQ(vocabulary_complaints(vocabulary(101), model.container).size(), 1U) << "fewer rows than tokens";
  model.container.kind = "safetensors";
  EXPECT_TRUE(vocabulary_complaints(vocabulary(99), model.container).empty()) << "spare rows are usual";

  Metadata metadata = vocabulary(100);
  metadata.set("tokenizer.ggml.eos_token_id", MetaValue::of_u32(99));
  metadata.set("tokenizer.ggml.unknown_token_id", MetaValue::of_u32(0xFFFFFFFF));
  EXPECT_TRUE(vocabulary_complaints(metadata, model.container).empty());
  metadata.set("tokenizer.ggml.bos_token_id", MetaValue::of_u32(100));
  metadata.set("tokenizer.ggml.scores", MetaValue::of_f32s({0.0, 1.0}));
  const auto complaints = vocabulary_complaints(metadata, model.container);
  ASSERT_EQ(complaints.size(), 2U);
  EXPECT_NE(complaints[0].find("bos_token_id» is 100, but the vocabulary has 100"), std::string::npos);
  EXPECT_NE(complaints[1].find("scores» has 2 entries"), std::string::npos);
}

TEST(TensorRole, NamesOfBothWorlds) {
  EXPECT_EQ(role_of("token_embd.weight"), TensorRole::embedding);
  EXPECT_EQ(role_of("model.embed_tokens.weight"), TensorRole::embedding);
  EXPECT_EQ(role_of("output.weight"), TensorRole::output);
  EXPECT_EQ(role_of("lm_head.weight"), TensorRole::output);
  EXPECT_EQ(role_of("output_norm.weight"), TensorRole::norm);
  EXPECT_EQ(role_of("blk.0.attn_norm.weight"), TensorRole::norm);
  EXPECT_EQ(role_of("blk.0.attn_q.weight"), TensorRole::attention);
  EXPECT_EQ(role_of("blk.0.attn_output.weight"), TensorRole::attention);
  EXPECT_EQ(role_of("model.layers.0.self_attn.o_proj.weight"), TensorRole::attention);
  EXPECT_EQ(role_of("blk.0.ffn_down_exps.weight"), TensorRole::ffn);
  EXPECT_EQ(role_of("model.layers.3.mlp.gate_proj.weight"), TensorRole::ffn);
  EXPECT_EQ(role_of("rope_freqs.weight"), TensorRole::other);
}

}  // namespace
}  // namespace kerf
