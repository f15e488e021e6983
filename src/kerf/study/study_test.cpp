// The study: samples are what they are said to be, no format beats the bound, figures that are known come
// out, and bad input is told in a sentence.
#include "kerf/study/study.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <numbers>

#include "kerf/base/rng.h"
#include "kerf/quantizers/quantizer.h"
#include "kerf/report/svg.h"
#include "kerf/report/xml_for_tests.h"
#include "kerf/study/page.h"
#include "kerf/study/text.h"

namespace kerf::study {
namespace {

constexpr double kPi = std::numbers::pi;

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
void write_model(const std::filesystem::path& path, const std::vector<float>& w, std::size_t rows,
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

std::vector<float> gaussian(std::size_t n, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> out(n);
  for (float& x : out) x = static_cast<float>(rng.normal());
  return out;
}

Distribution distribution(std::string_view name, double nu = Distribution::kDefaultNu) {
  return Distribution::make(name, nu).value();
}

StudyOptions options_of(const std::vector<std::string_view>& sources,
                        const std::vector<std::string>& formats = {}) {
  StudyOptions out;
  for (const std::string_view source : sources) out.distributions.push_back(distribution(source));
  out.candidates = find_candidates(formats, 1).value();
  out.speed = false;
  return out;
}

StudyReport study(StudyOptions options, unsigned n_threads = 2) {
  ThreadPool pool(n_threads);
  SilentProgress progress;
  return run_study(std::move(options), pool, progress).value();
}

Error error_of(StudyOptions options) {
  ThreadPool pool(2);
  SilentProgress progress;
  const auto result = run_study(std::move(options), pool, progress);
  return result ? Error{ErrorKind::cancelled, "no error", ""} : result.error();
}

const Score& score_of(const StudyReport& report, std::size_t source, std::string_view name) {
  for (std::size_t i = 0; i < report.candidates().size(); ++i)
    if (report.candidates()[i]->name() == name) return report.sources[source].scores[i];
  throw std::out_of_range(std::string(name));
}

TEST(Distribution, SamplesHaveTheMomentsOfTheirName) {
  struct Case {
    const char* name;
    double nu;
    double kurtosis, tolerance;
  };
  for (const Case& c : {Case{"gaussian", 5, 3, 0.05}, Case{"laplace", 5, 6, 0.3},
                        Case{"uniform", 5, 1.8, 0.01}, Case{"student-t", 12, 3.75, 0.15}}) {
    std::vector<float> x(1 << 20);
    for (std::size_t row = 0; row < 256; ++row)
      distribution(c.name, c.nu).fill(7, row, x.data() + row * 4096, 4096);
    double sum = 0, square = 0, fourth = 0;
    for (const float v : x) {
      sum += v;
      square += static_cast<double>(v) * v;
      fourth += std::pow(static_cast<double>(v), 4);
    }
    const auto n = static_cast<double>(x.size());
    EXPECT_NEAR(sum / n, 0, 0.005) << c.name;
    EXPECT_NEAR(square / n, 1, 0.01) << c.name;
    EXPECT_NEAR(fourth / n, c.kurtosis, c.tolerance) << c.name;
  }
}

TEST(Distribution, RowsSeedsAndSourcesDiffer) {
  float a[8], b[8];
  distribution("gaussian").fill(1, 0, a, 8);
  distribution("gaussian").fill(1, 0, b, 8);
  EXPECT_EQ(std::memcmp(a, b, sizeof a), 0);
  distribution("gaussian").fill(1, 1, b, 8);
  EXPECT_NE(a[0], b[0]);
  distribution("gaussian").fill(2, 0, b, 8);
  EXPECT_NE(a[0], b[0]);
}

/// −∫ f ln f by the trapezium rule, far into the tails.
double entropy_by_quadrature(const std::function<double(double)>& density, double limit) {
  double sum = 0;
  const double step = limit / 400000;
  for (double x = -limit; x <= limit; x += step)
    if (const double f = density(x); f > 0) sum -= f * std::log(f) * step;
  return sum;
}

TEST(Distribution, EntropiesAndBounds) {
  EXPECT_NEAR(distribution("gaussian").entropy(), 0.5 * std::log(2 * kPi * std::numbers::e), 1e-12);
  const double b = std::sqrt(0.5);
  EXPECT_NEAR(distribution("laplace").entropy(),
              entropy_by_quadrature([&](double x) { return std::exp(-std::fabs(x) / b) / (2 * b); }, 40),
              1e-4);
  for (const double nu : {2.5, 5.0, 30.0}) {
    const double scale = std::sqrt((nu - 2) / nu);
    const auto density = [&](double x) {
      const double t = x / scale;
      return std::tgamma((nu + 1) / 2) / (std::sqrt(nu * kPi) * std::tgamma(nu / 2)) *
             std::pow(1 + t * t / nu, -(nu + 1) / 2) / scale;
    };
    EXPECT_NEAR(distribution("student-t", nu).entropy(), entropy_by_quadrature(density, nu < 3 ? 4000 : 400),
                2e-3);
  }
  EXPECT_NEAR(distribution("gaussian").bound_db(1), 6.0206, 1e-4);
  EXPECT_NEAR(distribution("gaussian").bound_db(2), 10 * std::log10(16.0), 1e-9) << "D(2) = 1/16";
  // Of all sources of one variance the Gaussian is the hardest; a uniform one gains 10 log₁₀(πe/6).
  EXPECT_NEAR(distribution("uniform").bound_db(0), 10 * std::log10(kPi * std::numbers::e / 6), 1e-9);
  for (const std::string_view name : Distribution::names())
    EXPECT_GE(distribution(name).bound_db(0), 0) << name;
}

TEST(Distribution, BadNames) {
  const auto unknown = Distribution::make("cauchy");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::usage);
  EXPECT_EQ(unknown.error().message(),
            "--source: there is no distribution «cauchy»; there are gaussian, laplace, uniform, student-t");
  for (const double nu : {2.0, -1.0, 1e9, std::nan("")})
    EXPECT_FALSE(Distribution::make("student-t", nu)) << nu;
}

TEST(Candidates, ByNameInAnyCase) {
  const auto found = find_candidates({"q8_0", "Q4_0"}, 1);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ((*found)[0]->name(), "Q8_0");
  EXPECT_EQ(find_candidates({"nf4:4/64"}, 1).value()[0]->name(), "nf4:4/64");
  EXPECT_EQ(find_candidates({"absmax:8/row"}, 1).value()[0]->name(), "absmax:8/row");
  for (const char* bad : {"nf5:4/64", "nf4:5/64", "nf4:4/0", "nf4:4", "nf4:4/tensor", ":",
                          "weighted-mse:4/64", "absmax:99/64", "absmax:4/99999999999"}) {
    const auto error = find_candidates({bad}, 1);
    ASSERT_FALSE(error) << bad;
    EXPECT_EQ(error.error().kind, ErrorKind::usage) << bad;
  }
  EXPECT_EQ(find_candidates({"Q9_9"}, 1).error().message(),
            "--format: there is no format «Q9_9»; «kerf formats» lists them");
  EXPECT_EQ(find_candidates({"f64"}, 1).error().message(), "--format: F64 can be read but not written");
}

TEST(Study, NoFormatBeatsTheBound) {
  const StudyReport report = study(options_of(Distribution::names()));
  for (const SourceScores& source : report.sources)
    for (std::size_t i = 0; i < source.scores.size(); ++i) {
      EXPECT_TRUE(source.scores[i].fits()) << "rows of 4096 fit everything";
      EXPECT_FALSE(source.scores[i].below_bound) << source.title << " " << report.candidates()[i]->name();
    }
}

/// Claims fewer bits than it needs.
class Cheat final : public Candidate {
 public:
  explicit Cheat(double noise) : noise_(noise) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "cheat"; }
  [[nodiscard]] std::string_view summary() const noexcept override { return ""; }
  [[nodiscard]] Family family() const noexcept override { return Family::plain; }
  [[nodiscard]] bool fits(std::size_t) const noexcept override { return true; }
  Result<double> round_row(const float* x, float* back, std::size_t n) const override {
    for (std::size_t i = 0; i < n; ++i) back[i] = x[i] * static_cast<float>(1 - noise_);
    return 2.0 * static_cast<double>(n);
  }

