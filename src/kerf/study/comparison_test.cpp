// A comparison of made-up files: what is measured, and that page and card are sound with hostile names.
#include "kerf/study/comparison.h"

#include <gtest/gtest.h>

#include "kerf/report/xml_for_tests.h"
#include "kerf/study/comparison_page.h"

namespace kerf::study {
namespace {

ComparedFile file_of(const std::string& name, std::uint64_t bytes, double kld) {
  ComparedFile out;
  out.file.path = name;
  out.file.file_bytes = bytes;
  out.file.n_weights = 1000;
  out.file.sha256 = std::string(64, 'a');
  out.file.types["Q4_0"] = {2, 1000, 563};
  Comparison c;
  c.kld_mean = kld;
  c.kld_tail = {{1, kld / 100}, {0.1, kld}, {0.01, 10 * kld}};
  c.perplexity_base = 10;
  out.eval.perplexity = 11.5;
  out.eval.tokens_scored = 100;
  out.eval.comparison = c;
  out.matrices = {{"token_embd.weight", "Q4_0", 0, {3, 5, 1}, {3, 5, 1}},
                  {"blk.0.ffn_<up>.weight", "Q4_0", 0.01, {9, 20, 7}, {3, 6, 7}},
                  {"blk.1.ffn_<up>.weight", "Q4_0", 0.001, {4, 8, 2}, {3, 6, 3}}};
  LevelUse use;
  use.tensor = "blk.1.ffn_<up>.weight";
  use.candidate = "Q4_0";
  use.scaled = true;
  use.values = {-1, 0, 0.5, 1};
  use.levels = {{-1, 1}, {0, 2}, {1, 1}};
  out.levels = {use};
  return out;
}

ComparisonReport report() {
  ComparisonReport out;
  out.base = file_of("base<script>.gguf", 4000, 0).file;
  out.text = "a&b.txt";
  out.files = {file_of("</td><script>\xff.gguf", 600, 0.1), file_of("worse|`.gguf", 700, 0.2),
               file_of("exact.gguf", 900, 0)};
  return out;
}

TEST(Comparison, PageIsWellFormedSelfContainedAndEscaped) {
  const std::string page = comparison_page(report(), "0 <test>");
  constexpr std::string_view kProlog = "<!DOCTYPE html>\n";
  ASSERT_TRUE(page.starts_with(kProlog));
  EXPECT_EQ(report::xml_defect(std::string_view(page).substr(kProlog.size())), "");
  for (const char* forbidden : {"<script", "src=", "url(", "@import", "<link"})
    EXPECT_EQ(page.find(forbidden), std::string::npos) << forbidden;
  for (const char* wanted : {"+1.5000", "prefers-color-scheme:dark", "id=\"weights\"", "−20", "unknown"})
    EXPECT_NE(page.find(wanted), std::string::npos) << wanted;
}

TEST(Comparison, OneExactFileHasAPage) {
  ComparisonReport one = report();
  one.files = {one.files.back()};
  one.files[0].matrices.clear();
  one.files[0].levels.clear();
  EXPECT_EQ(report::xml_defect(comparison_page(one, "0").substr(16)), "");
}

TEST(Comparison, FrontierLeavesOutWhatALesserFileBeats) {
  EXPECT_EQ(frontier(report().files), (std::vector<std::size_t>{0, 2}));
  const std::vector<ComparedFile> equals = {file_of("b", 5, 0.2), file_of("a", 5, 0.1), file_of("c", 6, 0.1)};
  EXPECT_EQ(frontier(equals), (std::vector<std::size_t>{1}));
}

TEST(Comparison, PlacesOfTensors) {
  EXPECT_EQ(place_of("blk.12.ffn_up.weight").layer, 12);
  EXPECT_EQ(place_of("blk.12.ffn_up.weight").kind, "ffn_up");
  EXPECT_EQ(place_of("token_embd.weight").layer, -1);
  EXPECT_EQ(place_of("blk.99999999999.x").layer, -1);
  EXPECT_EQ(place_of("blk.").layer, -1);
}

TEST(ModelCard, SaysWhatAReaderAsksAndEscapesMarks) {
  const std::string card = model_card(report(), "0");
  for (const char* wanted :
       {"worse\\|\\`.gguf", "4.800 (1000 weights)", "0.10000 ± ", "| Q4\\_0 | 2 | 1000 | 563 |",
        "Unknown: the file does not say", "kerf run worse|'.gguf", "\\<script\\>"})
    EXPECT_NE(card.find(wanted), std::string::npos) << wanted << "\n" << card;
  EXPECT_NE(card.find(std::string(64, 'a')), std::string::npos);
}

}  // namespace
}  // namespace kerf::study
