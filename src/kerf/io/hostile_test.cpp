// Opens every file of tests/hostile and holds the error to expected.tsv (made by tools/hostile_files.py).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "kerf/io/container.h"

namespace kerf {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(KERF_SOURCE_DIR) / "tests/hostile";

struct Expected {
  std::string path, kind, message;
};

std::vector<Expected> expected() {
  std::vector<Expected> out;
  std::ifstream file(kFolder / "expected.tsv");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    Expected& e = out.emplace_back();
    std::getline(fields, e.path, '\t') && std::getline(fields, e.kind, '\t') &&
        std::getline(fields, e.message);
  }
  return out;
}

std::string name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::input:
      return "input";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::not_found:
      return "not_found";
    default:
      return "another";
  }
}

TEST(Hostile, EveryFileIsRefusedWithItsReason) {
  const auto list = expected();
  ASSERT_GT(list.size(), 100U);
  for (const Expected& e : list) {
    SCOPED_TRACE(e.path);
    const auto container = open_container(kFolder / e.path);
    if (container) {
      ADD_FAILURE() << "was opened";
      continue;
    }
    const std::string message = container.error().message();
    EXPECT_EQ(name_of(container.error().kind), e.kind) << message;
    EXPECT_NE(message.find(e.message), std::string::npos) << message << "\n  lacks: " << e.message;
    EXPECT_NE(message.find(kFolder.string()), std::string::npos) << "names no file: " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << "more than one line";
    EXPECT_LT(message.size(), 600U) << message;
  }
}

TEST(Hostile, EveryFileIsExpected) {
  std::set<std::string> known;
  for (const Expected& e : expected()) known.insert(e.path);
  for (const char* part : {"gguf", "safetensors", "stranger", "folder"})
    for (const auto& entry : fs::directory_iterator(kFolder / part)) {
      const std::string path = fs::relative(entry.path(), kFolder).string();
      const bool second_shard = path.ends_with("-00002-of-00002.gguf");
      EXPECT_TRUE(second_shard || known.contains(path)) << path << " is not in expected.tsv";
    }
}

}  // namespace
}  // namespace kerf
