#include "kerf/io/hf_config.h"

#include <gtest/gtest.h>

#include <string>

namespace kerf {
namespace {

HfConfig parsed(std::string_view text) {
  auto config = HfConfig::parse(text, "config.json");
  EXPECT_TRUE(config) << config.error().message();
  return *config;
}

TEST(HfConfig, ReadsTypedValues) {
  const HfConfig config = parsed(R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "eps": 1e-5,
                                     "tied": true, "kind": "silu", "factors": [1, 2.5], "gone": null})");
  EXPECT_EQ(*config.architecture(), "LlamaForCausalLM");
  EXPECT_EQ(*config.count("hidden_size"), 64U);
  EXPECT_EQ(*config.number("eps"), 1e-5);
  EXPECT_EQ(*config.number("hidden_size"), 64.0);
  EXPECT_TRUE(*config.boolean("tied"));
  EXPECT_EQ(*config.string("kind"), "silu");
  EXPECT_EQ(*config.numbers("factors"), (std::vector<double>{1, 2.5}));
  EXPECT_FALSE(config.has("gone"));
  EXPECT_EQ(*config.count_or("gone", 7), 7U);
  EXPECT_EQ(config.count("gone").error().kind, ErrorKind::not_found);
}

TEST(HfConfig, RefusesAbsurdCounts) {
  for (const char* value :
       {"0", "-1", "1.5", "1e3", "2147483648", "18446744073709551616", "\"64\"", "true", "[]", "{}"}) {
    const HfConfig config = parsed(std::string("{\"n\": ") + value + "}");
    for (const auto& result : {config.count("n"), config.count_or("n", 3)}) {
      ASSERT_FALSE(result) << value;
      EXPECT_EQ(result.error().kind, ErrorKind::input);
      EXPECT_EQ(result.error().where, "config.json");
      EXPECT_NE(result.error().what.find("«n»"), std::string::npos) << result.error().what;
    }
  }
  EXPECT_EQ(*parsed(R"({"n": 2147483647})").count("n"), 2147483647U);
}

TEST(HfConfig, RefusesOtherTypes) {
  const HfConfig config = parsed(R"({"number": 1, "text": "a", "list": [1, "a", null], "empty": []})");
  EXPECT_FALSE(config.number("text"));
  EXPECT_FALSE(config.number_or("text", 1));
  EXPECT_FALSE(parsed(R"({"n": 1e39})").number("n"));
  EXPECT_FALSE(parsed(R"({"n": [-1e300]})").numbers("n"));
  EXPECT_FALSE(config.boolean("number"));
  EXPECT_FALSE(config.string("number"));
  EXPECT_FALSE(config.numbers("list"));
  EXPECT_FALSE(config.strings("list"));
  EXPECT_FALSE(config.object("list"));
  EXPECT_FALSE(parsed(R"({"architectures": []})").architecture());
  EXPECT_FALSE(parsed(R"({"architectures": "Llama"})").architecture());
}

TEST(HfConfig, NamesKeysInsideObjects) {
  const HfConfig config = parsed(R"({"rope_scaling": {"factor": "big"}})");
  const auto factor = config.object("rope_scaling")->number("factor");
  ASSERT_FALSE(factor);
  EXPECT_EQ(factor.error().message(),
            "config.json: key «rope_scaling.factor» is \"big\", not a finite number");
}

TEST(HfConfig, LaysTheLanguagePartOverTheWhole) {
  const HfConfig config = parsed(R"({"architectures": ["Gemma3ForConditionalGeneration"], "hidden_size": 1,
                                     "text_config": {"hidden_size": 64}, "vision_config": {"hidden_size": 2}})");
  EXPECT_EQ(*config.count("hidden_size"), 64U);
  EXPECT_EQ(*config.architecture(), "Gemma3ForConditionalGeneration");
}

TEST(HfConfig, RefusesWhatIsNoObject) {
  for (const char* text : {"", "[]", "3", "null", "{", "{\"a\": 1, \"a\": 2}", "{\"a\": 1} x"})
    EXPECT_EQ(HfConfig::parse(text, "config.json").error().kind, ErrorKind::input) << text;
  EXPECT_EQ(HfConfig::read("/nonexistent/config.json").error().kind, ErrorKind::not_found);
}

TEST(HfConfig, CutsLongValuesInMessages) {
  const HfConfig config = parsed("{\"n\": \"" + std::string(5000, 'x') + "\"}");
  EXPECT_LT(config.count("n").error().what.size(), 200U);
}

}  // namespace
}  // namespace kerf
