// The page is sound and needs nothing else; the guide shows what the program prints.
#include "kerf/study/page.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "kerf/report/svg.h"
#include "kerf/report/xml_for_tests.h"
#include "kerf/study/study_for_tests.h"
#include "kerf/study/text.h"

namespace kerf::study {
namespace {

TEST(Guide, ShowsWhatTheProgramPrints) {
  std::vector<std::string> formats;
  for (const char* name :
       {"Q1_0", "TQ1_0", "IQ2_XXS", "Q2_K", "IQ3_XXS", "Q3_K", "IQ4_XS", "nf4:4/64", "Q4_0", "MXFP4", "Q4_K",
        "Q5_K", "Q6_K", "absmax:8/row", "Q8_0", "BF16", "F16", "F32"})
    formats.emplace_back(name);
  const std::string table = study_text(study(options_of({"gaussian"}, formats)), Selection::all);
  std::ifstream in(KERF_SOURCE_DIR "/docs/study.md");
  const std::string guide((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_NE(guide.find("<!-- gaussian -->\n```\n" + table + "```\n<!-- end -->"), std::string::npos)
      << "the table in docs/study.md should be\n"
      << table;
}

TEST(Guide, TheBoundsAreThoseOfTheCode) {
  std::ifstream in(KERF_SOURCE_DIR "/docs/study.md");
  const std::string guide((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  for (const std::string_view name : {"laplace", "uniform", "student-t"}) {
    char entropy[16], gain[32];
    std::snprintf(entropy, sizeof entropy, "%.4f", distribution(name).entropy());
    std::snprintf(gain, sizeof gain, "6.02 R + %.2f", distribution(name).bound_db(0));
    EXPECT_NE(guide.find(entropy), std::string::npos) << name << " " << entropy;
    EXPECT_NE(guide.find(gain), std::string::npos) << name << " " << gain;
  }
}

/// The page as an XML document: it is written so that a strict reader takes it too.
std::string document(const std::string& page) {
  constexpr std::string_view kProlog = "<!DOCTYPE html>\n";
  return page.starts_with(kProlog) ? page.substr(kProlog.size()) : "no prolog";
}

TEST(Page, IsWellFormedSelfContainedAndComplete) {
  const TemporaryFile file("<b>&.safetensors");
  write_model(file.path(), gaussian(64 * 96, 6), 64, 96);
  StudyOptions options = options_of(Distribution::names());
  options.n_rows = 4;
  options.model = file.path();
  const StudyReport report = study(std::move(options));
  const std::string page = study_page(report, "0 <test>");
  EXPECT_EQ(report::xml_defect(document(page)), "");
  for (const auto& candidate : report.candidates())
    EXPECT_NE(page.find(report::escape(candidate->name())), std::string::npos) << candidate->name();
  EXPECT_EQ(page.find("<b>&"), std::string::npos) << "the name of the file is text, not markup";
  EXPECT_EQ(page.find("<script"), std::string::npos);
  std::string rest = page;
  const std::string name = "\"http://www.w3.org/2000/svg\"";
  for (std::size_t at = rest.find(name); at != std::string::npos; at = rest.find(name))
    rest.erase(at, name.size());
  for (const char* way_out : {"http", "src=", "url(", "@import", "<link", "<image", "<iframe"})
    EXPECT_EQ(rest.find(way_out), std::string::npos) << way_out;
  EXPECT_EQ(page.find("nan"), std::string::npos);
}

TEST(Page, OfOneDistributionAndOfNothingThatFits) {
  EXPECT_EQ(report::xml_defect(document(study_page(study(options_of({"uniform"}, {"Q4_0"})), "0"))), "");
  const TemporaryFile file(".safetensors");
  write_model(file.path(), std::vector<float>(4 * 33), 4, 33);  // zeros, in rows that no block divides
  StudyOptions options = options_of({}, {"Q4_0", "F32"});
  options.model = file.path();
  EXPECT_EQ(report::xml_defect(document(study_page(study(std::move(options)), "0"))), "");
}

}  // namespace
}  // namespace kerf::study
