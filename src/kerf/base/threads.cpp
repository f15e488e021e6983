#include "kerf/base/threads.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace kerf {
namespace {

// About 50 microseconds of spinning: longer than the gap between two matrix products of a decode step,
// far shorter than what a person or a neighbour notices.
constexpr int kSpins = 4000;

inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

struct ThreadPool::State {
  std::vector<std::thread> threads;
  std::atomic<unsigned> generation{0};  // odd or even, it only has to change
  std::atomic<unsigned> pending{0};
  std::atomic<unsigned> sleepers{0};
  std::atomic<bool> stopping{false};
  FunctionRef<void(unsigned)>* body = nullptr;
  std::mutex mutex;
  std::condition_variable wake;
};

ThreadPool::ThreadPool(unsigned n_threads) : state_(std::make_unique<State>()) {
  if (n_threads == 0) n_threads = usable_cpus();
  for (unsigned worker = 1; worker < n_threads; ++worker)
    state_->threads.emplace_back([this, worker] { work(worker); });
}

ThreadPool::~ThreadPool() {
  state_->stopping = true;
  {
    const std::lock_guard lock(state_->mutex);
    state_->generation.fetch_add(1);
  }
  state_->wake.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

unsigned ThreadPool::size() const noexcept {
  return static_cast<unsigned>(state_->threads.size()) + 1;
}

void ThreadPool::work(unsigned worker) {
  State& s = *state_;
  unsigned seen = 0;
  for (;;) {
    for (int i = 0; i < kSpins && s.generation.load(std::memory_order_acquire) == seen; ++i) relax();
    if (s.generation.load() == seen) {
      std::unique_lock lock(s.mutex);
      s.sleepers.fetch_add(1);
      s.wake.wait(lock, [&] { return s.generation.load() != seen; });
      s.sleepers.fetch_sub(1);
    }
    seen = s.generation.load(std::memory_order_acquire);
    if (s.stopping) return;
    (*s.body)(worker);
    s.pending.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadPool::run(FunctionRef<void(unsigned)> body) {
  State& s = *state_;
  if (s.threads.empty()) {
    body(0);
    return;
  }
  s.body = &body;
  s.pending.store(static_cast<unsigned>(s.threads.size()));
  s.generation.fetch_add(1);
  if (s.sleepers.load() != 0) {
    // The lock orders us after a worker that has tested the generation but does not wait yet.
    { const std::lock_guard lock(s.mutex); }
    s.wake.notify_all();
  }
  body(0);
  for (int spins = 0; s.pending.load(std::memory_order_acquire) != 0; ++spins) {
    relax();
    if (spins > kSpins) std::this_thread::yield();
  }
}

void ThreadPool::parallel_for(std::size_t n, std::size_t grain,
                              FunctionRef<void(std::size_t, std::size_t, unsigned)> body) {
  grain = std::max<std::size_t>(grain, 1);
  if (n <= grain || size() == 1) {
    for (std::size_t begin = 0; begin < n; begin += grain) body(begin, std::min(n, begin + grain), 0);
    return;
  }
  std::atomic<std::size_t> next{0};
  run([&](unsigned worker) {
    for (;;) {
      const std::size_t begin = next.fetch_add(grain, std::memory_order_relaxed);
      if (begin >= n) return;
      body(begin, std::min(n, begin + grain), worker);
    }
  });
}

unsigned usable_cpus() noexcept {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace kerf
