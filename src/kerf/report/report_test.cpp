// Charts: what they escape, where ticks fall, that every drawing is well-formed XML, and that no label covers
// another.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "kerf/base/rng.h"
#include "kerf/report/histogram.h"
#include "kerf/report/labels.h"
#include "kerf/report/xml_for_tests.h"

namespace kerf::report {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string labels_of(const std::vector<Tick>& ticks) {
  std::string out;
  for (const Tick& tick : ticks) out += (out.empty() ? "" : " ") + tick.label;
  return out;
}

TEST(Escape, MarkupQuotesAndWhatXmlForbids) {
  EXPECT_EQ(escape("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
  EXPECT_EQ(escape("σ² → 漢 🙂\n"), "σ² → 漢 🙂\n");
  EXPECT_EQ(escape(std::string_view("\0\x01\x1b", 3)), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(escape("\xC0\xAF"), "\uFFFD\uFFFD") << "overlong";
  EXPECT_EQ(escape("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD") << "surrogate";
  EXPECT_EQ(escape("\xEF\xBF\xBE"), "\uFFFD\uFFFD\uFFFD") << "U+FFFE";
  EXPECT_EQ(escape("\xF5\x80\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD") << "beyond U+10FFFF";
  EXPECT_EQ(escape("x\xE2\x82"), "x\uFFFD\uFFFD") << "cut short";
}

TEST(Numbers, Coordinates) {
  EXPECT_EQ(coordinate(12.0), "12");
  EXPECT_EQ(coordinate(-0.001), "0");
  EXPECT_EQ(coordinate(1.005e5), "100500");
  EXPECT_EQ(coordinate(-3.14159), "-3.14");
}

TEST(Numbers, ForPeople) {
  EXPECT_EQ(readable(0.1008), "0.1008");
  EXPECT_EQ(readable(-2.50001), "−2.5");
  EXPECT_EQ(readable(9999.7), "10000");
  EXPECT_EQ(readable(1.2e-5), "1.2×10⁻⁵");
  EXPECT_EQ(readable(-6.02e23, 3), "−6.02×10²³");
  EXPECT_EQ(readable(123456.7), "123457");
  EXPECT_EQ(readable(kInfinity), "∞");
  EXPECT_EQ(readable(-kInfinity), "−∞");
  EXPECT_EQ(readable(std::nan("")), "NaN");
  EXPECT_EQ(readable(-0.0), "0");
}

TEST(Axis, RoundTicks) {
  EXPECT_EQ(labels_of(Axis::linear("", 0, 9).ticks(9)), "0 1 2 3 4 5 6 7 8 9");
  EXPECT_EQ(labels_of(Axis::linear("", -4.3, 4.1).ticks(8)), "−4 −3 −2 −1 0 1 2 3 4");
  EXPECT_EQ(labels_of(Axis::linear("", 0.11, 0.28).ticks(4)), "0.15 0.20 0.25");
  EXPECT_EQ(labels_of(Axis::linear("", 0, 4e6).ticks(4)), "0 1000000 2000000 3000000 4000000");
  EXPECT_EQ(labels_of(Axis::linear("", 0, 3e-7).ticks(3)), "0 1×10⁻⁷ 2×10⁻⁷ 3×10⁻⁷");
}

TEST(Axis, Decades) {
  EXPECT_EQ(labels_of(Axis::logarithmic("", 1, 100).ticks(6)), "1 2 5 10 20 50 100");
  EXPECT_EQ(labels_of(Axis::logarithmic("", 1e-6, 1e3).ticks(5)),
            "10⁻⁶ 10⁻⁵ 10⁻⁴ 0.001 0.01 0.1 1 10 100 1000");
  EXPECT_EQ(labels_of(Axis::logarithmic("", 3, 4).ticks(4)), "3.0 3.2 3.4 3.6 3.8 4.0")
      << "inside one decade";
  EXPECT_LE(Axis::logarithmic("", 1e-300, 1e300).ticks(5).size(), 16U);
}

TEST(Axis, PlacesAndOddRanges) {
  EXPECT_DOUBLE_EQ(Axis::linear("", 10, 20).place(15), 0.5);
  EXPECT_DOUBLE_EQ(Axis::linear("", 20, 10).place(10), 0.0) << "ends in order";
  EXPECT_DOUBLE_EQ(Axis::logarithmic("", 1, 100).place(10), 0.5);
  EXPECT_EQ(Axis::logarithmic("", 1, 100).place(0), -kInfinity);
  EXPECT_EQ(Axis::logarithmic("", 1, 100).place(-3), -kInfinity);
  EXPECT_DOUBLE_EQ(Axis::logarithmic("", -1, 1).lo(), 1e-6);
  const Axis odd[] = {Axis::linear("", 5, 5),
                      Axis::linear("", 0, 0),
                      Axis::linear("", -kInfinity, 3),
                      Axis::linear("", std::nan(""), 3),
                      Axis::linear("", 1, 1 + 1e-16),
                      Axis::linear("", 0, 5e-324),
                      Axis::linear("", -1.7e308, 1.7e308),
                      Axis::logarithmic("", 0, 0),
                      Axis::logarithmic("", 7, 7),
                      Axis::logarithmic("", 5e-324, 1.7e308),
                      Axis::logarithmic("", 5e-324, 5e-324),
                      Axis::logarithmic("", -2, std::nan(""))};
  for (const Axis& axis : odd) {
    EXPECT_LT(axis.lo(), axis.hi());
    const auto ticks = axis.ticks(5);
    EXPECT_GE(ticks.size(), 1U) << axis.lo() << " " << axis.hi();
    EXPECT_LE(ticks.size(), 100U);
    for (const Tick& tick : ticks) {
      EXPECT_GE(axis.place(tick.value), -1e-6);
      EXPECT_LE(axis.place(tick.value), 1 + 1e-6);
    }
  }
}

TEST(Axis, TicksAreInOrderAndWithin) {
  Rng rng(11);
  for (int i = 0; i < 2000; ++i) {
    const double lo = rng.normal() * std::exp(8 * rng.normal());
    const double hi = lo + std::exp(8 * rng.normal());
    const Axis axis = Axis::linear("", lo, hi);
    const int wanted = 3 + static_cast<int>(rng.below(10));
    const auto ticks = axis.ticks(wanted);
    ASSERT_GE(static_cast<int>(ticks.size()), wanted / 2) << lo << " " << hi;
    ASSERT_LE(static_cast<int>(ticks.size()), 2 * wanted + 1) << lo << " " << hi;
    for (std::size_t k = 0; k < ticks.size(); ++k) {
      ASSERT_GE(axis.place(ticks[k].value), -1e-6);
      ASSERT_LE(axis.place(ticks[k].value), 1 + 1e-6);
      if (k > 0) {
        ASSERT_LT(ticks[k - 1].value, ticks[k].value);
      }
    }
  }
}

TEST(Xml, TheCheckerRefusesBrokenText) {
  EXPECT_EQ(xml_defect("<a b=\"c\"><d/>&amp;</a>"), "");
  for (const char* broken : {"<a>", "<a></b>", "<a b=c/>", "<a>&nbsp;</a>", "<a b=\"<\"/>", "<a/><b/>", "x",
                             "", "<a b=\"1\" b=\"2\"/>"})
    EXPECT_NE(xml_defect(broken), "") << broken;
}

Plot crowded_plot() {
  PlotFrame frame;
  frame.title = "<script>alert('&')</script>";
  frame.x = Axis::linear("bits & more", 0, 9);
  frame.y = Axis::linear("SQNR <dB>", 0, 55);
  Plot plot(frame);
  plot.line({{0, 0, "", ""}, {9, 54.2, "", ""}}, Tone::ink, "bound", Stroke::dashed);
  Rng rng(3);
  for (int family = 0; family < kShapes; ++family) {
    std::vector<Point> points;
    for (int i = 0; i < 6; ++i) {
      const double bits = 1 + 7 * rng.uniform();
      points.push_back({bits, 6.02 * bits - 4 * rng.uniform(), "tip \"<&>\"", "IQ2_<XS>", i == 0});
    }
    points.push_back({std::nan(""), 3, "", "nowhere"});
    points.push_back({4, kInfinity, "", "nowhere"});
    points.push_back({40, 3, "", "outside"});
    plot.points(std::move(points), series_tone(family), static_cast<Shape>(family),
                "family <" + std::to_string(family));
  }
  plot.bars({{1, 2, 10, "<"}, {3, kInfinity, 10, ""}, {std::nan(""), 2, 1, ""}}, Tone::warning, "bars");
  plot.level(std::nan(""), Tone::muted, "")
      .rug(3, Tone::muted, "<rug>")
      .band(-5, 1, Tone::warning, "clipped");
  return plot;
}

TEST(Plot, IsWellFormedWhateverIsInIt) {
  for (const Surface surface : {Surface::file, Surface::page}) {
    const std::string svg = crowded_plot().svg(surface);
    EXPECT_EQ(xml_defect(svg), "");
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    EXPECT_EQ(svg.find("inf"), std::string::npos);
    EXPECT_EQ(svg.find("nowhere"), std::string::npos);
    EXPECT_EQ(svg.find(">outside<"), std::string::npos);
    EXPECT_EQ(svg.find("<script"), std::string::npos);
    EXPECT_EQ(svg.find("<style>") != std::string::npos, surface == Surface::file) << "a page has its own";
  }
  EXPECT_EQ(xml_defect(Plot(PlotFrame{}).svg(Surface::file)), "") << "empty";
}

TEST(Plot, NothingExternal) {
  const std::string svg = crowded_plot().svg(Surface::file);
  std::string rest = svg;
  const std::string name = "http://www.w3.org/2000/svg";  // a name, not a place to fetch from
  rest.erase(rest.find(name), name.size());
  for (const char* way_out : {"http", "href", "url(", "@import", "<image"})
    EXPECT_EQ(rest.find(way_out), std::string::npos) << way_out;
}

TEST(Labels, NeverCoverEachOtherOrTheMarks) {
  Rng rng(5);
  const Box frame{0, 0, 600, 300};
  std::vector<LabelWish> wishes;
  std::vector<Box> marks;
  for (int i = 0; i < 80; ++i) {
    wishes.push_back({20 + 560 * rng.uniform(), 10 + 280 * rng.uniform(), 30 + 30 * rng.uniform(), i < 20});
    const LabelWish& w = wishes.back();
    marks.push_back({w.x - 5, w.y - 5, w.x + 5, w.y + 5});
  }
  const auto places = place_labels(wishes, marks, frame, 12);
  std::size_t n_placed = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (!places[i]) continue;
    ++n_placed;
    const Box& box = places[i]->box;
    EXPECT_TRUE(box.left >= 0 && box.right <= 600 && box.top >= 0 && box.bottom <= 300);
    for (const Box& mark : marks) EXPECT_FALSE(box.overlaps(mark));
    for (std::size_t j = 0; j < i; ++j)
      if (places[j]) {
        EXPECT_FALSE(box.overlaps(places[j]->box)) << i << " " << j;
      }
  }
  EXPECT_GE(n_placed, 40U) << "there is room for most of them";
}

TEST(Histogram, CountsEveryFiniteNumberOnce) {
  Rng rng(2);
  std::vector<float> values(5000);
  for (float& x : values) x = static_cast<float>(rng.normal());
  values[7] = NAN;
  values[8] = INFINITY;
  const Histogram histogram = histogram_of(values);
  EXPECT_EQ(std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::uint64_t{0}), 4998U);
  EXPECT_GE(histogram.counts.size(), 30U);
  EXPECT_EQ(histogram_of({}).counts.size(), 0U);
  const std::vector<float> constant(10, 3.0F);
  EXPECT_EQ(histogram_of(constant, 4).counts.size(), 4U);
  const std::vector<float> huge = {-3e38F, 3e38F};
  EXPECT_EQ(histogram_of(huge, 2).counts, (std::vector<std::uint64_t>{1, 1}));
}

TEST(Histogram, FigureWithLevels) {
  const std::vector<float> values = {-3, -1, -0.5F, 0, 0.2F, 0.4F, 1, 9};
  HistogramFigure figure;
  figure.title = "eight numbers";
  figure.values = values;
  figure.levels = {{1, "code 2"}, {-1, "code 0"}, {0, "code 1"}};
  const std::string svg = histogram_with_levels(figure, Surface::file);
  EXPECT_EQ(xml_defect(svg), "");
  EXPECT_NE(svg.find("8 values"), std::string::npos);
  EXPECT_NE(svg.find("3 levels"), std::string::npos);
  EXPECT_NE(svg.find("code 0: −1"), std::string::npos);
  // Beyond −1.5 and 1.5 lie −3 and 9.
  EXPECT_NE(svg.find("clipped: 2 (25 %)"), std::string::npos);
  figure.clip_lo = -100;
  figure.clip_hi = 100;
  EXPECT_EQ(histogram_with_levels(figure, Surface::file).find("clipped"), std::string::npos);
}

TEST(Histogram, FigureOfOddInputs) {
  const std::vector<float> odd = {NAN, INFINITY, 5};
  for (const std::span<const float> values : {std::span<const float>(odd), std::span<const float>()}) {
    HistogramFigure figure;
    figure.values = values;
    figure.logarithmic = values.empty();
    EXPECT_EQ(xml_defect(histogram_with_levels(figure, Surface::page)), "");
    for (int i = 0; i < 300; ++i) figure.levels.push_back({0.01 * i, ""});
    figure.levels.push_back({std::nan(""), "NaN"});
    EXPECT_EQ(xml_defect(histogram_with_levels(figure, Surface::page)), "");
  }
}

}  // namespace
}  // namespace kerf::report
