// Hugging Face folders as they occur in the wild, and as they should not: variations on the golden
// checkpoints.
#include "kerf/model/source_hf.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "kerf/base/file.h"
#include "kerf/base/json.h"
#include "kerf/io/container.h"
#include "kerf/io/gguf.h"
#include "kerf/model/hf_metadata.h"

namespace kerf {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A checkpoint in memory that can be changed and written to a folder.
class Checkpoint {
 public:
  explicit Checkpoint(const std::string& golden) {
    const fs::path folder = fs::path(KERF_SOURCE_DIR) / "tests/golden/models" / golden;
    config = *parse_json(*read_file(folder / "config.json"), "config.json");
    const Container container = *open_container(folder);
    for (const StoredTensor& t : container.tensors)
      tensors[t.name] = {std::string(t.format->name), t.shape, {t.bytes.begin(), t.bytes.end()}};
  }

  struct Tensor {
    std::string dtype;
    std::vector<std::uint64_t> shape;
    std::vector<std::uint8_t> bytes;
  };
  json config;
  std::map<std::string, Tensor> tensors;

  void add(const std::string& name, std::vector<std::uint64_t> shape, const std::string& dtype = "BF16") {
    std::size_t n = 2;
    for (const std::uint64_t extent : shape) n *= extent;
    tensors[name] = {dtype, std::move(shape), std::vector<std::uint8_t>(n, 0x3F)};
  }
  void rename(const std::string& piece, const std::string& with) {
    std::map<std::string, Tensor> renamed;
    for (auto& [name, tensor] : tensors) {
      std::string other = name;
      if (other.starts_with(piece)) other.replace(0, piece.size(), with);
      renamed[other] = std::move(tensor);
    }
    tensors = std::move(renamed);
  }

  Result<std::shared_ptr<const ModelSource>> open() const {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    const fs::path folder = fs::path(testing::TempDir()) / "kerf_source_hf_test" / test->name();
    fs::remove_all(folder);
    fs::create_directories(folder);
    EXPECT_TRUE(write_file(folder / "config.json", config.dump()));
    EXPECT_TRUE(write_file(folder / "model.safetensors", safetensors()));
    return ModelSource::open(folder);
  }