 private:
  double noise_;
};

TEST(Study, ACheatIsCaught) {
  for (const double noise : {0.0, 0.2}) {  // D = 0 and 0.04, where 2 bits allow 0.0625
    StudyOptions options = options_of({"gaussian"}, {"Q4_0"});
    options.candidates.push_back(std::make_shared<Cheat>(noise));
    const StudyReport report = study(std::move(options));
    EXPECT_TRUE(score_of(report, 0, "cheat").below_bound) << noise;
    EXPECT_FALSE(score_of(report, 0, "Q4_0").below_bound);
    EXPECT_NE(study_text(report, Selection::all).find("BELOW THE BOUND"), std::string::npos);
  }
}

TEST(Study, KnownFigures) {
  StudyOptions options = options_of({"gaussian"}, {"F32", "F16", "BF16", "Q1_0", "TQ2_0", "Q8_0", "Q4_0"});
  options.n_rows = 256;
  const StudyReport report = study(std::move(options));
  // One bit and a least-squares scale per 128: 1 − E(mean|x|)² = 1 − 2/π − (1 − 2/π)/128.
  EXPECT_NEAR(score_of(report, 0, "Q1_0").relative_error, (1 - 2 / kPi) * (1 - 1.0 / 128), 0.003);
  // Three levels: 0.190174 (Max 1960), a little less for the scale that follows each block of 256.
  EXPECT_NEAR(score_of(report, 0, "TQ2_0").relative_error, 0.190174, 0.004);
  EXPECT_LT(score_of(report, 0, "TQ2_0").relative_error, 0.190174);
  // 4 bits with one scale per 32, no offset: 21.32 dB when the scale puts the extreme on −8; a search does
  // better.
  EXPECT_GT(score_of(report, 0, "Q4_0").sqnr_db, 21.32);
  EXPECT_LT(score_of(report, 0, "Q4_0").sqnr_db, 22.2);
  // binary16 and bfloat16 round to 11 and 8 digits. With y = 2^−t · 2^⌊log₂|x|⌋ the error is uniform: y²/3.
  EXPECT_NEAR(score_of(report, 0, "F16").sqnr_db, 73.6, 0.3);
  EXPECT_NEAR(score_of(report, 0, "BF16").sqnr_db, score_of(report, 0, "F16").sqnr_db - 18.06, 0.1);
  EXPECT_TRUE(score_of(report, 0, "F32").exact());
  EXPECT_EQ(score_of(report, 0, "F32").bits, 32);
}

TEST(Study, KnownFiguresOfMappings) {
  StudyOptions options =
      options_of({"gaussian"}, {"nf4:4/64", "absmax:4/64", "fp4-e2m1:4/64", "zero-point:4/64", "binary:1/64",
                                "gaussian:2/row", "gaussian:3/row"});
  options.n_rows = 128;
  const StudyReport report = study(std::move(options));
  // Monte Carlo with another program, 2.56 million numbers, scales in binary32.
  EXPECT_NEAR(score_of(report, 0, "nf4:4/64").sqnr_db, 20.73, 0.05);
  EXPECT_NEAR(score_of(report, 0, "absmax:4/64").sqnr_db, 19.36, 0.06);
  EXPECT_NEAR(score_of(report, 0, "fp4-e2m1:4/64").sqnr_db, 19.52, 0.05);
  EXPECT_NEAR(score_of(report, 0, "zero-point:4/64").sqnr_db, 20.81, 0.06);
  EXPECT_NEAR(score_of(report, 0, "binary:1/64").relative_error, (1 - 2 / kPi) * (1 - 1.0 / 64), 0.004);
  // The optimum for a normal distribution: 0.1174818 and 0.0345478 (Max 1960).
  EXPECT_NEAR(score_of(report, 0, "gaussian:2/row").relative_error, 0.1174818, 0.001);
  EXPECT_NEAR(score_of(report, 0, "gaussian:3/row").relative_error, 0.0345478, 0.0004);
  EXPECT_NEAR(score_of(report, 0, "nf4:4/64").bits, 4.25, 1e-12);
}

TEST(Study, NoMappingBeatsTheBound) {
  StudyOptions options = options_of({"gaussian", "student-t"});
  options.n_rows = 4;
  options.row_length = 1024;
  options.candidates = mapping_candidates("group:128").value();
  EXPECT_GT(options.candidates.size(), 60U);
  const StudyReport report = study(std::move(options));
  for (const SourceScores& source : report.sources)
    for (std::size_t i = 0; i < source.scores.size(); ++i)
      EXPECT_FALSE(source.scores[i].below_bound) << source.title << " " << report.candidates()[i]->name();
  EXPECT_EQ(mapping_candidates("tensor").error().kind, ErrorKind::usage);
  EXPECT_EQ(mapping_candidates("group:0").error().kind, ErrorKind::usage);
}

TEST(Study, OnlyWhatNothingSmallerOutdoesIsBest) {
  SourceScores source;
  const auto add = [&](double bits, double sqnr, std::size_t n_fitting) {
    Score score;
    score.bits = bits;
    score.sqnr_db = sqnr;
    score.relative_error = std::pow(10, -sqnr / 10);
    score.to_bound_db = gaussian_bound_db(bits) - sqnr;
    score.n_fitting = n_fitting;
    source.scores.push_back(score);
  };
  source.n_numbers = 1 << 20;
  add(4.25, 20, 1);
  add(4.5, 21, 1);
  add(4.5625, 20.5, 1);  // alone in its class, but 4.5 bits do better
  add(5.25, 25, 1);
  add(5.5, 26, 0);  // does not fit
  const Candidates candidates = find_candidates({"Q4_0", "Q4_1", "nf4:4/32", "nf4:4/64", "Q8_0"}, 1).value();
  judge(source, candidates);
  EXPECT_FALSE(source.scores[0].best);
  EXPECT_TRUE(source.scores[1].best);
  EXPECT_FALSE(source.scores[2].best);
  EXPECT_TRUE(source.scores[3].best);
  EXPECT_FALSE(source.scores[4].best);
  EXPECT_TRUE(source.scores[0].leads) << "GGUF files have it";
  EXPECT_TRUE(source.scores[2].leads) << "the best mapping of its class";
  EXPECT_EQ(bit_class(4.5), 4.5);
  EXPECT_EQ(bit_class(4.0625), 4.5);
  EXPECT_EQ(bit_class(4.5001), 5.0);
}

TEST(Study, TheSameForAnyNumberOfThreads) {
  const TemporaryFile file(".safetensors");
  write_model(file.path(), gaussian(300 * 256, 3), 300, 256);
  std::string texts[3];
  for (int i = 0; i < 3; ++i) {
    StudyOptions options = options_of({"laplace", "uniform"}, {"Q4_0", "Q4_K", "Q2_0"});
    options.model = file.path();
    options.model_rows = 0;
    texts[i] = study_text(study(std::move(options), i == 0 ? 1 : i == 1 ? 2 : 5), Selection::all);
  }
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_EQ(texts[0], texts[2]);
}

double error_of_rounding(const Format& format, const std::vector<float>& x) {
  std::vector<std::uint8_t> bytes(format.row_bytes(x.size()));
  std::vector<float> back(x.size());
  quantize_row(format, x.data(), nullptr, bytes.data(), x.size());
  format.decode(bytes.data(), back.data(), x.size());
  double error = 0, power = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    error += std::pow(static_cast<double>(x[i]) - back[i], 2);
    power += std::pow(static_cast<double>(x[i]), 2);
  }
  return error / power;
}

