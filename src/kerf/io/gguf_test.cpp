#include "kerf/io/gguf.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "kerf/base/bits.h"
#include "kerf/base/rng.h"
#include "kerf/io/printable.h"

namespace kerf {
namespace {

namespace fs = std::filesystem;

fs::path scratch(const std::string& name) {
  const fs::path folder = fs::path(testing::TempDir()) / "kerf_gguf_test";
  fs::create_directories(folder);
  return folder / name;
}

std::string random_text(Rng& rng, std::size_t longest) {
  std::string text(rng.below(longest + 1), '\0');
  for (char& c : text) c = static_cast<char>(rng.next());
  return text;
}

/// Any value of a type, as it reads back after being narrowed to the type on disk.
std::int64_t random_integer(Rng& rng, MetaType type) {
  const std::uint64_t bits = rng.next();
  switch (type) {
    case MetaType::boolean:
      return static_cast<std::int64_t>(bits & 1);
    case MetaType::u8:
      return static_cast<std::uint8_t>(bits);
    case MetaType::i8:
      return static_cast<std::int8_t>(bits);
    case MetaType::u16:
      return static_cast<std::uint16_t>(bits);
    case MetaType::i16:
      return static_cast<std::int16_t>(bits);
    case MetaType::u32:
      return static_cast<std::uint32_t>(bits);
    case MetaType::i32:
      return static_cast<std::int32_t>(bits);
    default:
      return static_cast<std::int64_t>(bits);
  }
}

MetaValue random_value(Rng& rng) {
  constexpr MetaType kTypes[] = {MetaType::u8,  MetaType::i8,      MetaType::u16,    MetaType::i16,
                                 MetaType::u32, MetaType::i32,     MetaType::f32,    MetaType::u64,
                                 MetaType::i64, MetaType::boolean, MetaType::string, MetaType::f64};
  const MetaType type = kTypes[rng.below(std::size(kTypes))];
  const bool array = rng.below(2) == 1;
  const std::size_t n = rng.below(20);
  if (type == MetaType::string) {
    if (!array) return MetaValue::of_string(random_text(rng, 40));
    std::vector<std::string> values(n);
    for (auto& value : values) value = random_text(rng, 20);
    return MetaValue::of_strings(std::move(values));
  }
  if (type == MetaType::f32 || type == MetaType::f64) {
    const auto draw = [&] { return type == MetaType::f32 ? static_cast<float>(rng.normal()) : rng.normal(); };
    if (!array) return {type, draw()};
    std::vector<double> values(n);
    for (auto& value : values) value = draw();
    return {type, std::move(values)};
  }
  if (!array) return {type, random_integer(rng, type)};
  std::vector<std::int64_t> values(n);
  for (auto& value : values) value = random_integer(rng, type);
  return {type, std::move(values)};
}

PlannedTensor random_tensor(Rng& rng, std::size_t number) {
  const auto formats = all_formats();
  PlannedTensor tensor;
  tensor.name = "tensor." + std::to_string(number);
  do tensor.format = formats[rng.below(formats.size())];
  while (format_of_gguf_type(tensor.format->gguf_type) != tensor.format);
  tensor.shape.resize(tensor.format->plain() ? rng.below(5) : 1 + rng.below(4));
  for (auto& extent : tensor.shape) extent = 1 + rng.below(4);
  if (!tensor.shape.empty()) tensor.shape.back() *= tensor.format->block_size;
  return tensor;
}

struct Model {
  Metadata metadata;
  std::vector<PlannedTensor> tensors;
  std::vector<std::vector<std::uint8_t>> bytes;
};

Model random_model(std::uint64_t seed) {
  Rng rng(seed);
  Model model;
  const std::size_t n_keys = rng.below(12);
  for (std::size_t i = 0; i < n_keys; ++i)
    model.metadata.set("key." + std::to_string(rng.below(1000)), random_value(rng));
  if (rng.below(2) == 1) model.metadata.set("general.alignment", MetaValue::of_u32(8U << rng.below(6)));
  const std::size_t n_tensors = rng.below(8);
  for (std::size_t i = 0; i < n_tensors; ++i) {
    model.tensors.push_back(random_tensor(rng, i));
    auto& bytes = model.bytes.emplace_back(model.tensors.back().n_bytes());
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.next());
  }
  return model;
}

Result<void> write_model(const fs::path& path, const Model& model) {
  KERF_TRY(GgufWriter writer, GgufWriter::create(path, model.metadata, model.tensors));
  for (const auto& bytes : model.bytes) {
    const std::size_t half = bytes.size() / 2;  // a tensor may come in pieces
    KERF_CHECK_OK(writer.write(Bytes(bytes).first(half)));
    KERF_CHECK_OK(writer.write(Bytes(bytes).subspan(half)));
  }
  return writer.commit();
}

TEST(Gguf, WhatIsWrittenIsRead) {
  const fs::path path = scratch("round.gguf");
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    const Model model = random_model(seed);
    const auto written = write_model(path, model);
    ASSERT_TRUE(written) << written.error().message();
    EXPECT_EQ(fs::file_size(path), GgufWriter::file_bytes(model.metadata, model.tensors));
    const auto read = open_gguf(path);
    ASSERT_TRUE(read) << read.error().message();
    ASSERT_EQ(read->metadata.entries().size(), model.metadata.entries().size());
    for (std::size_t i = 0; i < model.metadata.entries().size(); ++i) {
      const auto& [key, value] = model.metadata.entries()[i];
      EXPECT_EQ(read->metadata.entries()[i].first, key) << "order of keys";
      EXPECT_EQ(read->metadata.entries()[i].second.type, value.type);
      EXPECT_EQ(read->metadata.entries()[i].second.value, value.value);
    }
    ASSERT_EQ(read->tensors.size(), model.tensors.size());
    for (std::size_t i = 0; i < model.tensors.size(); ++i) {
      EXPECT_EQ(read->tensors[i].name, model.tensors[i].name);
      EXPECT_EQ(read->tensors[i].format, model.tensors[i].format);
      EXPECT_EQ(read->tensors[i].shape, model.tensors[i].shape);
      EXPECT_TRUE(std::ranges::equal(read->tensors[i].bytes, model.bytes[i]));
      EXPECT_EQ(read->find(model.tensors[i].name), &read->tensors[i]);
    }
  }
  fs::remove(path);
}

