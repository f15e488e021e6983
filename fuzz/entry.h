// What libFuzzer and mutate.cpp call: one per target.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
/// Gives `size` bytes to the parser. Must not crash, read outside, leak, or use memory out of proportion.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

/// The ending of the corpus files that the target can start from, for mutate.cpp and scripts/fuzz.sh.
extern const char* const kCorpusEnding;
}
