// The GGUF keys of a model that lies in a Hugging Face folder, but for those of RoPE and the tokenizer.
// Source: names, types and values as llama.cpp's converter writes them, so that it loads the files; keys that
// it does not write are listed in docs/conventions.md.
#pragma once

#include <cstdint>
#include <string>

#include "kerf/base/metadata.h"
#include "kerf/base/result.h"
#include "kerf/io/hf_config.h"
#include "kerf/model/arch/architecture.h"
#include "kerf/model/hf_dimensions.h"

namespace kerf {

/// Refuses what would be computed wrongly: activations other than the family's, flags that change the
/// network, weights that are already quantized. Errors: unsupported, input.
Result<void> check_supported(const HfConfig& config, const Architecture& architecture);

/// Errors: input, not_found (config.json lacks a key or has a value of the wrong kind).
Result<void> describe_model(const HfConfig& config, const Architecture& architecture,
                            const HfDimensions& sizes, Metadata& metadata);

/// How large models are called: «135M», «8.0B»; two digits at least. Mixtures of experts: «8x7.0B», the
/// number of experts and the parameters of a model that had one of them.
[[nodiscard]] std::string size_label(std::uint64_t n_parameters, std::uint64_t n_experts = 0);

}  // namespace kerf
