#include "journal/pool_mapping.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "base/crc32c.hpp"
#include "os/file_system.hpp"
#include "os/fork.hpp"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace arca::journal {

namespace {

auto io_failure(const std::string& what, const std::string& path) {
  const ErrorCode code = errno == ENOSPC || errno == EDQUOT ? ErrorCode::full : ErrorCode::io;
  return failure(code, fmt::format("{} {}: {}", what, path, std::strerror(errno)));
}

// False when there is no room. tmpfs gives up at any signal that arrives meanwhile, and a host with a profiler gets a
// thousand a second.
bool allocate_blocks(int descriptor, std::uint64_t offset, std::uint64_t size) noexcept {
  for (int turn = 0; turn < 100; ++turn) {
    if (fallocate(descriptor, 0, static_cast<off_t>(offset), static_cast<off_t>(size)) == 0) return true;
    if (errno != EINTR) return false;
  }
  return false;
}

// False when a store there would be SIGBUS although the blocks are allocated: file systems that copy on write may need
// new ones even so.
bool prefault(std::byte* begin, std::uint64_t size) noexcept {
  if (madvise(begin, size, MADV_POPULATE_WRITE) == 0) return true;
  if (errno == EINTR || errno == EAGAIN) return true;  // the pages will come with the first stores
  if (errno != EINVAL) return false;
  for (std::uint64_t at = 0; at < size; at += layout::page_size) {  // kernels before 5.14
    auto* byte = reinterpret_cast<volatile std::byte*>(begin + at);
    *byte = *byte;
  }
  return true;
}

// Maps the whole file; the child of a fork must not share it, or two processes would write one chunk.
std::byte* map_file(int descriptor, std::uint64_t size) noexcept {
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (base == MAP_FAILED) return nullptr;
  madvise(base, size, MADV_DONTFORK);
  madvise(base, size, MADV_DONTDUMP);
  return static_cast<std::byte*>(base);
}

}  // namespace

PoolMapping::PoolMapping(int descriptor, std::byte* base, std::uint64_t size, layout::Geometry geometry,
                         std::unique_ptr<os::LockFile> lock) noexcept
    : descriptor_(descriptor),
      base_(base),
      size_(size),
      geometry_(geometry),
      table_(reinterpret_cast<layout::ChunkEntry*>(base + geometry.table_offset())),
      fork_generation_(os::fork_generation()),
      lock_(std::move(lock)) {}

PoolMapping::~PoolMapping() {
  // In a forked child the range is not ours any more: something else may live at these addresses.
  if (fork_generation_ == os::fork_generation()) munmap(base_, size_);
  close(descriptor_);
}

Result<std::unique_ptr<PoolMapping>> PoolMapping::create(const std::string& path, model::WriterId writer,
                                                         layout::Geometry geometry, std::int64_t created_at_ns) {
  const std::uint64_t size = geometry.file_size();
  if (size > os::file_size_limit()) {
    return failure(ErrorCode::full, fmt::format("the pool file needs {} bytes, more than this process may give a file "
                                                "(ulimit -f); choose a smaller pool size or raise the limit",
                                                size));
  }
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return io_failure("create the pool file", path);
  const auto give_up = [&](const char* what) {
    auto error = io_failure(what, path);
    close(descriptor);
    unlink(path.c_str());
    return error;
  };
  Result<std::unique_ptr<os::LockFile>> lock = os::LockFile::acquire_existing(path);
  if (!lock) {
    give_up("lock");
    return failure(lock.error());
  }
  if (ftruncate(descriptor, static_cast<off_t>(size)) != 0) return give_up("set the size of the pool file");
  // Blocks first, mapping afterwards: a store to a page without a block would be SIGBUS.
  if (!allocate_blocks(descriptor, 0, geometry.data_offset())) {
    return give_up("allocate the header of the pool file");
  }
  std::byte* base = map_file(descriptor, size);
  if (base == nullptr) return give_up("map the pool file");
  if (!prefault(base, geometry.data_offset())) {
    errno = ENOSPC;
    auto error = give_up("fill the header of the pool file");
    munmap(base, size);
    return error;
  }

  auto* header = new (base) layout::Header{};
  header->magic = layout::magic;
  header->format_version = layout::format_version;
  header->encoder_version = layout::encoder_version;
  header->writer = writer.value;
  header->created_at_ns = created_at_ns;
  header->process_id = getpid();
  header->file_size = size;
  header->context_offset = geometry.context_offset();
  header->context_size = layout::context_region_size;
  header->table_offset = geometry.table_offset();
  header->data_offset = geometry.data_offset();
  header->small_count = geometry.small_count;
  header->large_count = geometry.large_count;
  header->small_size = layout::small_chunk_size;
  header->large_size = layout::large_chunk_size;
  header->crc = header_crc(*header);
  header->next_sequence.store(1, std::memory_order_release);
  return std::unique_ptr<PoolMapping>(new PoolMapping(descriptor, base, size, geometry, std::move(*lock)));
}

