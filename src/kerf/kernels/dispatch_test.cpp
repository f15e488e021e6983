#include "kerf/kernels/dispatch.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace kerf::kernels {
namespace {

TEST(Dispatch, TheDefinitionAlwaysRunsAndTheFastestIsTheDefault) {
  EXPECT_EQ(runnable_tables().front(), &scalar_table);
  const Selection free_choice = select_table("");
  EXPECT_EQ(free_choice.table, runnable_tables().back());
  EXPECT_EQ(free_choice.error, "");
}

TEST(Dispatch, EveryRunnableNameCanBeForced) {
  for (const KernelTable* table : runnable_tables()) {
    const Selection forced = select_table(table->isa);
    EXPECT_EQ(forced.table, table);
    EXPECT_EQ(forced.error, "");
  }
}

TEST(Dispatch, UnknownNamesAreAnErrorThatListsTheKnownOnes) {
  for (const char* name : {"sse9", "AVX2", "scalar ", "avx"}) {
    const Selection forced = select_table(name);
    EXPECT_EQ(forced.table, &scalar_table);
    EXPECT_NE(forced.error.find("unknown"), std::string::npos) << forced.error;
    EXPECT_NE(forced.error.find("scalar"), std::string::npos) << forced.error;
  }
}

// The choice is made once per process, so each value of the variable needs its own.
[[noreturn]] void exit_telling_choice(const char* value) {
  setenv("KERF_ISA", value, 1);
  std::fprintf(stderr, "chose %s%s", active_table().isa, isa_error() != nullptr ? isa_error() : "");
  std::exit(isa_error() != nullptr ? 3 : 0);
}

TEST(DispatchDeathTest, TheEnvironmentForcesTheChoice) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(exit_telling_choice("scalar"), testing::ExitedWithCode(0), "chose scalar$");
  EXPECT_EXIT(exit_telling_choice(runnable_tables().back()->isa), testing::ExitedWithCode(0),
              std::string("chose ") + runnable_tables().back()->isa + "$");
  EXPECT_EXIT(exit_telling_choice("mmx"), testing::ExitedWithCode(3), "KERF_ISA=mmx: unknown");
}

}  // namespace
}  // namespace kerf::kernels