TEST(Study, AModelAndItsHeavyColumn) {
  const TemporaryFile file(".safetensors");
  std::vector<float> w = gaussian(200 * 96, 4);
  for (std::size_t row = 0; row < 200; ++row) w[row * 96 + 17] *= 12;
  write_model(file.path(), w, 200, 96);
  StudyOptions options = options_of({}, {"Q4_0", "Q4_K", "F32"});
  options.model = file.path();
  options.model_rows = 0;
  const StudyReport report = study(std::move(options));
  ASSERT_TRUE(report.model);
  ASSERT_EQ(report.model->tensors.size(), 1U) << "a vector is no matrix";
  const TensorSummary& summary = report.model->tensors[0].summary;
  double square = 0, fourth = 0, sum = 0;
  for (const float x : w) sum += x;
  const double mean = sum / static_cast<double>(w.size());
  for (const float x : w) {
    square += std::pow(x - mean, 2) / static_cast<double>(w.size());
    fourth += std::pow(x - mean, 4) / static_cast<double>(w.size());
  }
  EXPECT_NEAR(summary.kurtosis, fourth / (square * square), 1e-6);
  EXPECT_NEAR(summary.rms, std::sqrt(square + mean * mean), 1e-6);
  ASSERT_EQ(summary.columns.size(), 3U);
  EXPECT_EQ(summary.columns[0].column, 17U);
  EXPECT_NEAR(summary.columns[0].rms_over_rms, 12 / summary.rms, 1.2);
  EXPECT_EQ(summary.columns[0].max_over_rms, summary.max_over_rms);
  EXPECT_GT(summary.n_outliers, 20U);
  EXPECT_EQ(report.model->heaviest[0].column, 17U);
  EXPECT_FALSE(score_of(report, 0, "Q4_K").fits()) << "rows of 96 are no blocks of 256";
  EXPECT_NEAR(score_of(report, 0, "Q4_0").relative_error, error_of_rounding(formats::q4_0, w), 1e-12);
  ASSERT_TRUE(report.levels);
  EXPECT_EQ(report.levels->candidate, "Q4_0");
  std::uint64_t n = 0;
  for (const LevelUse::Level& level : report.levels->levels) n += level.n;
  EXPECT_EQ(n, report.levels->values.size());
  EXPECT_NE(study_text(report, Selection::all).find("w column 17"), std::string::npos);
}

