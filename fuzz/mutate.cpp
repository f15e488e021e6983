// Runs a fuzz target without libFuzzer: over every file of a corpus, then over mutations of them. Mutation n
// is the same on every machine, so that a crash is repeated by naming its number:
//   fuzz_gguf COUNT FOLDER [FIRST [FILE]]
// With FILE, mutation FIRST is written there instead of being run.
// The series ends early after ten seconds, so that slow parsers and sanitizers do not hold up the tests.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "entry.h"
#include "kerf/base/bits.h"
#include "kerf/base/file.h"
#include "kerf/base/rng.h"

namespace {

using Input = std::vector<std::uint8_t>;

constexpr std::size_t kMaxCorpusFile = 1 << 16;
// Inputs are smaller than kMaxCorpusFile: a parser that asks for this much trusts a number it has read.
constexpr rlim_t kMemoryLimit = 1ULL << 30;

constexpr std::chrono::seconds kTime{10};

volatile std::sig_atomic_t g_current = 0;

extern "C" void on_crash(int signal) {
  const std::string text =
      fmt::format("fuzz: signal {} in mutation {}\n", signal, static_cast<long>(g_current));
  [[maybe_unused]] const auto n = ::write(STDERR_FILENO, text.data(), text.size());
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

std::vector<Input> load_corpus(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.file_size() <= kMaxCorpusFile &&
        entry.path().string().ends_with(kCorpusEnding))
      paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Input> corpus;
  for (const auto& path : paths)
    if (const auto text = kerf::read_file(path)) corpus.emplace_back(text->begin(), text->end());
  return corpus;
}

/// A number that parsers stumble over.
std::uint64_t awkward(kerf::Rng& rng) {
  const std::uint64_t power = 1ULL << rng.below(64);
  const std::array<std::uint64_t, 6> choices = {power,         power - 1,         ~power,
                                                rng.below(64), 0 - rng.below(64), rng.next()};
  return choices[rng.below(choices.size())];
}

/// Replaces the next number written in digits, as JSON has them.
void replace_digits(Input& input, std::size_t at, kerf::Rng& rng) {
  const auto is_digit = [](std::uint8_t c) { return c >= '0' && c <= '9'; };
  const auto begin = std::find_if(input.begin() + static_cast<std::ptrdiff_t>(at), input.end(), is_digit);
  if (begin == input.end()) return;
  const auto end = std::find_if_not(begin, input.end(), is_digit);
  const std::string digits = (rng.below(4) == 0 ? "-" : "") + std::to_string(awkward(rng));
  input.insert(input.erase(begin, end), digits.begin(), digits.end());
}

void mutate_once(Input& input, const std::vector<Input>& corpus, kerf::Rng& rng) {
  if (input.empty()) input.push_back(0);
  const std::size_t at = rng.below(input.size());
  const std::size_t length = std::min<std::size_t>(1 + rng.below(32), input.size() - at);
  const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
  const auto end = place + static_cast<std::ptrdiff_t>(length);
  switch (rng.below(8)) {
    case 0:
      input[at] = static_cast<std::uint8_t>(input[at] ^ (1U << rng.below(8)));
      break;
    case 1:
      input[at] = static_cast<std::uint8_t>(rng.next());
      break;
    case 2: {
      std::uint8_t raw[8];
      kerf::store_le(raw, awkward(rng));
      std::copy_n(raw, std::min<std::size_t>(input.size() - at, rng.below(2) == 0 ? 4 : 8), place);
      break;
    }
    case 3:
      input.resize(at);
      break;
    case 4:
      input.erase(place, end);
      break;
    case 5: {
      const Input copy(place, end);
      input.insert(input.begin() + static_cast<std::ptrdiff_t>(rng.below(input.size())), copy.begin(),
                   copy.end());
      break;
    }
    case 6:
      replace_digits(input, at, rng);
      break;
    default: {
      const Input& other = corpus[rng.below(corpus.size())];
      if (at < other.size())
        input.insert(place, other.begin() + static_cast<std::ptrdiff_t>(at), other.end());
    }
  }
  input.resize(std::min(input.size(), kMaxCorpusFile));
}

Input mutation(std::uint64_t number, const std::vector<Input>& corpus) {
  kerf::Rng rng(number);
  Input input = corpus[rng.below(corpus.size())];
  for (std::uint64_t i = 1 + rng.below(4); i > 0; --i) mutate_once(input, corpus, rng);
  return input;
}

/// The heap copy has the exact size, so that a sanitizer sees every read past its end.
void feed(const Input& input) {
  const Input exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: {} COUNT FOLDER [FIRST [FILE]]\n", argv[0]);
    return 2;
  }
  const std::uint64_t count = std::strtoull(argv[1], nullptr, 10);
  const std::uint64_t first = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 0;
  const std::vector<Input> corpus = load_corpus(argv[2]);
  if (corpus.empty()) {
    fmt::print(stderr, "fuzz: {} holds no *{}\n", argv[2], kCorpusEnding);
    return 2;
  }
  if (argc > 4) {
    const Input input = mutation(first, corpus);
    return kerf::write_file(argv[4], {reinterpret_cast<const char*>(input.data()), input.size()}) ? 0 : 1;
  }
#ifndef KERF_SANITIZED  // sanitizers reserve terabytes
  const rlimit limit{kMemoryLimit, kMemoryLimit};
  ::setrlimit(RLIMIT_AS, &limit);
#endif
  for (const int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGBUS, SIGILL}) ::signal(signal, on_crash);
  for (const Input& input : corpus) feed(input);
  const auto deadline = std::chrono::steady_clock::now() + kTime;
  std::uint64_t n = first;
  for (; n < first + count && std::chrono::steady_clock::now() < deadline; ++n) {
    g_current = static_cast<std::sig_atomic_t>(n);
    feed(mutation(n, corpus));
  }
  fmt::print("{} files and {} mutations: no crash\n", corpus.size(), n - first);
  return 0;
}
