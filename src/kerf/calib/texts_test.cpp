#include "kerf/calib/texts.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

namespace kerf {
namespace {

/// A token per byte, its value.
class ByteTokenizer final : public Tokenizer {
 public:
  explicit ByteTokenizer(bool bos) : bos_(bos) {}
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const override {
    std::vector<TokenId> ids;
    if (bos_ && options.add_special) ids.push_back(bos());
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  [[nodiscard]] std::string token_bytes(TokenId, bool) const override { return "x"; }
  [[nodiscard]] std::string_view piece(TokenId) const override { return "x"; }
  [[nodiscard]] std::size_t vocabulary_size() const noexcept override { return 258; }
  [[nodiscard]] bool is_special(TokenId id) const noexcept override { return id > 255; }
  [[nodiscard]] TokenId bos() const noexcept override { return 256; }
  [[nodiscard]] TokenId eos() const noexcept override { return 257; }
  [[nodiscard]] bool ends_text(TokenId id) const noexcept override { return id == 257; }
  [[nodiscard]] bool adds_bos() const noexcept override { return bos_; }
  [[nodiscard]] bool strips_leading_blank() const noexcept override { return false; }

 private:
  bool bos_;
};

std::vector<TokenId> ids(const TokenWindows& windows) {
  return {windows.tokens().begin(), windows.tokens().end()};
}

TEST(Texts, DocumentsOfATextFollowEachOther) {
  const auto plain = cut_windows(ByteTokenizer(false), {{"a", {"abc", "de"}}, {"b", {"fghi"}}}, 3, 258);
  ASSERT_TRUE(plain);
  EXPECT_EQ(ids(*plain), (std::vector<TokenId>{'a', 'b', 'c', 257, 'd', 'e', 'f', 'g', 'h'}));
  const auto with_bos = cut_windows(ByteTokenizer(true), {{"a", {"abc", "de"}}}, 3, 258);
  ASSERT_TRUE(with_bos);
  EXPECT_EQ(ids(*with_bos), (std::vector<TokenId>{256, 'a', 'b', 256, 256, 'd'}));
}

TEST(Texts, WindowsAreDrawnBySeedWithoutRepeating) {
  TokenWindows all(1);
  for (TokenId id = 0; id < 100; ++id) all.append(std::vector<TokenId>{id});
  const auto a = ids(sample_windows(all, 20, 1)), b = ids(sample_windows(all, 20, 2));
  EXPECT_EQ(a, ids(sample_windows(all, 20, 1)));
  EXPECT_NE(a, b);
  EXPECT_EQ(std::set<TokenId>(a.begin(), a.end()).size(), 20U);
  EXPECT_TRUE(std::is_sorted(a.begin(), a.end()));
  EXPECT_EQ(sample_windows(all, 500, 1).size(), 100U);
  EXPECT_EQ(ids(spread_windows(all, 4)), (std::vector<TokenId>{0, 25, 50, 75}));
}

TEST(Texts, RefusesTooLittleAndTokensOfAnotherModel) {
  const auto short_text = cut_windows(ByteTokenizer(false), {{"a", {"abc"}}}, 4, 258);
  ASSERT_FALSE(short_text);
  EXPECT_NE(short_text.error().message().find("3 tokens, less than one window of 4"), std::string::npos);
  const auto stranger = cut_windows(ByteTokenizer(false), {{"a.txt", {"abz"}}}, 2, 'z');
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().kind, ErrorKind::input);
  EXPECT_NE(stranger.error().message().find("of another model"), std::string::npos);
}

TEST(Texts, ReadsLinesOfJson) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "texts";
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* text) { std::ofstream(folder / "t.jsonl") << text; };
  write("{\"text\": \"one\"}\n\n{\"content\": \"two\", \"id\": 3}\r\n");
  const auto read = read_calibration_text(folder / "t.jsonl");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->documents, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(read->name, "t.jsonl");
  for (const char* broken :
       {"{\"text\": \"one\"}\n{\"text\": 3}", "{\"text\": \"one\"}\nnonsense", "\n[\"text\"]"}) {
    write(broken);
    const auto refused = read_calibration_text(folder / "t.jsonl");
    ASSERT_FALSE(refused) << broken;
    EXPECT_NE(refused.error().message().find("line 2"), std::string::npos) << refused.error().message();
  }
  EXPECT_EQ(read_calibration_text(folder / "none.txt").error().kind, ErrorKind::not_found);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace kerf
