#include "kerf/study/measure.h"

#include <time.h>

#include <algorithm>
#include <cmath>

#include "kerf/base/bits.h"

namespace kerf::study {
namespace {

constexpr std::size_t kChunkNumbers = 1 << 13;  // enough pieces for the threads, also when few rows are taken

/// Σ (x − y)² and Σ x². Eight fixed lanes, so that every instruction set adds in the same order.
KERF_CLONES void add_squares(const float* x, const float* y, std::size_t n, Loss& sum) noexcept {
  constexpr std::size_t kLanes = 8;
  double error[kLanes] = {};
  double power[kLanes] = {};
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t n_lanes = std::min(kLanes, n - i);
    for (std::size_t lane = 0; lane < n_lanes; ++lane) {
      const double value = x[i + lane];
      const double difference = value - y[i + lane];
      error[lane] += difference * difference;
      power[lane] += value * value;
    }
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    sum.error += error[lane];
    sum.power += power[lane];
  }
}

Result<Loss> round_rows(const Candidate& candidate, const Rows& rows, std::size_t first, std::size_t end) {
  Loss sum;
  std::vector<float> back(rows.row_length);
  for (std::size_t row = first; row < end; ++row) {
    const float* x = rows.x.data() + row * rows.row_length;
    KERF_TRY(const double bits, candidate.round_row(x, back.data(), rows.row_length));
    add_squares(x, back.data(), rows.row_length, sum);
    sum.bits += bits;
    sum.n += rows.row_length;
  }
  return sum;
}

double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Seconds of one call of `work`: the best round; as many rounds as fit into a moment, at least two.
template <class Work>
double best_seconds(Work&& work) {
  constexpr double kMoment = 0.01;
  double best = std::numeric_limits<double>::infinity();
  double spent = 0;
  for (int round = 0; round < 2 || spent < kMoment; ++round) {
    const double begin = thread_seconds();
    work();
    const double seconds = std::max(thread_seconds() - begin, 1e-9);
    best = std::min(best, seconds);
    spent += seconds;
  }
  return best;
}

}  // namespace

double decibels(double relative_error) noexcept {
  return relative_error > 0 ? -10 * std::log10(relative_error) : std::numeric_limits<double>::infinity();
}

Result<std::vector<Loss>> measure(const Candidates& candidates, const Rows& rows, ThreadPool& pool,
                                  Tracker& tracker, std::string_view detail) {
  const std::size_t chunk_rows =
      std::max<std::size_t>(1, kChunkNumbers / std::max<std::size_t>(rows.row_length, 1));
  const std::size_t n_chunks = (rows.n_rows + chunk_rows - 1) / chunk_rows;
  std::vector<Result<Loss>> pieces(candidates.size() * n_chunks);
  pool.parallel_for(pieces.size(), 1, [&](std::size_t piece, std::size_t, unsigned worker) {
    if (tracker.cancelled()) return;
    const Candidate& candidate = *candidates[piece / n_chunks];
    const std::size_t first = piece % n_chunks * chunk_rows;
    const std::size_t end = std::min(first + chunk_rows, rows.n_rows);
    if (candidate.fits(rows.row_length)) pieces[piece] = round_rows(candidate, rows, first, end);
    tracker.add((end - first) * rows.row_length, worker, detail);
  });
  if (tracker.cancelled()) return fail(ErrorKind::cancelled, "", "interrupted");
  std::vector<Loss> out(candidates.size());
  for (std::size_t piece = 0; piece < pieces.size(); ++piece) {
    if (!pieces[piece]) return tl::unexpected<Error>(pieces[piece].error());
    Loss& sum = out[piece / n_chunks];
    sum.error += pieces[piece]->error;
    sum.power += pieces[piece]->power;
    sum.bits += pieces[piece]->bits;
    sum.n += pieces[piece]->n;
  }
  return out;
}

Speed time_candidate(const Candidate& candidate, const Rows& rows) {
  constexpr std::size_t kNumbers = 1 << 16;  // 256 kB of floats: from a core's cache, not from memory
  const Format& format = *candidate.format();
  const std::size_t n_cols = rows.row_length;
  const std::size_t n_rows = std::clamp<std::size_t>(kNumbers / n_cols, 1, rows.n_rows);
  std::vector<std::uint8_t> bytes(n_rows * format.row_bytes(n_cols));
  std::vector<float> back(n_rows * n_cols);
  const double encode = best_seconds([&] { candidate.encode(rows.x.data(), bytes.data(), n_rows, n_cols); });
  const double decode = best_seconds([&] { decode_rows(format, bytes.data(), n_rows, n_cols, back.data()); });
  const double gigabytes = 4e-9 * static_cast<double>(n_rows * n_cols);
  return {gigabytes / encode, gigabytes / decode};
}

}  // namespace kerf::study
