#include "kerf/footprint/footprint.h"

#include <fmt/format.h>

#include <algorithm>

namespace kerf {
namespace {

/// Of trained 16-bit weights and of their gradients.
constexpr double kHalfBytes = 2;
constexpr double kFloatBytes = 4;

/// 64760053760 → «64.76e9», 70e9 → «70e9».
std::string count(double n) {
  if (n >= 1e9) return fmt::format("{:.4g}e9", n / 1e9);
  if (n >= 1e6) return fmt::format("{:.4g}e6", n / 1e6);
  return fmt::format("{:.0f}", n);
}

std::string bits_text(const StorageCost& cost) {
  if (cost.formula.empty()) return fmt::format("{:.7g} bits", cost.bits);
  return fmt::format("({}) bits", cost.formula);
}

Term weights(std::string name, double n, const StorageCost& cost) {
  return {std::move(name), n * cost.bits / 8, fmt::format("{} × {} / 8", count(n), bits_text(cost))};
}

/// Bits per number in the linear layers, with the headers and unused ends of their rows.
double effective_bits(const ModelShape& shape, const StorageCost& cost) {
  if (cost.format == nullptr) return cost.bits;
  double sum = 0;
  for (const LinearShape& linear : shape.linears) {
    const double bits =
        cost.format->fits(linear.columns) ? cost.format->bits_per_weight(linear.columns) : cost.bits;
    sum += bits * static_cast<double>(linear.rows * linear.columns * linear.count);
  }
  return sum / static_cast<double>(shape.n_linear());
}

Term per_parameter(std::string name, double n, double bytes, std::string_view why = {}) {
  return {std::move(name), n * bytes,
          fmt::format("{} × {:.4g} B{}{}", count(n), bytes, why.empty() ? "" : ", ", why)};
}

std::string_view optimizer_text(Optimizer optimizer) {
  switch (optimizer) {
    case Optimizer::adam32:
      return "Adam's m and v in binary32";
    case Optimizer::adam8:
      return "Adam's m and v in 8 bits, a binary32 scale per 256";
    case Optimizer::momentum:
      return "momentum in binary32";
    case Optimizer::sgd:
      return "SGD remembers nothing";
  }
  return {};
}

void add_trained(Footprint& out, double n, const FootprintRequest& request) {
  out.terms.push_back(per_parameter("gradients", n, kHalfBytes, "16 bits"));
  out.terms.push_back(
      per_parameter("optimizer", n, optimizer_bytes(request.optimizer), optimizer_text(request.optimizer)));
  if (request.master_weights)
    out.terms.push_back(per_parameter("master weights", n, kFloatBytes, "binary32"));
}

void add_frozen(Footprint& out, const ModelShape& shape, const FootprintRequest& request) {
  const auto n_linear = static_cast<double>(shape.n_linear());
  auto n_rest = static_cast<double>(shape.n_embedding + shape.n_other);
  if (request.weights) {
    out.terms.push_back(*request.weights);
    return;
  }
  if (request.n_parameters != 0 && request.linear.bits == request.embedding.bits) {
    out.terms.push_back(weights("weights", request.n_parameters, request.linear));
    return;
  }
  // Of a bare number of parameters the shape's embedding is subtracted, in proportion if the shape is larger.
  double n_blocks = n_linear;
  if (request.n_parameters != 0) {
    n_rest = std::min(n_rest, request.n_parameters * n_rest / (n_linear + n_rest));
    n_blocks = request.n_parameters - n_rest;
  }
  StorageCost linear = request.linear;
  if (request.n_parameters == 0) linear.bits = effective_bits(shape, linear);
  out.terms.push_back(weights("linear layers", n_blocks, linear));
  out.terms.push_back(weights("embedding, norms", n_rest, request.embedding));
}

Term kv_cache(const ModelShape& shape, const FootprintRequest& request) {
  const std::uint64_t full_layers = shape.n_layers - shape.n_local_layers;
  std::string tokens = fmt::format("{} layers × {} tokens", full_layers, request.context);
  if (shape.n_local_layers != 0)
    tokens = fmt::format("({} + {} layers × {} tokens)", tokens, shape.n_local_layers,
                         std::min(request.context, shape.window));
  return {
      "KV cache", kv_bytes(shape, request.context, request.kv.bits) * static_cast<double>(request.batch),
      fmt::format("{} × {} sequence{} × 2 × {} heads × {} × {} / 8", tokens, request.batch,
                  request.batch == 1 ? "" : "s", shape.n_kv_heads, shape.head_width, bits_text(request.kv))};
}

/// The buffers of one block and the logits of a token per sequence, in binary32.
Term inference_activations(const ModelShape& shape, const FootprintRequest& request) {
  const std::uint64_t tokens = std::min(request.chunk, request.context) * request.batch;
  const std::uint64_t queries = shape.n_heads * shape.head_width;
  const std::uint64_t keys = shape.n_kv_heads * shape.head_width;
  const std::uint64_t per_token = 2 * shape.width + 2 * queries + 2 * keys + 2 * shape.ffn_width;
  return {"activations",
          kFloatBytes * (static_cast<double>(tokens) * static_cast<double>(per_token) +
                         static_cast<double>(request.batch * shape.n_vocabulary)),
          fmt::format("({} tokens × (2·{} + 2·{} + 2·{} + 2·{}) + {} × {} logits) × 4 B", tokens, shape.width,
                      queries, keys, shape.ffn_width, request.batch, shape.n_vocabulary)};
}

/// What the backward pass of one block reads, 16 bits each: the inputs of both norms and of the projections
/// behind them (4C), q, k, v, the output of attention, gate, up and their product. Scores are not kept
/// (FlashAttention).
double saved_per_token(const ModelShape& shape) {
  const auto queries = static_cast<double>(shape.n_heads * shape.head_width);
  const auto keys = static_cast<double>(shape.n_kv_heads * shape.head_width);
  return 4 * static_cast<double>(shape.width) + 2 * queries + 2 * keys +
         3 * static_cast<double>(shape.ffn_width);
}

void add_training_activations(Footprint& out, const ModelShape& shape, const FootprintRequest& request) {
  const std::uint64_t tokens = request.context * request.batch;
  const double one_block = kHalfBytes * static_cast<double>(tokens) * saved_per_token(shape);
  const std::string block_text =
      fmt::format("{} tokens × {:.0f} numbers × 2 B", tokens, saved_per_token(shape));
  if (request.checkpointing) {
    out.terms.push_back(
        {"activations",
         kHalfBytes * static_cast<double>(shape.n_layers * shape.width) * static_cast<double>(tokens),
         fmt::format("checkpoints: {} layers × {} tokens × {} × 2 B", shape.n_layers, tokens, shape.width)});
    out.moments.push_back({"one block again", one_block, block_text});
  } else {
    out.terms.push_back({"activations", one_block * static_cast<double>(shape.n_layers),
                         fmt::format("{} layers × {}", shape.n_layers, block_text)});
  }
  out.moments.push_back(
      {"logits and gradient",
       2 * kFloatBytes * static_cast<double>(tokens) * static_cast<double>(shape.n_vocabulary),
       fmt::format("2 × {} tokens × {} × 4 B", tokens, shape.n_vocabulary)});
}

void add_adapters(Footprint& out, const ModelShape& shape, const FootprintRequest& request) {
  const double n = n_adapter_parameters(shape, request.rank, request.targets);
  double sum = 0;
  if (request.rank != 0) sum = n / static_cast<double>(request.rank);
  out.terms.push_back(
      {"adapters", n * kHalfBytes,
       fmt::format("rank {} × Σ(rows + columns) {} = {} × 2 B", request.rank, count(sum), count(n))});
  add_trained(out, n, request);
}

bool is_target(const LinearShape& linear, LoraTargets targets) {
  switch (targets) {
    case LoraTargets::all:
      return true;
    case LoraTargets::attention:
      return linear.name.starts_with("attn_");
    case LoraTargets::qv:
      return linear.name == "attn_q" || linear.name == "attn_v" || linear.name == "attn_qkv";
  }
  return false;
}

Result<void> check_sizes(const FootprintRequest& request) {
  constexpr std::uint64_t kMostTokens = 1ULL << 32;
  constexpr double kMostParameters = 1e16;
  if (request.context == 0 || request.batch == 0 || request.chunk == 0 || request.context > kMostTokens ||
      request.batch > kMostTokens || request.context > kMostTokens / request.batch)
    return fail(ErrorKind::usage, "--context, --batch",
                fmt::format("{} tokens in {} sequences; 1 to 2^32 tokens in all make sense", request.context,
                            request.batch));
  if (request.rank == 0 || request.rank > 1U << 20)
    return fail(ErrorKind::usage, "--rank", fmt::format("{}; 1 to 2^20 make sense", request.rank));
  if (request.n_parameters < 0 || request.n_parameters > kMostParameters)
    return fail(ErrorKind::usage, "--params",
                fmt::format("{:g}; 1 to 1e16 make sense", request.n_parameters));
  return {};
}

}  // namespace

double optimizer_bytes(Optimizer optimizer) noexcept {
  switch (optimizer) {
    case Optimizer::adam32:
      return 2 * kFloatBytes;
    case Optimizer::adam8:
      return 2 * (1 + kFloatBytes / 256);
    case Optimizer::momentum:
      return kFloatBytes;
    case Optimizer::sgd:
      return 0;
  }
  return 0;
}

double Footprint::total() const noexcept {
  double sum = 0;
  for (const Term& term : terms) sum += term.bytes;
  return sum;
}

double n_adapter_parameters(const ModelShape& shape, std::uint64_t rank, LoraTargets targets) {
  double sum = 0;
  for (const LinearShape& linear : shape.linears)
    if (is_target(linear, targets))
      sum += static_cast<double>(linear.rows + linear.columns) * static_cast<double>(linear.count);
  return sum * static_cast<double>(rank);
}

std::uint64_t n_misfits(const ModelShape& shape, const Format& format) noexcept {
  std::uint64_t n = 0;
  for (const LinearShape& linear : shape.linears)
    if (!format.fits(linear.columns)) n += linear.count;
  return n;
}

double kv_bytes(const ModelShape& shape, std::uint64_t context, double bits) {
  const auto full_layers = static_cast<double>(shape.n_layers - shape.n_local_layers);
  const double remembered =
      full_layers * static_cast<double>(context) +
      static_cast<double>(shape.n_local_layers) * static_cast<double>(std::min(context, shape.window));
  return remembered * 2 * static_cast<double>(shape.n_kv_heads * shape.head_width) * bits / 8;
}

Result<Footprint> footprint_of(const ModelShape& shape, const FootprintRequest& request) {
  KERF_CHECK_OK(check_sizes(request));
  Footprint out;
  add_frozen(out, shape, request);
  switch (request.mode) {
    case Mode::inference:
      out.terms.push_back(kv_cache(shape, request));
      out.terms.push_back(inference_activations(shape, request));
      return out;
    case Mode::full:
      add_trained(
          out, request.n_parameters != 0 ? request.n_parameters : static_cast<double>(shape.n_parameters()),
          request);
      break;
    case Mode::lora:
    case Mode::qlora:
      add_adapters(out, shape, request);
      break;
  }
  add_training_activations(out, shape, request);
  return out;
}

}  // namespace kerf
