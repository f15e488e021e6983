// Each checkpoint of tests/golden/models, opened as it lies there, against what llama.cpp's converter makes
// of it (gguf.json, see tools/golden_gguf_listing.py).
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "kerf/base/file.h"
#include "kerf/base/json.h"
#include "kerf/model/source.h"

namespace kerf {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kModels = fs::path(KERF_SOURCE_DIR) / "tests/golden/models";

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kModels))
    if (fs::exists(entry.path() / "gguf.json")) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string fnv1a(const std::vector<float>& values) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
  for (std::size_t i = 0; i < values.size() * sizeof(float); ++i) hash = (hash ^ bytes[i]) * 0x100000001B3U;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

/// What the Python package gguf calls a type.
std::string gguf_name(MetaType type) {
  if (type == MetaType::u32) return "uint32";
  if (type == MetaType::f32) return "float32";
  return std::string(name_of(type));
}

/// All values of a tensor, read `step` rows at a time.
std::vector<float> values_of(const ModelSource& source, const SourceTensor& tensor, std::uint64_t step) {
  std::vector<float> values(tensor.n_elements());
  for (std::uint64_t row = 0; row < tensor.n_rows(); row += step) {
    const std::uint64_t n = std::min(step, tensor.n_rows() - row);
    EXPECT_TRUE(source.read_rows(tensor, row, n, values.data() + row * tensor.row_length()));
  }
  return values;
}

class SourceGolden : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const fs::path folder = kModels / GetParam();
    auto opened = ModelSource::open(folder);
    ASSERT_TRUE(opened) << opened.error().message();
    source_ = *opened;
    expected_ = *parse_json(*read_file(folder / "gguf.json"), "gguf.json");
  }
  std::string expected_prefix() const {
    return expected_["keys"]["general.architecture"][1].get<std::string>() + ".";
  }
  std::shared_ptr<const ModelSource> source_;
  json expected_;
};

TEST_P(SourceGolden, HasTheConvertersTensors) {
  std::set<std::string> names;
  for (const SourceTensor& tensor : source_->tensors()) names.insert(tensor.name);
  for (const auto& [name, entry] : expected_["tensors"].items()) {
    const SourceTensor* tensor = source_->find(name);
    ASSERT_NE(tensor, nullptr) << name;
    EXPECT_EQ(tensor->shape, entry[0].get<std::vector<std::uint64_t>>()) << name;
    const std::vector<float> values = values_of(*source_, *tensor, 7);
    if (entry[1].is_string()) {
      EXPECT_EQ(fnv1a(values), entry[1].get<std::string>()) << name;
    } else {  // computed in binary32 there
      const auto wanted = entry[1].get<std::vector<float>>();
      ASSERT_EQ(values.size(), wanted.size());
      for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(values[i] / wanted[i], 1, 1e-6) << name;
    }
    names.erase(name);
  }
  EXPECT_TRUE(names.empty()) << *names.begin();
}

TEST_P(SourceGolden, HasTheConvertersKeys) {
  const std::set<std::string> ours{"general.name", "general.file_type"};
  for (const auto& [key, entry] : expected_["keys"].items()) {
    if (ours.contains(key)) continue;
    const MetaValue* value = source_->metadata().find(key);
    ASSERT_NE(value, nullptr) << key;
    EXPECT_EQ(entry[0].get<std::string>(), gguf_name(value->type)) << key;
    if (entry[1].is_string()) {
      EXPECT_EQ(*source_->metadata().string(key), entry[1].get<std::string>()) << key;
    } else {
      EXPECT_EQ(static_cast<float>(*source_->metadata().f64(key)), entry[1].get<float>()) << key;
    }
  }
}

/// Keys that the converter leaves out: those llama.cpp derives from others, and those only kerf heeds.
TEST_P(SourceGolden, AddsOnlyDocumentedKeys) {
  const std::string prefix = expected_prefix();
  const std::set<std::string> added{"vocab_size",
                                    "attention.head_count_kv",
                                    "attention.key_length",
                                    "attention.value_length",
                                    "attention.scale",
                                    "attention.sliding_window",
                                    "attention.sliding_window_pattern",
                                    "expert_weights_norm",
                                    "rope.dimension_count"};
  for (const auto& [key, value] : source_->metadata().entries()) {
    if (expected_["keys"].contains(key) || key.starts_with("tokenizer.")) continue;
    if (key == "kerf.tokenizer.json") continue;
    ASSERT_TRUE(key.starts_with(prefix)) << key;
    EXPECT_TRUE(added.contains(key.substr(prefix.size()))) << key;
  }
}

TEST_P(SourceGolden, TheTokenizersKeysSayWhatTheFolderSays) {
  const auto ours = source_->require_tokenizer();
  ASSERT_TRUE(ours) << ours.error().message();
  const auto theirs = tokenizer_from_metadata(source_->metadata());
  ASSERT_TRUE(theirs) << theirs.error().message();
  const std::string text = "the other thing<|end|> in 12 tests";
  for (const bool special : {false, true}) {
    const EncodeOptions options{.parse_special = special, .add_special = special};
    EXPECT_EQ((*ours)->encode(text, options), (*theirs)->encode(text, options));
  }
  EXPECT_EQ((*theirs)->vocabulary_size(), *source_->metadata().u64(expected_prefix() + "vocab_size"));
}

TEST_P(SourceGolden, RawBytesAndRowsAgree) {
  for (const SourceTensor& tensor : source_->tensors()) {
    const std::vector<float> at_once = values_of(*source_, tensor, tensor.n_rows());
    const std::vector<float> one_by_one = values_of(*source_, tensor, 1);
    EXPECT_EQ(fnv1a(at_once), fnv1a(one_by_one)) << tensor.name;
    if (const auto raw = source_->raw(tensor)) {
      ASSERT_EQ(raw->size(), tensor.n_rows() * tensor.format->row_bytes(tensor.row_length())) << tensor.name;
      std::vector<float> decoded(tensor.n_elements());
      tensor.format->decode(raw->data(), decoded.data(), decoded.size());
      EXPECT_EQ(fnv1a(decoded), fnv1a(at_once)) << tensor.name;
    }
    source_->release(tensor);
    EXPECT_EQ(fnv1a(values_of(*source_, tensor, 5)), fnv1a(at_once)) << tensor.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SourceGolden, ::testing::ValuesIn(model_names()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace kerf
