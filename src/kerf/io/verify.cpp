#include "kerf/io/verify.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>

#include "kerf/base/bits.h"

namespace kerf {
namespace {

constexpr std::uint64_t kPieceBytes = 1 << 20;  // what one thread takes at a time
constexpr std::size_t kChunk = 4096;            // numbers decoded at once: stays in the L1 cache

/// Whether any of x[n] is NaN or infinite: their exponent bits are all ones.
KERF_CLONES bool any_non_finite(const float* x, std::size_t n) {
  std::uint32_t found = 0;
  for (std::size_t i = 0; i < n; ++i)
    found |= static_cast<std::uint32_t>((load_le<std::uint32_t>(x + i) & 0x7F800000U) == 0x7F800000U);
  return found != 0;
}

struct Scan {
  std::uint64_t n_bad = 0;
  std::uint64_t first_block = 0;
  const char* reason = nullptr;
};

/// Where the blocks of a tensor lie.
class Blocks {
 public:
  explicit Blocks(const StoredTensor& tensor)
      : format_(*tensor.format),
        row_bytes_(format_.row_bytes(tensor.row_length())),
        per_row_((row_bytes_ - format_.header_bytes) / format_.block_bytes) {}

  [[nodiscard]] std::uint64_t count(std::uint64_t n_bytes) const noexcept {
    return n_bytes / row_bytes_ * per_row_;
  }
  [[nodiscard]] std::uint64_t offset(std::uint64_t block) const noexcept {
    if (format_.header_bytes == 0) return block * format_.block_bytes;
    return block / per_row_ * row_bytes_ + format_.header_bytes + block % per_row_ * format_.block_bytes;
  }
  /// Why a block is bad, or nullptr; a bad header is a defect of the first block of its row.
  [[nodiscard]] const char* defect(const std::uint8_t* bytes, std::uint64_t block) const noexcept {
    const std::uint8_t* at = bytes + offset(block);
    if (format_.header_defect != nullptr && block % per_row_ == 0)
      if (const char* reason = format_.header_defect(at - format_.header_bytes)) return reason;
    return format_.defect == nullptr ? nullptr : format_.defect(at);
  }

 private:
  const Format& format_;
  std::uint64_t row_bytes_;
  std::uint64_t per_row_;
};

/// Asks about each block: the plain way, and the way to locate what a faster one has smelt.
void scan_blocks(const StoredTensor& tensor, std::uint64_t begin, std::uint64_t end, Scan& scan) {
  const Blocks blocks(tensor);
  for (std::uint64_t block = begin; block < end; ++block) {
    const char* reason = blocks.defect(tensor.bytes.data(), block);
    if (reason == nullptr) continue;
    if (scan.n_bad++ == 0) {
      scan.first_block = block;
      scan.reason = reason;
    }
  }
}

/// Formats of one byte a number: 256 answers, asked for once.
void scan_bytes(const StoredTensor& tensor, std::uint64_t begin, std::uint64_t end, Scan& scan) {
  std::array<std::uint8_t, 256> bad{};
  for (unsigned value = 0; value < 256; ++value) {
    const auto byte = static_cast<std::uint8_t>(value);
    bad[value] = tensor.format->defect(&byte) != nullptr;
  }
  std::uint64_t n_bad = 0;
  for (std::uint64_t i = begin; i < end; ++i) n_bad += bad[tensor.bytes[i]];
  if (n_bad != 0) scan_blocks(tensor, begin, end, scan);
}

/// Wider plain formats: what is bad in them decodes to NaN or infinity (a test holds all of them to that),
/// and those are found at the speed of memory.
void scan_numbers(const StoredTensor& tensor, std::uint64_t begin, std::uint64_t end, Scan& scan) {
  const Format& format = *tensor.format;
  std::array<float, kChunk> numbers;
  for (std::uint64_t first = begin; first < end; first += kChunk) {
    const std::uint64_t n = std::min<std::uint64_t>(kChunk, end - first);
    format.decode(tensor.bytes.data() + first * format.block_bytes, numbers.data(), n);
    if (any_non_finite(numbers.data(), n)) scan_blocks(tensor, first, first + n, scan);
  }
}

struct Piece {
  std::size_t tensor;
  std::uint64_t begin;  // blocks
  std::uint64_t end;
};

std::vector<Piece> cut(const Container& container) {
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < container.tensors.size(); ++i) {
    const StoredTensor& tensor = container.tensors[i];
    if (tensor.format->defect == nullptr && tensor.format->header_defect == nullptr) continue;
    const std::uint64_t n_blocks = Blocks(tensor).count(tensor.bytes.size());
    const std::uint64_t step = std::max<std::uint64_t>(kPieceBytes / tensor.format->block_bytes, 1);
    for (std::uint64_t begin = 0; begin < n_blocks; begin += step)
      pieces.push_back({i, begin, std::min(n_blocks, begin + step)});
  }
  return pieces;
}

Scan scan_piece(const StoredTensor& tensor, const Piece& piece) {
  Scan scan;
  const Format& format = *tensor.format;
  const auto how = !format.plain() ? scan_blocks : format.block_bytes == 1 ? scan_bytes : scan_numbers;
  how(tensor, piece.begin, piece.end, scan);
  const Blocks blocks(tensor);
  const std::uint64_t first = blocks.offset(piece.begin);
  if (tensor.file) tensor.file->release(tensor.bytes.subspan(first, blocks.offset(piece.end - 1) - first));
  return scan;
}

TensorDefects first_entry(const StoredTensor& tensor, const Scan& scan) {
  TensorDefects out;
  out.tensor = tensor.name;
  out.format = tensor.format;
  const Blocks blocks(tensor);
  out.n_blocks = blocks.count(tensor.bytes.size());
  out.first_block = scan.first_block;
  out.first_offset = blocks.offset(scan.first_block);
  if (tensor.file) {
    out.file = tensor.file->path().string();
    out.first_offset += static_cast<std::uint64_t>(tensor.bytes.data() - tensor.file->bytes().data());
  }
  out.reason = scan.reason;
  return out;
}

}  // namespace

Result<std::vector<TensorDefects>> find_defects(const Container& container, ThreadPool& pool,
                                                Progress& progress) {
  const std::vector<Piece> pieces = cut(container);
  std::vector<Scan> scans(pieces.size());
  std::atomic<std::uint64_t> n_done{0};
  std::atomic<bool> stop{false};
  progress.start("verify", pieces.size(), "MiB");
  pool.parallel_for(pieces.size(), 1, [&](std::size_t begin, std::size_t end, unsigned worker) {
    for (std::size_t i = begin; i < end && !stop; ++i) {
      const StoredTensor& tensor = container.tensors[pieces[i].tensor];
      scans[i] = scan_piece(tensor, pieces[i]);
      const std::uint64_t done = ++n_done;
      if (worker != 0) continue;
      progress.advance(done, tensor.name);
      if (progress.cancelled()) stop = true;
    }
  });
  progress.finish();
  if (stop)
    return fail(ErrorKind::cancelled, container.path.string(), "stopped before all tensors were seen");
  std::vector<TensorDefects> out;
  std::size_t last = container.tensors.size();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (scans[i].n_bad == 0) continue;
    if (pieces[i].tensor != last) out.push_back(first_entry(container.tensors[pieces[i].tensor], scans[i]));
    last = pieces[i].tensor;
    out.back().n_bad += scans[i].n_bad;
  }
  return out;
}

}  // namespace kerf
