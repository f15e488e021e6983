#include "kerf/text/stop_strings.h"

#include <gtest/gtest.h>

namespace kerf {
namespace {

std::string feed_bytewise(StopStrings& stop, std::string_view text) {
  std::string shown;
  for (const char c : text) shown += stop.push(std::string_view(&c, 1));
  return shown + stop.finish();
}

TEST(StopStrings, NothingOfAStopStringIsShown) {
  StopStrings stop({"END", "\n\n"});
  EXPECT_EQ(feed_bytewise(stop, "abEN EEND after"), "abEN E");
  EXPECT_TRUE(stop.stopped());
}

TEST(StopStrings, HeldBackTextComesInTheEnd) {
  StopStrings stop({"END"});
  EXPECT_EQ(stop.push("xEN"), "x");
  EXPECT_EQ(stop.finish(), "EN");
  EXPECT_FALSE(stop.stopped());
}

TEST(StopStrings, WithoutStringsEverythingPasses) {
  StopStrings stop({""});
  EXPECT_EQ(stop.push("abc"), "abc");
}

TEST(StopStrings, TheEarliestWins) {
  StopStrings stop({"world", "lo"});
  EXPECT_EQ(stop.push("hello world"), "hel");
}

}  // namespace
}  // namespace kerf
