// Activations for the tests of observers.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/calib/observer.h"

namespace kerf {

struct Data {
  std::vector<std::vector<float>> batches;
  std::size_t n_channels;
};

/// Long-tailed numbers over many orders of magnitude: sums in floating point would depend on their order.
inline Data random_data(std::uint64_t seed, std::size_t n_batches, std::size_t n_channels) {
  Rng rng(seed);
  Data data{{}, n_channels};
  for (std::size_t b = 0; b < n_batches; ++b) {
    std::vector<float> x(n_channels * (1 + rng.below(6)));
    for (float& v : x)
      v = static_cast<float>(rng.normal() * std::exp2(20 * rng.uniform() - 10)) *
          static_cast<float>(rng.below(8) != 0);
    data.batches.push_back(std::move(x));
  }
  return data;
}

inline void feed(Observer& observer, const Data& data, std::size_t b) {
  const auto result = observer.observe({data.batches[b], data.n_channels, b});
  EXPECT_TRUE(result) << (result ? "" : result.error().message());
}

}  // namespace kerf
