// .npy files made by NumPy (tools/golden_map.py), and damaged ones.
#include "kerf/io/npy.h"

#include <gtest/gtest.h>

#include "kerf/base/rng.h"

namespace kerf {
namespace {

NpyArray golden(const std::string& name) {
  auto array = read_npy(KERF_SOURCE_DIR "/tests/golden/npy/" + name);
  EXPECT_TRUE(array) << (array ? "" : array.error().message());
  return array ? *std::move(array) : NpyArray{};
}

std::string npy(const std::string& header, const std::string& data, char major = 1) {
  std::string out = "\x93NUMPY";
  out += major;
  out += '\0';
  const std::size_t n_length = major == 1 ? 2 : 4;
  for (std::size_t i = 0; i < n_length; ++i) out += static_cast<char>(header.size() >> 8 * i);
  return out + header + data;
}

Result<NpyArray> parse(const std::string& text) {
  return parse_npy({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, "x.npy");
}

TEST(Npy, NumbersOfEveryType) {
  for (const char* type : {"f8", "f4", "f2", "i8", "i4", "i2", "i1"}) {
    const NpyArray array = golden(std::string(type) + ".npy");
    EXPECT_EQ(array.shape, (std::vector<std::uint64_t>{2, 3})) << type;
    EXPECT_EQ(array.values, (std::vector<double>{-100, 0, 1, 2, 64, 127})) << type;
  }
  for (const char* type : {"u8", "u4", "u2", "u1"}) {
    const NpyArray array = golden(std::string(type) + ".npy");
    EXPECT_EQ(array.values, (std::vector<double>{0, 1, 2, 200})) << type;
  }
  EXPECT_EQ(golden("bool.npy").values, (std::vector<double>{1, 0, 1}));
}

TEST(Npy, ShapesAndVersions) {
  EXPECT_TRUE(golden("scalar.npy").shape.empty());
  EXPECT_EQ(golden("scalar.npy").values, std::vector<double>{2.5});
  EXPECT_EQ(golden("empty.npy").shape, (std::vector<std::uint64_t>{0, 7}));
  EXPECT_EQ(golden("version2.npy").values, (std::vector<double>{0.5, -1.5}));
  EXPECT_EQ(golden("version3.npy").values, (std::vector<double>{0.5, -1.5}));
}

TEST(Npy, TellsHowToMakeItReadable) {
  const struct {
    const char* name;
    const char* says;
  } expected[] = {{"big_endian.npy", "big-endian"},
                  {"fortran.npy", "ascontiguousarray"},
                  {"object.npy", "pickled"},
                  {"record.npy", "records"},
                  {"complex.npy", "no real numbers"}};
  for (const auto& [name, says] : expected) {
    const auto array = read_npy(KERF_SOURCE_DIR "/tests/golden/npy/" + std::string(name));
    ASSERT_FALSE(array) << name;
    EXPECT_EQ(array.error().kind, ErrorKind::unsupported) << name;
    EXPECT_NE(array.error().message().find(says), std::string::npos) << array.error().message();
  }
}

TEST(Npy, RefusesDamagedHeaders) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n";
  const std::string four(4, '\0');
  ASSERT_TRUE(parse(npy(good, four)));
  ASSERT_TRUE(parse(npy(good, four, 2)));
  const std::string bad[] = {
      "",
      "\x93NUMPY",
      "NUMPY\x93\x01",
      npy(good, four).substr(0, 30),
      npy(good, ""),
      npy(good, four + four),
      npy(good, four, 4),
      npy(good, four, 0),
      npy("", four),
      npy("{", four),
      npy("{}", four),
      npy("{'descr': '<f4', 'shape': (1,)}", four),
      npy("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", four),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1}", four),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", four),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1.0,)}", four),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'shape': (1,)}", four),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}", four),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", four),
      npy("{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}", four),
      npy("{'descr': '', 'fortran_order': False, 'shape': (1,)}", four),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", four),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808, 2)}", ""),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}", four),
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::string(400, '1').replace(1, 1, ",") +
              ")}",
          four),
  };
  for (const std::string& text : bad) {
    const auto array = parse(text);
    ASSERT_FALSE(array) << text;
    EXPECT_EQ(array.error().where, "x.npy");
  }
  std::string many = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (int i = 0; i < 40; ++i) many += "1, ";
  EXPECT_FALSE(parse(npy(many + ")}", four)));
}

TEST(Npy, SurvivesRandomDamage) {
  const std::string good =
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", std::string(24, 'x'));
  Rng rng(1);
  for (int trial = 0; trial < 20000; ++trial) {
    std::string text = good;
    for (std::uint64_t i = 0; i <= rng.below(3); ++i)
      text[rng.below(text.size())] = static_cast<char>(rng.next());
    if (rng.below(4) == 0) text.resize(rng.below(text.size()));
    const auto array = parse(text);
    if (!array) continue;
    std::uint64_t n = 1;
    for (const std::uint64_t extent : array->shape) n *= extent;
    EXPECT_EQ(array->values.size(), n);
  }
}

}  // namespace
}  // namespace kerf
