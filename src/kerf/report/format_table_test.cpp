// docs/formats.md shows the table that the program prints.
#include "kerf/report/format_table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace kerf {
namespace {

TEST(FormatTable, IsTheTableOfTheGuide) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "the guide shows the kernels of an x86-64 build";
#endif
  std::ifstream in(KERF_SOURCE_DIR "/docs/formats.md");
  const std::string guide(std::istreambuf_iterator<char>(in), {});
  EXPECT_NE(guide.find(format_table_markdown(format_rows(true))), std::string::npos)
      << "the table of docs/formats.md should be what «kerf formats --markdown» prints";
}

TEST(FormatTable, NamesEveryFormatOnce) {
  EXPECT_EQ(format_rows(false).size(), all_formats().size());
  std::size_t n = 0;
  for (const FormatRow& row : format_rows(true)) n += row.members.size();
  EXPECT_EQ(n, all_formats().size());
}

TEST(FormatTable, KnowsReadersRowsAndKernels) {
  const auto rows = format_rows(false);
  const auto row = [&rows](std::string_view name) {
    for (const FormatRow& r : rows)
      if (r.name == name) return r;
    return FormatRow{};
  };
  EXPECT_EQ(row("Q4_K").rows, "× 256");
  EXPECT_EQ(row("Q4_K").readers, "GGUF");
  EXPECT_EQ(row("NVFP4_ROW").rows, "any");
  EXPECT_EQ(row("NVFP4_ROW").readers, "kerf");
  EXPECT_TRUE(row("NVFP4_ROW").fast_kernels.empty());
#if defined(__x86_64__)
  EXPECT_EQ(row("Q4_0").fast_kernels, (std::vector<std::string>{"avx2", "avx512vnni"}));
#endif
}

}  // namespace
}  // namespace kerf
