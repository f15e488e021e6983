// Small models, options and runs; for tests only.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/study/study.h"

namespace kerf::study {

/// A file that goes away with the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& ending)
      : path_(std::filesystem::temp_directory_path() /
              ("kerf_study_" + std::to_string(::getpid()) + "_" + std::to_string(counter_++) + ending)) {}
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  static inline int counter_ = 0;
  std::filesystem::path path_;
};

/// A safetensors file of one F32 matrix «w» [R, K] and one vector «norm».
inline void write_model(const std::filesystem::path& path, const std::vector<float>& w, std::size_t rows,
                        std::size_t cols) {
  const std::string header = "{\"w\":{\"dtype\":\"F32\",\"shape\":[" + std::to_string(rows) + "," +
                             std::to_string(cols) + "],\"data_offsets\":[0," + std::to_string(4 * w.size()) +
                             "]},\"norm\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[" +
                             std::to_string(4 * w.size()) + "," + std::to_string(4 * w.size() + 4) + "]}}";
  const std::uint64_t length = header.size();
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  out << header;
  out.write(reinterpret_cast<const char*>(w.data()), static_cast<std::streamsize>(4 * w.size()));
  const float one = 1;
  out.write(reinterpret_cast<const char*>(&one), sizeof one);
}

inline std::vector<float> gaussian(std::size_t n, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> out(n);
  for (float& x : out) x = static_cast<float>(rng.normal());
  return out;
}

inline Distribution distribution(std::string_view name, double nu = Distribution::kDefaultNu) {
  return Distribution::make(name, nu).value();
}

inline StudyOptions options_of(const std::vector<std::string_view>& sources,
                               const std::vector<std::string>& formats = {}) {
  StudyOptions out;
  for (const std::string_view source : sources) out.distributions.push_back(distribution(source));
  out.candidates = find_candidates(formats, 1).value();
  out.speed = false;
  return out;
}

inline StudyReport study(StudyOptions options, unsigned n_threads = 2) {
  ThreadPool pool(n_threads);
  SilentProgress progress;
  return run_study(std::move(options), pool, progress).value();
}

inline Error error_of(StudyOptions options) {
  ThreadPool pool(2);
  SilentProgress progress;
  const auto result = run_study(std::move(options), pool, progress);
  return result ? Error{ErrorKind::cancelled, "no error", ""} : result.error();
}

}  // namespace kerf::study
