// What `kerf memory` is asked, turned into a shape and a FootprintRequest.
#pragma once

#include <memory>
#include <string>

#include "kerf/footprint/footprint.h"

namespace kerf::cli {

struct MemoryOptions {
  std::string model, params, mode = "inference", type, embedding_type, kv_type = "F16", optimizer = "adam32",
                             targets = "all";
  GroupOverhead overhead;
  LlamaSizes sizes{};
  FootprintRequest request;  ///< the numbers among the options
  bool no_checkpointing = false;
};

/// Whose memory is counted.
struct MemorySubject {
  ModelShape shape;
  std::shared_ptr<const ModelSource> source;  ///< nullptr if there is only a description
  double n_parameters = 0;
  bool count_given = false;  ///< n_parameters was given, not counted
  bool assumed = false;      ///< the shape is a guess
};
/// Errors: usage, and those of find_model().
Result<MemorySubject> find_subject(const MemoryOptions& options);

/// Errors: usage.
Result<FootprintRequest> make_request(const MemoryOptions& options, const MemorySubject& subject);

}  // namespace kerf::cli