Result<std::unique_ptr<PoolMapping>> PoolMapping::map_existing(const std::string& path) {
  Result<std::unique_ptr<os::LockFile>> lock = os::LockFile::acquire_existing(path);
  if (!lock) return failure(lock.error());
  const int descriptor = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) {
    if (errno == ENOENT) return failure(ErrorCode::not_found, fmt::format("there is no pool file {}", path));
    return io_failure("open the pool file", path);
  }
  struct stat status {};
  alignas(layout::Header) std::array<std::byte, sizeof(layout::Header)> bytes{};
  const bool readable = fstat(descriptor, &status) == 0 &&
                        pread(descriptor, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  if (!readable) {
    close(descriptor);
    return failure(ErrorCode::corrupt, fmt::format("{} is too short to be a pool file", path));
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const auto geometry = check_header(*reinterpret_cast<const layout::Header*>(bytes.data()), size, path);
  if (!geometry) {
    close(descriptor);
    return failure(geometry.error());
  }
  std::byte* base = map_file(descriptor, size);
  if (base == nullptr) {
    auto error = io_failure("map the pool file", path);
    close(descriptor);
    return error;
  }
  return std::unique_ptr<PoolMapping>(new PoolMapping(descriptor, base, size, *geometry, std::move(*lock)));
}

bool PoolMapping::allocate_chunks(std::uint32_t first, std::uint32_t count) noexcept {
  const std::uint64_t begin = geometry_.chunk_offset(first);
  return allocate_range(begin, geometry_.chunk_offset(first + count) - begin);
}

bool PoolMapping::allocate_range(std::uint64_t offset, std::uint64_t size) noexcept {
  return allocate_blocks(descriptor_, offset, size) && prefault(base_ + offset, size);
}

std::uint32_t header_crc(const layout::Header& header) noexcept {
  return base::crc32c({reinterpret_cast<const std::byte*>(&header), offsetof(layout::Header, crc)});
}

Result<layout::Geometry> check_header(const layout::Header& header, std::uint64_t file_size, const std::string& path) {
  if (header.magic != layout::magic) {
    return failure(ErrorCode::corrupt, fmt::format("{} is not a pool file: it begins with other bytes", path));
  }
  if (header.format_version != layout::format_version || header.encoder_version != layout::encoder_version) {
    return failure(
        ErrorCode::unsupported_version,
        fmt::format("{} has pool format {}.{}, this build reads {}.{}; use the release that wrote it", path,
                    header.format_version, header.encoder_version, layout::format_version, layout::encoder_version));
  }
  if (header.crc != header_crc(header)) {
    return failure(ErrorCode::corrupt, fmt::format("{}: the checksum of the pool header is wrong", path));
  }
  const layout::Geometry geometry{header.small_count, header.large_count};
  const bool same = header.small_size == layout::small_chunk_size && header.large_size == layout::large_chunk_size &&
                    header.table_offset == geometry.table_offset() && header.data_offset == geometry.data_offset() &&
                    header.file_size == geometry.file_size() && header.context_size == layout::context_region_size;
  if (!same || file_size < header.file_size) {
    return failure(ErrorCode::corrupt, fmt::format("{} has {} bytes but its header describes {}: it was cut or damaged",
                                                   path, file_size, header.file_size));
  }
  return geometry;
}

}  // namespace arca::journal
