#include "kerf/report/heatmap.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kerf/report/xml_for_tests.h"

namespace kerf::report {
namespace {

HeatmapFigure figure() {
  HeatmapFigure out;
  out.title = "<b>&\"'";
  out.legend = "dB";
  out.rows = {"</svg><script>", "\xff\x01"};
  out.columns = {"0", "1", "&amp;"};
  out.values = {-30, -20.5, -10, -40, std::nan(""), 1e9};
  out.lo = -30;
  out.hi = -10;
  return out;
}

TEST(Heatmap, IsWellFormedWithHostileNames) {
  for (const Surface surface : {Surface::file, Surface::page}) {
    const std::string svg = heatmap(figure(), surface);
    EXPECT_EQ(xml_defect(svg), "");
    EXPECT_EQ(svg.find("<script"), std::string::npos);
  }
}

TEST(Heatmap, HasACellPerNumberThatIsOne) {
  const std::string svg = heatmap(figure(), Surface::page);
  std::size_t n = 0;
  for (std::size_t at = svg.find("<title>"); at != std::string::npos; at = svg.find("<title>", at + 1)) ++n;
  EXPECT_EQ(n, 5U);
  EXPECT_NE(svg.find("0: −30</title>"), std::string::npos);
}

TEST(Heatmap, StrongerTintsForHigherNumbers) {
  HeatmapFigure plain = figure();
  plain.values = {-30, -20, -10, -30, -20, -10};
  const std::string svg = heatmap(plain, Surface::page);
  const auto opacity = [&](const std::string& title) {
    const std::size_t end = svg.find(title);
    const std::size_t begin = svg.rfind("opacity=\"", end) + 9;
    return std::stod(svg.substr(begin, 6));
  };
  EXPECT_LT(opacity("0: −30<"), opacity("1: −20<"));
  EXPECT_LT(opacity("1: −20<"), opacity("&amp;amp;: −10<"));
}

TEST(Heatmap, NothingIsFine) {
  EXPECT_EQ(xml_defect(heatmap({}, Surface::page)), "");
}

}  // namespace
}  // namespace kerf::report
