// Chooses the instruction set once, when the first caller asks.
#include "kerf/kernels/dispatch.h"

#include <cstdlib>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace kerf::kernels {
namespace {

// Every table of this build, slowest first.
constexpr const KernelTable* kTables[] = {
    &scalar_table,
#if defined(__x86_64__)
    &avx2_table,
    &avx512vnni_table,
#endif
};

#if defined(__x86_64__)
// Not every compiler's __builtin_cpu_supports knows this name. The OS side is covered by asking for AVX2.
bool has_f16c() noexcept {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
bool has_avx2() noexcept {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}
bool has_avx512vnni() noexcept {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
}
#endif

std::size_t count_runnable() noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (has_avx512vnni()) return 3;
  if (has_avx2()) return 2;
#endif
  return 1;
}

std::string names(std::span<const KernelTable* const> tables) {
  std::string joined;
  for (const KernelTable* table : tables) joined += (joined.empty() ? "" : ", ") + std::string(table->isa);
  return joined;
}

const Selection& active() {
  static const Selection selection = [] {
    const char* forced = std::getenv("KERF_ISA");
    return select_table(forced != nullptr ? forced : "");
  }();
  return selection;
}

}  // namespace

std::span<const KernelTable* const> all_tables() noexcept {
  return kTables;
}

std::span<const KernelTable* const> runnable_tables() noexcept {
  static const std::size_t n = count_runnable();
  return std::span(kTables).first(n);
}

Selection select_table(std::string_view forced) {
  const auto runnable = runnable_tables();
  if (forced.empty()) return {runnable.back(), ""};
  for (const KernelTable* table : runnable)
    if (forced == table->isa) return {table, ""};
  for (const KernelTable* table : kTables)
    if (forced == table->isa)
      return {&scalar_table, "KERF_ISA=" + std::string(forced) +
                                 ": this CPU lacks those instructions; it can run " + names(runnable)};
  return {&scalar_table, "KERF_ISA=" + std::string(forced) + ": unknown; this build knows " + names(kTables)};
}

const KernelTable& active_table() noexcept {
  return *active().table;
}

const char* isa_error() noexcept {
  return active().error.empty() ? nullptr : active().error.c_str();
}

}  // namespace kerf::kernels
