// Files that gguf-py and the safetensors library made (tools/golden_io.py) read as what was put in.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "kerf/base/json.h"
#include "kerf/io/container.h"

namespace kerf {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kFolder = fs::path(KERF_SOURCE_DIR) / "tests/golden";

std::string fnv1a(Bytes bytes) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001B3;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

/// The value as JSON, u64 and bool in their own kind.
json as_json(const MetaValue& value) {
  if (value.type == MetaType::boolean && !value.is_array()) return std::get<std::int64_t>(value.value) != 0;
  if (value.type == MetaType::u64 && !value.is_array())
    return static_cast<std::uint64_t>(std::get<std::int64_t>(value.value));
  if (value.type == MetaType::boolean) {
    json list = json::array();
    for (const std::int64_t b : std::get<std::vector<std::int64_t>>(value.value)) list.push_back(b != 0);
    return list;
  }
  return std::visit([](const auto& held) { return json(held); }, value.value);
}

class GoldenFile : public testing::TestWithParam<const char*> {};

TEST_P(GoldenFile, HoldsWhatWasPutIn) {
  const auto text = read_file(kFolder / "io_expected.json");
  ASSERT_TRUE(text);
  const json expected = parse_json(*text, "io_expected.json")->at(GetParam());
  const auto container = open_container(kFolder / GetParam());
  ASSERT_TRUE(container) << container.error().message();
  for (const auto& [key, value] : expected["metadata"].items()) {
    SCOPED_TRACE(key);
    const MetaValue* found = container->metadata.find(key);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(std::string(name_of(found->type)), value[0]);
    EXPECT_EQ(as_json(*found), value[1]);
  }
  EXPECT_EQ(container->tensors.size(), expected["tensors"].size());
  for (const json& tensor : expected["tensors"]) {
    SCOPED_TRACE(tensor["name"]);
    const StoredTensor* found = container->find(tensor["name"].get<std::string>());
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(std::string(found->format->name), tensor["format"]);
    EXPECT_EQ(json(found->shape), tensor["shape"]);
    EXPECT_EQ(fnv1a(found->bytes), tensor["fnv1a"]);
  }
}

INSTANTIATE_TEST_SUITE_P(Io, GoldenFile,
                         testing::Values("io_v3.gguf", "io_v2.gguf", "io_alignment_128.gguf",
                                         "io_split-00002-of-00003.gguf", "io.safetensors",
                                         "io_dtypes.safetensors", "io_folder"));

TEST(Golden, MetadataKeepsItsOrder) {
  const auto container = open_container(kFolder / "io_v3.gguf");
  ASSERT_TRUE(container) << container.error().message();
  std::size_t z = 0;
  std::size_t y = 0;
  const auto& entries = container->metadata.entries();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].first == "z.before.y") z = i;
    if (entries[i].first == "y.last") y = i;
  }
  EXPECT_EQ(y, z + 1);
}

TEST(Golden, AnyShardOpensTheWholeModel) {
  for (const char* shard : {"1", "2", "3"}) {
    const auto container =
        open_container(kFolder / ("io_split-0000" + std::string(shard) + "-of-00003.gguf"));
    ASSERT_TRUE(container) << container.error().message();
    EXPECT_EQ(container->tensors.size(), 5U);
    EXPECT_FALSE(container->metadata.contains("split.count")) << "the joined model is not a shard";
    std::uintmax_t bytes = 0;
    for (const char* part : {"1", "2", "3"})
      bytes += fs::file_size(kFolder / ("io_split-0000" + std::string(part) + "-of-00003.gguf"));
    EXPECT_EQ(container->file_bytes, bytes);
  }
}

}  // namespace
}  // namespace kerf
