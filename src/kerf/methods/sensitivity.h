// End-to-end sensitivity: how much the model's own distribution minds an error at the output of each weight,
// for each token that it reads.
//
// With y drawn from the model itself, the squared gradient of log p(y) estimates the Fisher information,
// whose half, applied to a small change, is the KL divergence between the model and the changed one (Amari
// 1998, «Natural gradient works efficiently in learning», §2). The weights per token are those of
// «GuidedQuant» (Kim et al. 2025) with one group of outputs.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/calib/importance.h"
#include "kerf/model/source.h"

namespace kerf {

struct Sensitivity {
  /// By name of a weight [R, K], for each token t in the order of the windows: g_t = 1/R · Σ_r (∂ log p /
  /// ∂ y[t, r])², where log p is the sum over the tokens of a window and y = x·Wᵀ. As weights of x·xᵀ in a
  /// second moment they are spiky: clip them, at 100 times their mean, say.
  std::map<std::string, std::vector<float>, std::less<>> of_tokens;
  /// Of each weight h_j = Σ_t g_t·x[t, j]² / number of tokens, so that ½·Σ_j h_j·Σ_r Δ[r, j]² estimates the
  /// KL divergence in nats per token that an error Δ of the weight causes. An embedding has the squared
  /// gradient at its rows, as if all V of them were read equally often; where it is the output matrix too,
  /// the sum of both.
  ImportanceMatrix diagonal;
};

struct SensitivityOptions {
  std::size_t ctx = 512;   ///< tokens per window
  std::uint64_t seed = 0;  ///< of the drawn labels
};

/// Reads windows of ctx tokens, `tokens` being their concatenation: one forward and one backward pass of the
/// model as it is in `source`. The model is mapped; memory besides it is that of one window and four bytes
/// per weight matrix and token. The same bits for any number of threads. Errors: those of loading a model;
/// usage (a token that the model does not have), numeric (a gradient that is not finite, named by its
/// weight), resource, cancelled.
Result<Sensitivity> measure_sensitivity(const ModelSource& source, std::span<const TokenId> tokens,
                                        const SensitivityOptions& options, ThreadPool& pool,
                                        Progress& progress);

/// The label that token number `token` of a run draws from logits [n]: the first index whose cumulated
/// probability exceeds a uniform number that depends on seed and token only.
[[nodiscard]] std::size_t draw_label(std::span<const float> logits, std::uint64_t seed, std::uint64_t token);

}  // namespace kerf
