#include "kerf/footprint/footprint.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kerf {
namespace {

constexpr double kGigabyte = 1e9;

StorageCost cost(std::string_view type, const GroupOverhead& overhead = {}) {
  return storage_cost(type, overhead).value();
}

FootprintRequest request_for(Mode mode, const StorageCost& linear, const StorageCost& embedding) {
  FootprintRequest request;
  request.mode = mode;
  request.linear = linear;
  request.embedding = embedding;
  request.kv = cost("F16");
  return request;
}

double bytes_of(const Footprint& footprint, std::string_view term) {
  for (const Term& candidate : footprint.terms)
    if (candidate.name == term) return candidate.bytes;
  ADD_FAILURE() << "no term " << term;
  return 0;
}

double weights_of_70b(std::string_view type, const GroupOverhead& overhead = {}) {
  const StorageCost stored = cost(type, overhead);
  FootprintRequest request = request_for(Mode::inference, stored, stored);
  request.n_parameters = 70e9;
  return bytes_of(footprint_of(nearest_published_shape(70e9), request).value(), "weights") / kGigabyte;
}

TEST(Footprint, SeventyBillionParameters) {
  EXPECT_DOUBLE_EQ(weights_of_70b("F32"), 280);
  EXPECT_DOUBLE_EQ(weights_of_70b("BF16"), 140);
  EXPECT_DOUBLE_EQ(weights_of_70b("8"), 70);
  EXPECT_DOUBLE_EQ(weights_of_70b("4"), 35);
  EXPECT_NEAR(weights_of_70b("4", {.bits = 20, .group = 128}), 36.4, 0.05);
  EXPECT_DOUBLE_EQ(weights_of_70b("Q4_K"), 70 * 4.5 / 8);
}

TEST(Footprint, FullTrainingOf65BillionParameters) {
  FootprintRequest request = request_for(Mode::full, cost("BF16"), cost("BF16"));
  request.n_parameters = 65e9;
  request.context = 512;
  const Footprint footprint = footprint_of(*published_shape("llama-65b"), request).value();
  EXPECT_DOUBLE_EQ(bytes_of(footprint, "weights"), 130e9);
  EXPECT_DOUBLE_EQ(bytes_of(footprint, "gradients"), 130e9);
  EXPECT_DOUBLE_EQ(bytes_of(footprint, "optimizer"), 520e9);
  EXPECT_GT(footprint.total(), 780e9);
  request.master_weights = true;
  EXPECT_DOUBLE_EQ(bytes_of(footprint_of(*published_shape("llama-65b"), request).value(), "master weights"),
                   260e9);
}

TEST(Footprint, QloraOf65BillionParameters) {
  const ModelShape shape = *published_shape("LLaMA-65B");
  EXPECT_EQ(shape.n_linear(), 64'760'053'760U);
  EXPECT_NEAR(n_adapter_parameters(shape, 64, LoraTargets::all), 799.5e6, 0.05e6);
  FootprintRequest request = request_for(Mode::qlora, cost("nf4-dq"), cost("BF16"));
  request.context = 512;
  const Footprint footprint = footprint_of(shape, request).value();
  EXPECT_NEAR(bytes_of(footprint, "linear layers") / kGigabyte, 33.41, 0.005);
  EXPECT_NEAR(bytes_of(footprint, "embedding, norms") / kGigabyte, 1.05, 0.005);
  EXPECT_NEAR((bytes_of(footprint, "adapters") + bytes_of(footprint, "gradients")) / kGigabyte, 3.20, 0.005);
  EXPECT_NEAR(bytes_of(footprint, "optimizer") / kGigabyte, 6.40, 0.005);
  EXPECT_NEAR(bytes_of(footprint, "activations") / kGigabyte, 0.67, 0.005);
  EXPECT_NEAR(footprint.total() / kGigabyte, 44.7, 0.05);
  // Also with everything that is there for moments.
  double peak = footprint.total();
  for (const Term& moment : footprint.moments) peak += moment.bytes;
  EXPECT_LT(peak, 48e9);
  request.optimizer = Optimizer::adam8;
  EXPECT_NEAR(footprint_of(shape, request)->total() / kGigabyte, 39.9, 0.06);
}

TEST(Footprint, AdaptersOfSomeLayers) {
  const ModelShape shape = *published_shape("llama-7b");
  EXPECT_DOUBLE_EQ(n_adapter_parameters(shape, 8, LoraTargets::qv), 32 * 2 * 8 * 8192.0);
  EXPECT_DOUBLE_EQ(n_adapter_parameters(shape, 8, LoraTargets::attention), 32 * 4 * 8 * 8192.0);
  EXPECT_EQ(optimizer_bytes(Optimizer::sgd), 0);
}

TEST(Footprint, KeysAndValues) {
  // Llama 2 70B: 80 layers, 8 heads of 128, 16 bits: 320 KiB per token.
  EXPECT_DOUBLE_EQ(kv_bytes(*published_shape("llama-2-70b"), 1, 16), 327680);
  ModelShape windowed = *published_shape("mistral-7b");
  windowed.n_local_layers = 16;
  windowed.window = 1000;
  const double per_token = 2.0 * 8 * 128 * 2;
  EXPECT_DOUBLE_EQ(kv_bytes(windowed, 4000, 16), (16 * 4000 + 16 * 1000) * per_token);
  EXPECT_DOUBLE_EQ(kv_bytes(windowed, 500, 16), 32 * 500 * per_token);
}

TEST(Footprint, RowsThatBlocksDoNotDivide) {
  const ModelShape shape = *published_shape("smollm2-135m");
  EXPECT_EQ(n_misfits(shape, *cost("Q8_0").format), 0U);
  // All but the 30 matrices behind the feed-forward width of 1536 = 6·256.
  EXPECT_EQ(n_misfits(shape, *cost("Q2_K").format), 180U);
  EXPECT_EQ(n_misfits(*published_shape("llama-7b"), *cost("Q2_K").format), 0U);
}

TEST(Footprint, WeightsThatAreKnown) {
  FootprintRequest request = request_for(Mode::inference, cost("F32"), cost("F32"));
  request.weights = Term{"weights", 12345, "counted"};
  const Footprint footprint = footprint_of(*published_shape("llama-7b"), request).value();
  EXPECT_EQ(bytes_of(footprint, "weights"), 12345);
}

TEST(Footprint, RefusesAbsurdSizes) {
  const ModelShape shape = *published_shape("llama-7b");
  const FootprintRequest sound = request_for(Mode::lora, cost("BF16"), cost("BF16"));
  EXPECT_TRUE(footprint_of(shape, sound).has_value());
  for (int field = 0; field < 6; ++field) {
    FootprintRequest request = sound;
    if (field == 0) request.context = 0;
    if (field == 1) request.batch = 0;
    if (field == 2) request.context = request.batch = 1ULL << 32;
    if (field == 3) request.rank = 0;
    if (field == 4) request.n_parameters = -1;
    if (field == 5) request.n_parameters = 1e30;
    const auto footprint = footprint_of(shape, request);
    ASSERT_FALSE(footprint.has_value()) << field;
    EXPECT_EQ(footprint.error().kind, ErrorKind::usage);
  }
  EXPECT_FALSE(shape_of_llama("x", {32, 4096, 11008, 32, 5, 128, 32000, 2048, false}).has_value());
  EXPECT_FALSE(shape_of_llama("x", {0, 4096, 11008, 32, 32, 128, 32000, 2048, false}).has_value());
}

TEST(StorageCost, TypesAndBits) {
  EXPECT_DOUBLE_EQ(cost("q8_0").bits, 8.5);
  EXPECT_DOUBLE_EQ(cost("2.5").bits, 2.5);
  EXPECT_NEAR(cost("nf4-dq").bits, 4.126953, 1e-6);
  EXPECT_DOUBLE_EQ(cost("4", {.bits = 32, .group = 64}).bits, 4.5);
  for (const char* type : {"", "Q9_Z", "0", "-4", "65", "nan", "inf", "4bits", "1e99"}) {
    const auto stored = storage_cost(type);
    ASSERT_FALSE(stored.has_value()) << type;
    EXPECT_EQ(stored.error().kind, ErrorKind::usage);
  }
  EXPECT_FALSE(storage_cost("Q4_0", {.bits = 16, .group = 32}).has_value());
}

TEST(ModelShape, PublishedModelsAreAsLargeAsTheirNames) {
  const std::pair<const char*, double> sizes[] = {
      {"smollm2-135m", 134.515e6}, {"qwen2.5-0.5b", 494.0e6},  {"llama-3.2-1b", 1235.8e6},
      {"llama-3.2-3b", 3212.7e6},  {"llama-7b", 6738.4e6},     {"mistral-7b", 7241.7e6},
      {"llama-3-8b", 8030.3e6},    {"llama-13b", 13015.9e6},   {"llama-33b", 32528.9e6},
      {"llama-65b", 65285.7e6},    {"llama-2-70b", 68976.6e6}, {"llama-3-70b", 70553.7e6},
      {"llama-3.1-405b", 405853e6}};
  for (const auto& [name, expected] : sizes)
    EXPECT_NEAR(static_cast<double>(published_shape(name)->n_parameters()), expected, 1e-4 * expected)
        << name;
  EXPECT_FALSE(published_shape("llama-66b").has_value());
  EXPECT_EQ(nearest_published_shape(65e9).name, "llama-65b");
}

/// The same model as a folder with weights, and by its config.json alone.
TEST(ModelShape, ConfigAloneTellsWhatTheTensorsTell) {
  int n_models = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(KERF_SOURCE_DIR "/tests/golden/models")) {
    if (entry.path().filename() != "config.json") continue;
    const auto source = ModelSource::open(entry.path().parent_path());
    if (!source) continue;
    const auto whole = shape_of_source(**source);
    const auto config = shape_of_config(entry.path());
    ASSERT_TRUE(whole.has_value()) << entry.path();
    ASSERT_TRUE(config.has_value()) << entry.path() << ": " << config.error().message();
    EXPECT_EQ(whole->n_linear(), config->n_linear()) << entry.path();
    EXPECT_EQ(whole->n_embedding, config->n_embedding) << entry.path();
    EXPECT_EQ(whole->n_layers, config->n_layers) << entry.path();
    EXPECT_EQ(whole->n_local_layers, config->n_local_layers) << entry.path();
    EXPECT_EQ(whole->n_vocabulary, config->n_vocabulary) << entry.path();
    ++n_models;
  }
  EXPECT_GE(n_models, 3);
}

TEST(ModelShape, RefusesWhatIsNoModel) {
  const auto shape = find_model("no-such-model");
  ASSERT_FALSE(shape.has_value());
  EXPECT_EQ(shape.error().kind, ErrorKind::not_found);
  EXPECT_NE(shape.error().message().find("llama-65b"), std::string::npos);
}

}  // namespace
}  // namespace kerf
