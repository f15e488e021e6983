#include "kerf/model/config.h"

#include <gtest/gtest.h>

namespace kerf {
namespace {

Metadata minimal(const std::string& architecture) {
  Metadata metadata("test.gguf");
  metadata.set("general.architecture", MetaValue::of_string(architecture));
  const std::pair<const char*, std::uint32_t> sizes[] = {{".block_count", 7},
                                                         {".embedding_length", 32},
                                                         {".feed_forward_length", 48},
                                                         {".context_length", 100},
                                                         {".attention.head_count", 4}};
  for (const auto& [key, value] : sizes) metadata.set(architecture + key, MetaValue::of_u32(value));
  const bool layer_norm = architecture == "gpt2";
  metadata.set(
      architecture + (layer_norm ? ".attention.layer_norm_epsilon" : ".attention.layer_norm_rms_epsilon"),
      MetaValue::of_f32(1e-6F));
  return metadata;
}

void expect_error(const Metadata& metadata, ErrorKind kind, std::string_view part) {
  const auto config = config_from_metadata(metadata);
  ASSERT_FALSE(config) << part;
  EXPECT_EQ(config.error().kind, kind) << config.error().message();
  EXPECT_NE(config.error().message().find(part), std::string::npos) << config.error().message();
}

TEST(ModelConfig, MissingKeysHaveTheirDefaults) {
  const ModelConfig config = config_from_metadata(minimal("llama")).value();
  EXPECT_EQ(config.n_kv_heads, 4U);
  EXPECT_EQ(config.head_width, 8U);
  EXPECT_EQ(config.rope_width, 8U);
  EXPECT_EQ(config.rope.base, 10000.0F);
  EXPECT_EQ(config.rope.factor, 1.0F);
  EXPECT_FLOAT_EQ(config.attention_scale, 0.35355339F);
  EXPECT_EQ(config.sliding_window, 0U);
  EXPECT_EQ(config.layer_is_local, std::vector<bool>(7, false));
  EXPECT_EQ(config.rope_pairs, RopePairs::neighbours);
  EXPECT_EQ(config.embedding_scale, 1.0F);
}

TEST(ModelConfig, WindowPatterns) {
  Metadata gemma = minimal("gemma3");
  gemma.set("gemma3.attention.sliding_window", MetaValue::of_u32(16));
  ModelConfig config = config_from_metadata(gemma).value();
  EXPECT_EQ(config.layer_is_local, (std::vector<bool>{true, true, true, true, true, false, true}));
  EXPECT_EQ(config.local_rope.base, 10000.0F);
  gemma.set("gemma3.attention.sliding_window_pattern", MetaValue::of_u32(2));
  config = config_from_metadata(gemma).value();
  EXPECT_EQ(config.layer_is_local, (std::vector<bool>{true, false, true, false, true, false, true}));
  MetaValue flags = MetaValue::of_i32s({0, 0, 1, 0, 0, 1, 0});
  flags.type = MetaType::boolean;
  gemma.set("gemma3.attention.sliding_window_pattern", flags);
  config = config_from_metadata(gemma).value();
  EXPECT_EQ(config.layer_is_local, (std::vector<bool>{false, false, true, false, false, true, false}));
  gemma.set("gemma3.attention.sliding_window_pattern", MetaValue::of_i32s({1}));
  expect_error(gemma, ErrorKind::input, "sliding_window_pattern");
}

TEST(ModelConfig, LinearScalingSparesLocalLayersOfGemma) {
  for (const char* architecture : {"llama", "gemma3"}) {
    Metadata metadata = minimal(architecture);
    const std::string prefix = architecture;
    metadata.set(prefix + ".rope.scaling.type", MetaValue::of_string("linear"));
    metadata.set(prefix + ".rope.scaling.factor", MetaValue::of_f32(4.0F));
    const ModelConfig config = config_from_metadata(metadata).value();
    EXPECT_EQ(config.rope.factor, 4.0F);
    EXPECT_EQ(config.local_rope.factor, prefix == "gemma3" ? 1.0F : 4.0F);
  }
}

TEST(ModelConfig, TheLargestGemmaScalesByWidth) {
  Metadata metadata = minimal("gemma3");
  metadata.set("gemma3.attention.key_length", MetaValue::of_u32(64));
  metadata.set("gemma3.attention.value_length", MetaValue::of_u32(64));
  EXPECT_FLOAT_EQ(config_from_metadata(metadata)->attention_scale, 0.125F);
  metadata.set("gemma3.block_count", MetaValue::of_u32(62));
  EXPECT_FLOAT_EQ(config_from_metadata(metadata)->attention_scale, 0.35355339F);  // 1/√(32/4)
  metadata.set("gemma3.attention.scale", MetaValue::of_f32(0.5F));
  EXPECT_FLOAT_EQ(config_from_metadata(metadata)->attention_scale, 0.5F);
}

TEST(ModelConfig, RefusesWhatItCannotRun) {
  expect_error(minimal("mamba"), ErrorKind::unsupported, "gemma3, gpt2, llama, phi3, qwen2, qwen3");
  Metadata metadata = minimal("llama");
  metadata.set("llama.expert_count", MetaValue::of_u32(8));
  expect_error(metadata, ErrorKind::not_found, "llama.expert_used_count");
  metadata.set("llama.expert_used_count", MetaValue::of_u32(9));
  expect_error(metadata, ErrorKind::input, "«llama.expert_used_count» is 9, outside of 1 … 8");
  metadata.set("llama.expert_used_count", MetaValue::of_u32(2));
  metadata.set("llama.expert_shared_count", MetaValue::of_u32(1));
  expect_error(metadata, ErrorKind::unsupported, "1 experts that all tokens share");
  Metadata dense = minimal("qwen2");
  dense.set("qwen2.expert_count", MetaValue::of_u32(4));
  expect_error(dense, ErrorKind::unsupported, "4 experts in a qwen2 model");
  expect_error(minimal("qwen3moe"), ErrorKind::not_found, "qwen3moe.expert_count");
  metadata = minimal("llama");
  metadata.set("llama.rope.scaling.type", MetaValue::of_string("spiral"));
  expect_error(metadata, ErrorKind::unsupported, "spiral");
  metadata = minimal("llama");
  metadata.set("llama.attention.value_length", MetaValue::of_u32(4));
  expect_error(metadata, ErrorKind::unsupported, "values of 4");
}

TEST(ModelConfig, RefusesImpossibleNumbers) {
  const auto with = [](const char* key, MetaValue value) {
    Metadata metadata = minimal("llama");
    metadata.set(key, std::move(value));
    return metadata;
  };
  expect_error(with("llama.block_count", MetaValue::of_u32(0)), ErrorKind::input, "llama.block_count");
  expect_error(with("llama.block_count", MetaValue::of_u32(0xFFFFFFFF)), ErrorKind::input,
               "llama.block_count");
  expect_error(with("llama.attention.head_count_kv", MetaValue::of_u32(3)), ErrorKind::input, "evenly");
  expect_error(with("llama.attention.head_count", MetaValue::of_u32(64)), ErrorKind::input, "64 heads");
  expect_error(with("llama.rope.dimension_count", MetaValue::of_u32(10)), ErrorKind::input,
               "dimension_count");
  expect_error(with("llama.rope.dimension_count", MetaValue::of_u32(5)), ErrorKind::input, "odd");
  expect_error(with("llama.rope.freq_base", MetaValue::of_f32(-1.0F)), ErrorKind::input, "freq_base");
  expect_error(with("llama.attention.layer_norm_rms_epsilon", MetaValue::of_f32(0.0F)), ErrorKind::input,
               "positive");
  expect_error(with("llama.embedding_length", MetaValue::of_string("wide")), ErrorKind::input,
               "embedding_length");
  Metadata metadata = minimal("llama");
  metadata.erase("llama.feed_forward_length");
  expect_error(metadata, ErrorKind::not_found, "llama.feed_forward_length");
}

}  // namespace
}  // namespace kerf