TEST(Study, BadInput) {
  const TemporaryFile file(".safetensors");
  std::vector<float> w = gaussian(40 * 64, 5);
  w[3 * 64 + 7] = NAN;
  write_model(file.path(), w, 40, 64);
  StudyOptions options = options_of({}, {"Q4_0"});
  options.model = file.path();
  Error error = error_of(options);
  EXPECT_EQ(error.kind, ErrorKind::numeric);
  EXPECT_EQ(error.message(),
            "w: holds NaN at row 3, column 7; «kerf verify» finds all of them, and --tensor can leave the "
            "tensor out");
  options.tensors = "attn";
  error = error_of(options);
  EXPECT_EQ(error.kind, ErrorKind::not_found);
  EXPECT_NE(error.what.find("no tensor whose name matches «attn»"), std::string::npos);
  options.tensors = "norm";
  EXPECT_NE(error_of(options).what.find("vectors"), std::string::npos);
  options.tensors = "(";
  error = error_of(options);
  EXPECT_EQ(error.kind, ErrorKind::usage);
  EXPECT_EQ(error.message(), "--tensor: «(» is not a regular expression");
  options.model = "/nowhere/at.all";
  options.tensors.clear();
  EXPECT_EQ(error_of(options).kind, ErrorKind::not_found);
  options.model = KERF_SOURCE_DIR "/LICENSE";
  EXPECT_NE(error_of(options).message().find("LICENSE"), std::string::npos);
  EXPECT_EQ(error_of(options_of({}, {"Q4_0"})).kind, ErrorKind::usage) << "nothing to study";
  options = options_of({"gaussian"}, {"Q4_0"});
  options.row_length = 33;
  EXPECT_EQ(error_of(options).kind, ErrorKind::usage);
}

