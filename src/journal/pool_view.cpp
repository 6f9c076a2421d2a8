#include "journal/pool_view.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "base/crc32c.hpp"
#include "journal/pool_mapping.hpp"
#include "journal/pool_totals.hpp"

namespace arca::journal {

namespace {

using layout::ChunkState;
using layout::Committed;
using layout::RangeState;

constexpr int looks_max = 20;  // at what a live writer changes meanwhile

// Reads [offset, offset + size) or as much as there is.
std::vector<std::byte> read_part(int descriptor, std::uint64_t offset, std::uint64_t size) {
  std::vector<std::byte> bytes(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = pread(descriptor, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

// A copy of header and table in aligned memory of our own.
struct Image {
  std::vector<std::max_align_t> memory;
  layout::Header* header = nullptr;
  layout::ChunkEntry* table = nullptr;
};

bool read_image(int descriptor, const layout::Geometry& geometry, Image& image) {
  const std::uint64_t size = geometry.data_offset();
  image.memory.resize(size / sizeof(std::max_align_t) + 8);
  auto* base = reinterpret_cast<std::byte*>(image.memory.data());
  base += (64 - reinterpret_cast<std::uintptr_t>(base) % 64) % 64;
  const std::vector<std::byte> bytes = read_part(descriptor, 0, size);
  if (bytes.size() != size) return false;
  std::memcpy(base, bytes.data(), size);
  image.header = reinterpret_cast<layout::Header*>(base);
  image.table = reinterpret_cast<layout::ChunkEntry*>(base + geometry.table_offset());
  return true;
}

std::uint64_t read_epoch(int descriptor) {
  std::uint64_t epoch = 0;
  const auto offset = static_cast<off_t>(offsetof(layout::Header, epoch));
  return pread(descriptor, &epoch, sizeof epoch, offset) == sizeof epoch ? epoch : 1;
}

// What the process said of itself; nothing if it says something else all the time. A version that is even, and the same
// behind the text as before it, makes the text whole.
std::string read_status(int descriptor) {
  alignas(layout::StatusPage) std::array<std::byte, sizeof(layout::StatusPage)> bytes{};
  const auto read = [&](std::size_t size) {
    const ssize_t count = pread(descriptor, bytes.data(), size, static_cast<off_t>(layout::page_size));
    return count == static_cast<ssize_t>(size);
  };
  const auto* const page = reinterpret_cast<const layout::StatusPage*>(bytes.data());
  for (int attempt = 0; attempt < looks_max && read(sizeof(layout::StatusPage)); ++attempt) {
    const auto version = page->version.load(std::memory_order_relaxed);
    if (version % 2 != 0 || page->size > page->text.size()) continue;
    std::string text(page->text.data(), page->size);
    if (read(sizeof page->version) && page->version.load(std::memory_order_relaxed) == version) return text;
  }
  return {};
}

void add_ranges(const layout::ChunkEntry& entry, std::uint32_t index, const PoolTotals& totals, ChunkInfo& chunk,
                PoolInfo& info) {
  std::uint64_t waiting = entry.sealed_items <= chunk.committed.items ? chunk.committed.items - entry.sealed_items : 0;
  std::uint64_t bytes = entry.sealed_bytes <= chunk.committed.bytes ? chunk.committed.bytes - entry.sealed_bytes : 0;
  for (std::uint32_t slot = 0; slot < layout::ranges_per_chunk; ++slot) {
    const layout::Range& range = entry.ranges[slot];
    const RangeState state = range.state.load(std::memory_order_relaxed);
    if (state == RangeState::free) continue;
    if (range.end > chunk.committed.bytes || range.begin > range.end || range.item_begin > range.item_end) {
      info.damage.push_back(fmt::format("chunk {}: range {} lies outside what is committed", index, slot));
      continue;
    }
    const std::uint32_t items = range.item_end - range.item_begin;
    chunk.ranges.push_back(
        {range.sequence, state, range.begin, range.end, items, range.context_begin, range.sealed_at_ns});
    // A verdict that is not counted yet still belongs to what is in memory.
    if (layout::is_verdict(state) && totals.is_folded(range, index, slot)) continue;
    waiting += items;
    bytes += range.end - range.begin;
    info.oldest_sealed_at_ns = std::min(info.oldest_sealed_at_ns.value_or(range.sealed_at_ns), range.sealed_at_ns);
  }
  info.in_memory[model::index_of(chunk.signal)] += waiting;
  info.bytes_in_memory += bytes;
}

void add_chunk(const layout::Geometry& geometry, const layout::ChunkEntry& entry, std::uint32_t index,
               const PoolTotals& totals, PoolInfo& info) {
  const ChunkState state = entry.state.load(std::memory_order_relaxed);
  if (state == ChunkState::free || totals.is_recycled(entry, index)) return;
  ChunkInfo chunk;
  chunk.index = index;
  chunk.state = state;
  chunk.capacity = geometry.chunk_size(index);
  chunk.committed = Committed::unpack(entry.committed.load(std::memory_order_relaxed));
  if (entry.signal >= model::signal_count || chunk.committed.bytes > chunk.capacity) {
    info.damage.push_back(fmt::format("chunk {}: its entry makes no sense (signal {}, {} of {} bytes committed)", index,
                                      entry.signal, chunk.committed.bytes, chunk.capacity));
    return;
  }
  chunk.signal = static_cast<model::Signal>(entry.signal);
  chunk.sealed_bytes = entry.sealed_bytes;
  chunk.sealed_items = entry.sealed_items;
  chunk.sealed_context = entry.sealed_context;
  chunk.owner_thread = entry.owner_thread;
  chunk.open_order = entry.open_order;
  info.totals[entry.signal].accepted += chunk.committed.items;
  add_ranges(entry, index, totals, chunk, info);
  info.chunks.push_back(std::move(chunk));
}

PoolInfo describe(const layout::Geometry& geometry, Image& image) {
  PoolInfo info;
  layout::Header& header = *image.header;
  const PoolTotals totals(header);
  info.writer = header.writer;
  info.created_at_ns = header.created_at_ns;
  info.process_id = header.process_id;
  info.file_size = header.file_size;
  info.next_sequence = header.next_sequence.load(std::memory_order_relaxed);
  info.small_count = header.small_count;
  info.large_count = header.large_count;
  info.totals = totals.current().totals;
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    const std::uint64_t direct = header.direct[i].load(std::memory_order_relaxed);
    info.totals[i].accepted += direct;
    info.totals[i].journaled += direct;
    info.totals[i].refused += header.refused[i].load(std::memory_order_relaxed);
  }
  for (std::uint32_t chunk = 0; chunk < geometry.chunk_count(); ++chunk) {
    add_chunk(geometry, image.table[chunk], chunk, totals, info);
  }
  return info;
}

}  // namespace

bool PoolInfo::has(const ChunkInfo& chunk) const noexcept {
  return std::any_of(chunks.begin(), chunks.end(), [&](const ChunkInfo& each) {
    return each.index == chunk.index && each.open_order == chunk.open_order;
  });
}

PoolView::PoolView(int descriptor, std::string path, layout::Geometry geometry) noexcept
    : descriptor_(descriptor), path_(std::move(path)), geometry_(geometry) {}
PoolView::PoolView(PoolView&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)), geometry_(other.geometry_) {}
PoolView::~PoolView() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<PoolView> PoolView::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    const ErrorCode code = errno == ENOENT ? ErrorCode::not_found : ErrorCode::io;
    return failure(code, fmt::format("open the pool file {}: {}", path, std::strerror(errno)));
  }
  PoolView view(descriptor, path, {});
  struct stat status {};
  alignas(layout::Header) std::array<std::byte, sizeof(layout::Header)> bytes{};
  const bool readable = fstat(descriptor, &status) == 0 &&
                        pread(descriptor, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  if (!readable) return failure(ErrorCode::corrupt, fmt::format("{} is too short to be a pool file", path));
  const auto geometry = check_header(*reinterpret_cast<const layout::Header*>(bytes.data()),
                                     static_cast<std::uint64_t>(status.st_size), path);
  if (!geometry) return failure(geometry.error());
  view.geometry_ = *geometry;
  return view;
}

Result<PoolInfo> PoolView::read() const {
  Image image;
  bool consistent = false;
  for (int attempt = 0; attempt < looks_max && !consistent; ++attempt) {
    const std::uint64_t before = read_epoch(descriptor_);
    if (!read_image(descriptor_, geometry_, image)) {
      return failure(ErrorCode::corrupt, fmt::format("{} is shorter than its header says", path_));
    }
    consistent = before % 2 == 0 && read_epoch(descriptor_) == before;
  }
  PoolInfo info = describe(geometry_, image);
  info.status_json = read_status(descriptor_);
  info.consistent = consistent;
  return info;
}

std::vector<std::byte> PoolView::chunk_bytes(const ChunkInfo& chunk) const {
  if (chunk.index >= geometry_.chunk_count()) return {};
  return read_part(descriptor_, geometry_.chunk_offset(chunk.index), std::min(chunk.committed.bytes, chunk.capacity));
}

std::vector<PoolView::Context> PoolView::contexts() const {
  const std::vector<std::byte> region = read_part(descriptor_, geometry_.context_offset(), layout::context_region_size);
  const std::vector<std::byte> word = read_part(descriptor_, offsetof(layout::Header, context_used), 8);
  const std::uint64_t used =
      word.size() == 8 ? std::min<std::uint64_t>(base::load<std::uint64_t>(word.data()), region.size()) : 0;
  std::vector<Context> contexts;
  std::uint64_t at = 0;
  while (used - at >= sizeof(layout::ContextEntry)) {
    const auto entry = base::load<layout::ContextEntry>(region.data() + at);
    const std::uint64_t body = std::uint64_t{entry.resource_size} + entry.scope_size;
    if (body > used - at - sizeof entry) break;
    const std::byte* bytes = region.data() + at + sizeof entry;
    contexts.push_back({{bytes, bytes + entry.resource_size}, {bytes + entry.resource_size, bytes + body}});
    at += sizeof entry + (body + 7) / 8 * 8;
  }
  return contexts;
}

}  // namespace arca::journal
