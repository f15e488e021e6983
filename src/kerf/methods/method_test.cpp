#include "kerf/methods/method.h"

#include <gtest/gtest.h>

#include "kerf/base/file.h"

namespace kerf {
namespace {

TEST(Method, TheRegistryIsWhatTheDocumentationLists) {
  const auto text = read_file(std::filesystem::path(KERF_SOURCE_DIR) / "docs/quantize.md");
  ASSERT_TRUE(text);
  std::string table = "| method | what it does |\n|---|---|\n";
  for (const Method* method : all_methods()) {
    EXPECT_EQ(find_method(method->name), method);
    table += "| `" + std::string(method->name) + "` | " + std::string(method->summary) + " |\n";
  }
  EXPECT_NE(text->find(table + "\n"), std::string::npos) << "docs/quantize.md should hold\n" << table;
  EXPECT_EQ(find_method("magic"), nullptr);
}

}  // namespace
}  // namespace kerf
