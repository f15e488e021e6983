// Mappings against other programs: torch, numpy, scipy and kmeans1d (tools/golden_map.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "kerf/quantizers/kmeans1d.h"
#include "kerf/quantizers/mapping.h"

namespace kerf {
namespace {

struct GoldenCase {
  std::string title;
  std::string mapping;
  std::vector<double> x, weights;
  MappingOptions options;
  std::map<std::string, std::vector<double>> expected;
};

std::vector<double> numbers_in(std::istream& in) {
  std::vector<double> out;
  for (std::string word; in >> word;) out.push_back(std::stod(word));
  return out;
}

void read_option(const std::string& word, GoldenCase& out) {
  const std::string value = word.substr(word.find('=') + 1);
  if (word.starts_with("bits=")) out.options.bits = std::stoi(value);
  if (word.starts_with("percentile=")) out.options.percentile = std::stod(value);
  if (word.starts_with("weights=")) {
    std::istringstream list(value);
    for (std::string w; std::getline(list, w, ',');) out.weights.push_back(std::stod(w));
  }
}

std::vector<GoldenCase> golden_cases() {
  std::ifstream in(KERF_SOURCE_DIR "/tests/golden/map.txt");
  std::vector<GoldenCase> cases;
  std::string set;
  std::vector<double> x;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first == "numbers") {
      words >> set;
      x = numbers_in(words);
    } else if (first == "case") {
      GoldenCase& next = cases.emplace_back();
      next.title = set + ": " + line.substr(0, 60);
      next.x = x;
      next.options.parameters = ParameterType::f64;
      words >> next.mapping;
      for (std::string word; words >> word;) read_option(word, next);
    } else if (!cases.empty()) {
      cases.back().expected[first] = numbers_in(words);
    }
  }
  return cases;
}

TEST(MappingGolden, OtherProgramsSayTheSame) {
  const std::vector<GoldenCase> cases = golden_cases();
  ASSERT_GT(cases.size(), 80U);
  for (const GoldenCase& c : cases) {
    const Mapping* mapping = find_mapping(c.mapping);
    ASSERT_NE(mapping, nullptr) << c.title;
    const auto group = map_group(*mapping, {c.x, c.weights}, c.options);
    ASSERT_TRUE(group) << c.title << ": " << group.error().message();
    for (const auto& [fact, values] : c.expected) {
      if (fact == "codes") {
        for (std::size_t i = 0; i < c.x.size(); ++i)
          EXPECT_EQ(group->number_of(group->codes[i]), values[i]) << c.title << ", number " << i;
      } else if (fact == "scale") {
        EXPECT_NEAR(group->scale / values[0], 1, 1e-12) << c.title;
      } else if (fact == "zero") {
        EXPECT_EQ(group->zero, values[0]) << c.title;
      } else if (fact == "cost") {
        const Clusters clusters = kmeans_exact(c.x, c.weights, std::size_t{1} << c.options.bits);
        EXPECT_NEAR(clusters.cost, values[0], 1e-9 * values[0]) << c.title;
      } else if (fact == "levels") {
        ASSERT_EQ(group->levels->size(), values.size()) << c.title;
        for (std::size_t i = 0; i < values.size(); ++i)
          EXPECT_NEAR(group->levels->level[i], values[i], 1e-9) << c.title;
      } else {
        ADD_FAILURE() << "unknown fact " << fact;
      }
    }
  }
}

}  // namespace
}  // namespace kerf
