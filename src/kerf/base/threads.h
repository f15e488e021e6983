// A fixed set of worker threads. Workers spin for a moment and then sleep, so that the thousands of short
// parallel sections of a forward pass cost microseconds and an idle pool costs nothing.
#pragma once

#include <cstddef>
#include <memory>

#include "kerf/base/function_ref.h"

namespace kerf {

class ThreadPool {
 public:
  /// `n_threads` counts the calling thread; 0 asks for one per usable CPU.
  explicit ThreadPool(unsigned n_threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] unsigned size() const noexcept;

  /// Calls `body(worker)` once on each of the size() workers, worker 0 being the caller, and returns when
  /// all are done. Not reentrant: `body` must not use the pool.
  void run(FunctionRef<void(unsigned worker)> body);

  /// Hands out [0, n) in pieces of `grain` (the last may be shorter) to whoever is free, as
  /// `body(begin, end, worker)`. Which worker gets a piece is not determined; results must not depend on it.
  void parallel_for(std::size_t n, std::size_t grain,
                    FunctionRef<void(std::size_t begin, std::size_t end, unsigned worker)> body);

 private:
  struct State;
  void work(unsigned worker);
  std::unique_ptr<State> state_;
};

/// CPUs that this process may use.
[[nodiscard]] unsigned usable_cpus() noexcept;

}  // namespace kerf