 private:
  std::string safetensors() const {
    json header;
    std::string data;
    for (const auto& [name, tensor] : tensors) {
      const std::size_t begin = data.size();
      data.append(tensor.bytes.begin(), tensor.bytes.end());
      header[name] = {
          {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
    }
    const std::string text = header.dump();
    std::string file(8, '\0');
    const std::uint64_t length = text.size();
    std::memcpy(file.data(), &length, 8);
    return file + text + data;
  }
};

void expect_error(const Checkpoint& checkpoint, ErrorKind kind, std::initializer_list<const char*> words) {
  const auto opened = checkpoint.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, kind) << opened.error().message();
  for (const char* word : words)
    EXPECT_NE(opened.error().message().find(word), std::string::npos) << opened.error().message();
}

std::vector<float> values(const ModelSource& source, const char* name) {
  const SourceTensor* tensor = source.find(name);
  EXPECT_NE(tensor, nullptr) << name;
  std::vector<float> out(tensor->n_elements());
  EXPECT_TRUE(source.read_rows(*tensor, 0, tensor->n_rows(), out.data()));
  return out;
}

TEST(HuggingFaceSource, TheUnchangedCheckpointOpens) {
  const auto opened = Checkpoint("llama").open();
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ((*opened)->kind(), "huggingface");
}

TEST(HuggingFaceSource, SizesAreCalledAsPeopleCallThem) {
  EXPECT_EQ(size_label(134'515'008), "135M");
  EXPECT_EQ(size_label(8'030'261'312), "8.0B");
  EXPECT_EQ(size_label(1'235'814'400), "1.2B");
  EXPECT_EQ(size_label(292'800), "293K");
}

TEST(HuggingFaceSource, RefusesUnknownArchitectures) {
  Checkpoint checkpoint("llama");
  checkpoint.config["architectures"] = {"FalconForCausalLM"};
  expect_error(checkpoint, ErrorKind::unsupported, {"config.json", "FalconForCausalLM", "LlamaForCausalLM"});
  checkpoint.config.erase("architectures");
  expect_error(checkpoint, ErrorKind::not_found, {"config.json", "architectures"});
}

TEST(HuggingFaceSource, RefusesAbsurdSizes) {
  const std::tuple<const char*, json, ErrorKind> cases[] = {
      {"hidden_size", nullptr, ErrorKind::not_found},
      {"hidden_size", -64, ErrorKind::input},
      {"hidden_size", "64", ErrorKind::input},
      {"num_hidden_layers", 0, ErrorKind::input},
      {"num_hidden_layers", 3, ErrorKind::not_found},  // of the third block's tensors
      {"num_hidden_layers", 2000000000, ErrorKind::input},
      {"head_dim", 2147483646, ErrorKind::input},
      {"num_attention_heads", 1073741824, ErrorKind::input},
      {"num_attention_heads", 0, ErrorKind::input},
      {"num_key_value_heads", 3, ErrorKind::input},
      {"head_dim", 15, ErrorKind::input},
      {"vocab_size", 113, ErrorKind::input},
      {"rms_norm_eps", 0, ErrorKind::input},
      {"rms_norm_eps", "tiny", ErrorKind::input},
  };
  for (const auto& [key, value, kind] : cases) {
    Checkpoint checkpoint("llama");
    checkpoint.config[key] = value;
    expect_error(checkpoint, kind, {});
  }
  Checkpoint checkpoint("llama");
  checkpoint.config.erase("head_dim");
  checkpoint.config["num_attention_heads"] = 6;
  expect_error(checkpoint, ErrorKind::input, {"config.json", "6 heads", "64"});
}

TEST(HuggingFaceSource, RefusesWhatItWouldComputeWrongly) {
  const std::tuple<const char*, const char*, json> cases[] = {
      {"llama", "hidden_act", "relu"},
      {"llama", "quantization_config", {{"quant_method", "gptq"}}},
      {"llama", "partial_rotary_factor", 0.5},
      {"llama", "attn_logit_softcapping", 50.0},
      {"qwen2", "use_sliding_window", true},
      {"gemma3", "use_bidirectional_attention", true},
      {"gpt2", "scale_attn_weights", false},
      {"llama", "rope_parameters", {{"rope_type", "longrope"}, {"rope_theta", 1e4}}},
      {"phi3", "rope_scaling", {{"type", "wavy"}}},
  };
  for (const auto& [golden, key, value] : cases) {
    Checkpoint checkpoint(golden);
    checkpoint.config[key] = value;
    expect_error(checkpoint, ErrorKind::unsupported, {"config.json"});
  }
}

TEST(HuggingFaceSource, RefusesBrokenRope) {
  const json cases[] = {
      {{"rope_type", "linear"}},
      {{"rope_type", "linear"}, {"factor", 0}},
      {{"rope_type", "linear"}, {"factor", "2"}},
      {{"rope_type", "default"}, {"rope_theta", -1}},
      {{"rope_type", "llama3"},
       {"factor", 8},
       {"low_freq_factor", 4},
       {"high_freq_factor", 4},
       {"original_max_position_embeddings", 32}},
      {{"rope_type", 3}},
  };
  for (const json& rope : cases) {
    Checkpoint checkpoint("llama");
    checkpoint.config["rope_parameters"] = rope;
    EXPECT_FALSE(checkpoint.open()) << rope;
  }
  Checkpoint checkpoint("phi3-longrope");
  checkpoint.config["rope_scaling"]["long_factor"].push_back(9);
  expect_error(checkpoint, ErrorKind::input, {"long_factor", "7", "6"});
}

TEST(HuggingFaceSource, NamesWhatIsMissing) {
  Checkpoint checkpoint("llama");
  checkpoint.tensors.erase("model.layers.1.mlp.up_proj.weight");
  expect_error(checkpoint, ErrorKind::not_found,
               {"model.layers.1.mlp.up_proj.weight", "blk.1.ffn_up.weight"});
  checkpoint = Checkpoint("qwen2");
  checkpoint.tensors.erase("model.layers.0.self_attn.v_proj.bias");
  expect_error(checkpoint, ErrorKind::not_found, {"v_proj.bias", "attn_v.bias"});
}

TEST(HuggingFaceSource, RefusesMixturesThatCannotBe) {
  const std::tuple<const char*, json, ErrorKind, const char*> cases[] = {
      {"num_experts_per_tok", 7, ErrorKind::input, "7 of 6 experts"},
      {"num_experts_per_tok", 0, ErrorKind::input, "num_experts_per_tok"},
      {"num_experts_per_tok", nullptr, ErrorKind::not_found, "num_experts_per_tok"},
      {"num_experts", nullptr, ErrorKind::not_found, "num_experts"},
      {"num_experts", 7, ErrorKind::input, "mlp.gate.weight"},
      {"num_experts", 2000000000, ErrorKind::input, "2000000000"},
      {"moe_intermediate_size", 64, ErrorKind::input, "mlp.experts.0.gate_proj.weight"},
      {"norm_topk_prob", 1, ErrorKind::input, "norm_topk_prob"},
      {"mlp_only_layers", {0}, ErrorKind::unsupported, "mlp_only_layers"},
      {"decoder_sparse_step", 2, ErrorKind::unsupported, "decoder_sparse_step"},
  };
  for (const auto& [key, value, kind, word] : cases) {
    Checkpoint checkpoint("qwen3moe");
    checkpoint.config[key] = value;
    expect_error(checkpoint, kind, {word});
  }
  Checkpoint checkpoint("mixtral");
  checkpoint.tensors.erase("model.layers.1.block_sparse_moe.experts.2.w2.weight");
  expect_error(checkpoint, ErrorKind::not_found, {"experts.2.w2.weight", "blk.1.ffn_down_exps.weight"});
  checkpoint = Checkpoint("mixtral");
  checkpoint.add("model.layers.0.block_sparse_moe.experts.4.w1.weight", {32, 32});
  expect_error(checkpoint, ErrorKind::unsupported, {"experts.4.w1.weight"});
  checkpoint = Checkpoint("mixtral");
  auto& odd = checkpoint.tensors.at("model.layers.0.block_sparse_moe.experts.3.w1.weight");
  odd.dtype = "F16";
  expect_error(checkpoint, ErrorKind::unsupported, {"experts.3.w1.weight", "F16", "BF16"});
}

TEST(HuggingFaceSource, RefusesOtherShapesAndTypes) {
  Checkpoint checkpoint("llama");
  checkpoint.add("model.norm.weight", {64, 1});
  expect_error(checkpoint, ErrorKind::input, {"model.norm.weight", "[64, 1]", "[64]"});
  checkpoint = Checkpoint("gpt2");  // a linear layer the right way round is the wrong way round here
  std::swap(checkpoint.tensors["transformer.h.0.mlp.c_fc.weight"].shape[0],
            checkpoint.tensors["transformer.h.0.mlp.c_fc.weight"].shape[1]);
  expect_error(checkpoint, ErrorKind::input, {"c_fc.weight", "[144, 36]", "[36, 144]"});
}

TEST(HuggingFaceSource, RefusesTensorsWithoutAPlace) {
  Checkpoint checkpoint("llama");
  checkpoint.add("model.layers.0.self_attn.q_norm.weight", {16});
  expect_error(checkpoint, ErrorKind::unsupported, {"q_norm.weight", "llama"});
  checkpoint = Checkpoint("llama");
  checkpoint.add("model.layers.2.input_layernorm.weight", {64});  // one layer more than config.json says
  expect_error(checkpoint, ErrorKind::unsupported, {"model.layers.2"});
}

TEST(HuggingFaceSource, IgnoresBuffersAndTheTiedHead) {
  Checkpoint checkpoint("llama3");
  const std::size_t n = (*checkpoint.open())->tensors().size();
  checkpoint.add("model.layers.0.self_attn.rotary_emb.inv_freq", {5});
  checkpoint.add("lm_head.weight", {112, 40});
  const auto opened = checkpoint.open();
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ((*opened)->tensors().size(), n);
  EXPECT_EQ((*opened)->find("output.weight"), nullptr);
}

TEST(HuggingFaceSource, BiasesComeAlongWhenThere) {
  Checkpoint checkpoint("llama");
  checkpoint.add("model.layers.0.self_attn.q_proj.bias", {64});
  auto& bytes = checkpoint.tensors["model.layers.0.self_attn.q_proj.bias"].bytes;
  for (std::size_t i = 0; i < 64; ++i) {  // exact in bfloat16
    const auto value = static_cast<float>(i);
    std::memcpy(bytes.data() + 2 * i, reinterpret_cast<const char*>(&value) + 2, 2);
  }
  const auto opened = checkpoint.open();
  ASSERT_TRUE(opened) << opened.error().message();
  const SourceTensor* bias = (*opened)->find("blk.0.attn_q.bias");
  ASSERT_NE(bias, nullptr);
  EXPECT_FALSE((*opened)->raw(*bias));
  const std::vector<float> moved = values(**opened, "blk.0.attn_q.bias");
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(moved[i], i / 16 * 16 + i % 2 * 8 + i % 16 / 2) << i;
  EXPECT_EQ((*opened)->find("blk.1.attn_q.bias"), nullptr);

  checkpoint.config["attention_bias"] = true;
  expect_error(checkpoint, ErrorKind::not_found, {"bias"});
}

TEST(HuggingFaceSource, Gpt2WithoutPrefixAndWithMasks) {
  Checkpoint checkpoint("gpt2");
  const std::vector<float> expected = values(**checkpoint.open(), "blk.1.ffn_down.weight");
  checkpoint.rename("transformer.", "");
  checkpoint.add("h.0.attn.bias", {1, 1, 96, 96});
  checkpoint.add("h.0.attn.masked_bias", {});
  const auto opened = checkpoint.open();
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ(values(**opened, "blk.1.ffn_down.weight"), expected);
  checkpoint.add("transformer.wte.weight", {112, 36});
  expect_error(checkpoint, ErrorKind::input, {"twice", "transformer.wte.weight"});
}

TEST(HuggingFaceSource, TheLanguagePartOfGemma3) {
  for (const char* prefix : {"language_model.model.", "model.language_model."}) {
    Checkpoint checkpoint("gemma3");
    json text = checkpoint.config;
    text.erase("architectures");
    checkpoint.config = {{"architectures", {"Gemma3ForConditionalGeneration"}}, {"text_config", text}};
    checkpoint.rename("model.", prefix);
    checkpoint.add("vision_tower.vision_model.post_layernorm.weight", {8});
    checkpoint.add("multi_modal_projector.mm_soft_emb_norm.weight", {8});
    const auto opened = checkpoint.open();
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_EQ((*opened)->tensors().size(), (*Checkpoint("gemma3").open())->tensors().size());
    EXPECT_EQ(*(*opened)->metadata().u64("gemma3.embedding_length"), 24U);
  }
}

TEST(HuggingFaceSource, Gemma3InTheSpellingOfTransformers4) {
  Checkpoint checkpoint("gemma3");
  for (const char* key : {"rope_parameters", "layer_types", "_sliding_window_pattern", "tie_word_embeddings"})
    checkpoint.config.erase(key);
  checkpoint.config["rope_theta"] = 1e6;
  checkpoint.config["rope_local_base_freq"] = 1e4;
  checkpoint.config["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 2.0}};
  checkpoint.config["sliding_window_pattern"] = 6;
  const auto opened = checkpoint.open();
  ASSERT_TRUE(opened) << opened.error().message();
  const auto golden = Checkpoint("gemma3").open();
  for (const auto& [key, value] : (*golden)->metadata().entries())
    EXPECT_EQ((*opened)->metadata().find(key)->value, value.value) << key;
}

TEST(HuggingFaceSource, IrregularWindowsAreListedByLayer) {
  Checkpoint checkpoint("gemma3");
  checkpoint.config["layer_types"][1] = "full_attention";
  const auto opened = checkpoint.open();
  ASSERT_TRUE(opened) << opened.error().message();
  const MetaValue* pattern = (*opened)->metadata().find("gemma3.attention.sliding_window_pattern");
  ASSERT_NE(pattern, nullptr);
  EXPECT_EQ(pattern->type, MetaType::boolean);
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(pattern->value),
            (std::vector<std::int64_t>{1, 0, 1, 1, 1, 0, 1}));
  checkpoint.config["layer_types"].push_back("full_attention");
  expect_error(checkpoint, ErrorKind::input, {"layer_types", "8", "7"});
  checkpoint.config["layer_types"][0] = "chunked_attention";
  checkpoint.config["layer_types"].erase(7);
  expect_error(checkpoint, ErrorKind::unsupported, {"chunked_attention"});
}

TEST(HuggingFaceSource, OnlyMistralHeedsItsWindow) {
  Checkpoint checkpoint("mistral");
  EXPECT_EQ(*(*checkpoint.open())->metadata().u64("llama.attention.sliding_window"), 19U);
  checkpoint.config["architectures"] = {"LlamaForCausalLM"};
  EXPECT_FALSE((*checkpoint.open())->metadata().contains("llama.attention.sliding_window"));
}

TEST(HuggingFaceSource, YarnInBothSpellings) {
  Checkpoint checkpoint("qwen3");
  const json yarn = {{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 64}};
  checkpoint.config.erase("rope_parameters");
  checkpoint.config["rope_scaling"] = yarn;
  checkpoint.config["rope_theta"] = 5e5;
  const auto old_style = checkpoint.open();
  ASSERT_TRUE(old_style) << old_style.error().message();
  checkpoint.config["rope_parameters"] = yarn;
  checkpoint.config["rope_parameters"]["rope_theta"] = 5e5;
  const auto new_style = checkpoint.open();
  ASSERT_TRUE(new_style) << new_style.error().message();
  for (const auto& source : {*old_style, *new_style}) {
    EXPECT_EQ(*source->metadata().string("qwen3.rope.scaling.type"), "yarn");
    EXPECT_EQ(*source->metadata().f64("qwen3.rope.scaling.factor"), 4.0);
    EXPECT_EQ(*source->metadata().u64("qwen3.rope.scaling.original_context_length"), 64U);
    EXPECT_EQ(*source->metadata().f64("qwen3.rope.freq_base"), 5e5);
  }
}

TEST(HuggingFaceSource, AFolderWithoutModelIsExplained) {
  const fs::path folder = fs::path(testing::TempDir()) / "kerf_source_hf_test/empty";
  fs::create_directories(folder);
  const auto opened = ModelSource::open(folder);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::not_found);
  EXPECT_EQ(ModelSource::open(folder / "nothing").error().kind, ErrorKind::not_found);
}

/// What a Hugging Face folder is read as, a GGUF file made of it is read as too.
TEST(GgufSource, HoldsWhatWasWritten) {
  const auto origin = *Checkpoint("llama").open();
  std::vector<PlannedTensor> planned;
  for (const SourceTensor& tensor : origin->tensors())
    planned.push_back({tensor.name, &formats::f32, tensor.shape});
  const fs::path target = fs::path(testing::TempDir()) / "kerf_source_hf_test/model.gguf";
  auto writer = GgufWriter::create(target, origin->metadata(), planned);
  ASSERT_TRUE(writer) << writer.error().message();
  for (const SourceTensor& tensor : origin->tensors()) {
    const std::vector<float> rows = values(*origin, tensor.name.c_str());
    ASSERT_TRUE(writer->write(Bytes(reinterpret_cast<const std::uint8_t*>(rows.data()), rows.size() * 4)));
  }
  ASSERT_TRUE(writer->commit());

  const auto opened = ModelSource::open(target);
  ASSERT_TRUE(opened) << opened.error().message();
  const ModelSource& source = **opened;
  EXPECT_EQ(source.kind(), "gguf");
  EXPECT_EQ(source.path(), target);
  ASSERT_EQ(source.tensors().size(), origin->tensors().size());
  for (const auto& [key, value] : origin->metadata().entries())
    EXPECT_EQ(source.metadata().find(key)->value, value.value) << key;
  for (const SourceTensor& tensor : source.tensors()) {
    const std::vector<float> expected = values(*origin, tensor.name.c_str());
    EXPECT_EQ(values(source, tensor.name.c_str()), expected) << tensor.name;
    ASSERT_TRUE(source.raw(tensor));
    EXPECT_EQ(std::memcmp(source.raw(tensor)->data(), expected.data(), expected.size() * 4), 0)
        << tensor.name;
    source.release(tensor);
    std::vector<float> last(tensor.row_length());
    ASSERT_TRUE(source.read_rows(tensor, tensor.n_rows() - 1, 1, last.data()));
    EXPECT_TRUE(
        std::equal(last.begin(), last.end(), expected.end() - static_cast<std::ptrdiff_t>(last.size())));
  }
  EXPECT_EQ(source.tokenizer(), nullptr);
  EXPECT_EQ(source.require_tokenizer().error().kind, ErrorKind::not_found);
  EXPECT_EQ(source.find("no such tensor"), nullptr);
}

TEST(GgufSource, ASingleSafetensorsFileIsExplained) {
  const fs::path file = fs::path(KERF_SOURCE_DIR) / "tests/golden/models/llama/model.safetensors";
  const auto opened = ModelSource::open(file);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::unsupported);
  EXPECT_NE(opened.error().message().find("config.json"), std::string::npos);
}

}  // namespace
}  // namespace kerf
