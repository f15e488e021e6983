// The study: no format beats the bound, figures that are known come out, and bad input is told in a sentence.
#include "kerf/study/study.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <stdexcept>

#include "kerf/quantizers/quantizer.h"
#include "kerf/study/study_for_tests.h"
#include "kerf/study/text.h"

namespace kerf::study {
namespace {

constexpr double kPi = std::numbers::pi;

const Score& score_of(const StudyReport& report, std::size_t source, std::string_view name) {
  for (std::size_t i = 0; i < report.candidates().size(); ++i)
    if (report.candidates()[i]->name() == name) return report.sources[source].scores[i];
  throw std::out_of_range(std::string(name));
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
  StudyOptions options = options_of(Distribution::names());
  options.n_rows = 16;
  const StudyReport report = study(std::move(options));
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
  EXPECT_EQ(bit_class(4.53), 4.5);
  EXPECT_EQ(bit_class(4.5625), 5.0);
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
