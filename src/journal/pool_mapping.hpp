// PoolMapping: a pool file in memory. Creates it so that no store can ever meet a missing block (every part is
// allocated before it is touched), grows it step by step, and maps the file of a dead writer. Used by Pool.
#pragma once

#include <memory>
#include <string>

#include "arca/result.hpp"
#include "base/bytes.hpp"
#include "journal/pool_layout.hpp"
#include "model/chunk.hpp"
#include "os/lock_file.hpp"

namespace arca::journal {

// Not thread-safe, but the accessors of parts are; growing is serialised by Pool.
class PoolMapping {
 public:
  // Takes the lock of the file, which tells a live pool from a dead one whatever happened to its writer's directory.
  // Fails with ErrorCode::full when the file system cannot give header, table and `size_initial` bytes of chunks.
  static Result<std::unique_ptr<PoolMapping>> create(const std::string& path, model::WriterId writer,
                                                     layout::Geometry geometry, std::int64_t created_at_ns);
  // Maps an existing file after checking everything that later accesses rely on; ErrorCode::busy if somebody has it.
  static Result<std::unique_ptr<PoolMapping>> map_existing(const std::string& path);
  ~PoolMapping();
  PoolMapping(const PoolMapping&) = delete;
  PoolMapping& operator=(const PoolMapping&) = delete;

  [[nodiscard]] layout::Header& header() const noexcept { return *reinterpret_cast<layout::Header*>(base_); }
  [[nodiscard]] layout::StatusPage& status_page() const noexcept {
    return *reinterpret_cast<layout::StatusPage*>(base_ + layout::page_size);
  }
  [[nodiscard]] layout::ChunkEntry& entry(std::uint32_t chunk) const noexcept { return table_[chunk]; }
  [[nodiscard]] std::byte* chunk_data(std::uint32_t chunk) const noexcept {
    return base_ + geometry_.chunk_offset(chunk);
  }
  [[nodiscard]] base::MutableBytes context_region() const noexcept {
    return {base_ + geometry_.context_offset(), layout::context_region_size};
  }
  [[nodiscard]] const layout::Geometry& geometry() const noexcept { return geometry_; }

  // Nobody writes any more: others may take the file, although payloads may still point into the mapping.
  void unlock() noexcept { lock_.reset(); }

  // Allocates and pre-faults the data of one chunk, off the hot path. False when the file system is full.
  bool allocate_chunks(std::uint32_t first, std::uint32_t count) noexcept;

 private:
  PoolMapping(int descriptor, std::byte* base, std::uint64_t size, layout::Geometry geometry,
              std::unique_ptr<os::LockFile> lock) noexcept;
  bool allocate_range(std::uint64_t offset, std::uint64_t size) noexcept;

  int descriptor_;
  std::byte* base_;
  std::uint64_t size_;
  layout::Geometry geometry_;
  layout::ChunkEntry* table_;
  std::uint64_t fork_generation_;
  std::unique_ptr<os::LockFile> lock_;
};

// The checksum that protects the part of the header that is written once.
std::uint32_t header_crc(const layout::Header& header) noexcept;
// Whether a header is one of ours and describes a file of `file_size` bytes; a Result that says what is wrong.
Result<layout::Geometry> check_header(const layout::Header& header, std::uint64_t file_size, const std::string& path);

}  // namespace arca::journal