TEST(Guide, ShowsWhatTheProgramPrints) {
  std::vector<std::string> formats;
  for (const char* name :
       {"Q1_0", "TQ1_0", "IQ2_XXS", "Q2_K", "IQ3_XXS", "Q3_K", "IQ4_XS", "nf4:4/64", "Q4_0", "MXFP4", "Q4_K",
        "Q5_K", "Q6_K", "absmax:8/row", "Q8_0", "BF16", "F16", "F32"})
    formats.emplace_back(name);
  const std::string table = study_text(study(options_of({"gaussian"}, formats)), Selection::all);
  std::ifstream in(KERF_SOURCE_DIR "/docs/study.md");
  const std::string guide((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_NE(guide.find("<!-- gaussian -->\n```\n" + table + "```\n<!-- end -->"), std::string::npos)
      << "the table in docs/study.md should be\n"
      << table;
}

TEST(Guide, TheBoundsAreThoseOfTheCode) {
  std::ifstream in(KERF_SOURCE_DIR "/docs/study.md");
  const std::string guide((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  for (const std::string_view name : {"laplace", "uniform", "student-t"}) {
    char entropy[16], gain[32];
    std::snprintf(entropy, sizeof entropy, "%.4f", distribution(name).entropy());
    std::snprintf(gain, sizeof gain, "6.02 R + %.2f", distribution(name).bound_db(0));
    EXPECT_NE(guide.find(entropy), std::string::npos) << name << " " << entropy;
    EXPECT_NE(guide.find(gain), std::string::npos) << name << " " << gain;
  }
}

/// The page as an XML document: it is written so that a strict reader takes it too.
std::string document(const std::string& page) {
  constexpr std::string_view kProlog = "<!DOCTYPE html>\n";
  return page.starts_with(kProlog) ? page.substr(kProlog.size()) : "no prolog";
}

TEST(Page, IsWellFormedSelfContainedAndComplete) {
  const TemporaryFile file("<b>&.safetensors");
  write_model(file.path(), gaussian(64 * 96, 6), 64, 96);
  StudyOptions options = options_of(Distribution::names());
  options.n_rows = 4;
  options.model = file.path();
  const StudyReport report = study(std::move(options));
  const std::string page = study_page(report, "0 <test>");
  EXPECT_EQ(report::xml_defect(document(page)), "");
  for (const auto& candidate : report.candidates())
    EXPECT_NE(page.find(report::escape(candidate->name())), std::string::npos) << candidate->name();
  EXPECT_EQ(page.find("<b>&"), std::string::npos) << "the name of the file is text, not markup";
  EXPECT_EQ(page.find("<script"), std::string::npos);
  std::string rest = page;
  const std::string name = "\"http://www.w3.org/2000/svg\"";
  for (std::size_t at = rest.find(name); at != std::string::npos; at = rest.find(name))
    rest.erase(at, name.size());
  for (const char* way_out : {"http", "src=", "url(", "@import", "<link", "<image", "<iframe"})
    EXPECT_EQ(rest.find(way_out), std::string::npos) << way_out;
  EXPECT_EQ(page.find("nan"), std::string::npos);
}

TEST(Page, OfOneDistributionAndOfNothingThatFits) {
  EXPECT_EQ(report::xml_defect(document(study_page(study(options_of({"uniform"}, {"Q4_0"})), "0"))), "");
  const TemporaryFile file(".safetensors");
  write_model(file.path(), std::vector<float>(4 * 33), 4, 33);  // zeros, in rows that no block divides
  StudyOptions options = options_of({}, {"Q4_0", "F32"});
  options.model = file.path();
  EXPECT_EQ(report::xml_defect(document(study_page(study(std::move(options)), "0"))), "");
}

TEST(Study, OverflowIsNamedNotHidden) {
  const TemporaryFile file(".safetensors");
  std::vector<float> w = gaussian(40 * 64, 5);
  w[100] = 1e30F;
  write_model(file.path(), w, 40, 64);
  StudyOptions options = options_of({}, {"F16", "BF16"});
  options.model = file.path();
  options.model_rows = 0;
  const StudyReport report = study(std::move(options));
  EXPECT_NE(study_text(report, Selection::all).find("overflow"), std::string::npos);
  EXPECT_TRUE(std::isfinite(score_of(report, 0, "BF16").sqnr_db));
}

}  // namespace
}  // namespace kerf::study
