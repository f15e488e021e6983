// Tensors in kerf's own formats: written, listed as bytes by the file itself, and read back as what they are.
#include <gtest/gtest.h>

#include <filesystem>

#include "kerf/io/gguf.h"

namespace kerf {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kRows = 3;
constexpr std::uint64_t kColumns = 100;  // one block and a part of the next

std::vector<std::uint8_t> counting_bytes(std::size_t n) {
  std::vector<std::uint8_t> bytes(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::uint8_t>(i);
  return bytes;
}

fs::path write_file(const std::vector<PlannedTensor>& tensors) {
  const fs::path path = fs::temp_directory_path() / "kerf_own_types.gguf";
  Metadata metadata;
  metadata.set("general.architecture", MetaValue::of_string("llama"));
  auto writer = GgufWriter::create(path, metadata, tensors);
  EXPECT_TRUE(writer) << writer.error().message();
  for (const PlannedTensor& tensor : tensors) EXPECT_TRUE(writer->write(counting_bytes(tensor.n_bytes())));
  EXPECT_TRUE(writer->commit());
  EXPECT_EQ(fs::file_size(path), GgufWriter::file_bytes(metadata, tensors));
  return path;
}

TEST(OwnTypes, ComeBackAsTheyWereWritten) {
  const Format& format = formats::nvfp4_row;
  const fs::path path = write_file({{"plain", &formats::f32, {4}}, {"own", &format, {kRows, kColumns}}});
  const auto container = open_gguf(path);
  ASSERT_TRUE(container) << container.error().message();
  const StoredTensor* own = container->find("own");
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(own->format, &format);
  EXPECT_EQ(own->shape, (std::vector<std::uint64_t>{kRows, kColumns}));
  const auto expected = counting_bytes(kRows * (4 + 2 * 36));
  EXPECT_TRUE(std::equal(own->bytes.begin(), own->bytes.end(), expected.begin(), expected.end()));
  EXPECT_EQ(container->find("plain")->format, &formats::f32);
}

// The keys describe one file; a copy with other types must not inherit them.
TEST(OwnTypes, KeysDoNotLeakIntoTheMetadata) {
  const auto container = open_gguf(write_file({{"own", &formats::nvfp4_row, {kRows, kColumns}}}));
  ASSERT_TRUE(container);
  for (const auto& [key, value] : container->metadata.entries())
    EXPECT_FALSE(key.starts_with("kerf.")) << key;
}

TEST(OwnTypes, AFileWithoutThemHasNoSuchKeys) {
  const fs::path path = write_file({{"plain", &formats::f32, {4}}});
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file);
  const std::string_view text(reinterpret_cast<const char*>((*file)->bytes().data()),
                              (*file)->bytes().size());
  EXPECT_EQ(text.find("kerf.tensor"), std::string_view::npos);
}

// To a reader that knows nothing of kerf the tensor is rows of bytes.
TEST(OwnTypes, AreBytesToOtherReaders) {
  const auto file = MappedFile::open(write_file({{"own", &formats::nvfp4_row, {kRows, kColumns}}}));
  ASSERT_TRUE(file);
  std::vector<std::uint8_t> bytes((*file)->bytes().begin(), (*file)->bytes().end());
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const char* key : {"kerf.tensor.names", "kerf.tensor.formats", "kerf.tensor.columns"})
    bytes[text.find(key)] = 'x';  // another program's view: the keys mean nothing
  const auto container = parse_gguf(bytes, "memory");
  ASSERT_TRUE(container) << container.error().message();
  EXPECT_EQ(container->find("own")->format, &formats::i8);
  EXPECT_EQ(container->find("own")->shape, (std::vector<std::uint64_t>{kRows, 4 + 2 * 36}));
}

}  // namespace
}  // namespace kerf