TEST(GgufWriter, RefusesWhatNoReaderTakes) {
  const fs::path path = scratch("refused.gguf");
  const auto refused = [&](PlannedTensor tensor) { return !GgufWriter::create(path, Metadata(), {tensor}); };
  const Format* f32 = &formats::f32;
  EXPECT_FALSE(refused({"fine", f32, {2, 3}}));
  EXPECT_TRUE(refused({"", f32, {2}}));
  EXPECT_TRUE(refused({std::string(64, 'x'), f32, {2}})) << "llama.cpp holds 63 bytes";
  EXPECT_TRUE(refused({"t", f32, {1, 1, 1, 1, 1}}));
  EXPECT_TRUE(refused({"t", f32, {3, 0}}));
  EXPECT_FALSE(GgufWriter::create(path, Metadata(), {{"t", f32, {1}}, {"t", f32, {1}}})) << "twice";
  Metadata metadata;
  metadata.set("general.alignment", MetaValue::of_u32(48));
  EXPECT_FALSE(GgufWriter::create(path, metadata, {}));
  EXPECT_FALSE(fs::exists(path));
}

TEST(GgufWriter, ACutTensorIsAnErrorAndLeavesNoFile) {
  const fs::path path = scratch("cut.gguf");
  auto writer = GgufWriter::create(path, Metadata(), {{"t", &formats::f32, {4}}});
  ASSERT_TRUE(writer);
  const std::uint8_t bytes[12] = {};
  ASSERT_TRUE(writer->write(bytes));
  const auto done = writer->commit();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message().find("12 of its 16 bytes"), std::string::npos) << done.error().message();
  EXPECT_FALSE(fs::exists(path));
}

TEST(Printable, HidesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("blk.0.attn_q.weight"), "blk.0.attn_q.weight");
  EXPECT_EQ(printable("Größe 模型"), "Größe 模型");
  EXPECT_EQ(printable("\x1b[2Jx\n"), "\\x1b[2Jx\\x0a");
  EXPECT_EQ(printable("a\xff"), "a\\xff");
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae") << "right-to-left override";
  EXPECT_EQ(printable(std::string(1000, 'x'), 5), "xxxxx…");
}

}  // namespace
}  // namespace kerf
