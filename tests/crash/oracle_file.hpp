// What a writer that will be killed had been promised: per stream, how many records End() or EmitLogRecord() had
// returned for. The numbers live in a shared file, so they survive the writer to the last one.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>

namespace arca::crash {

inline constexpr std::size_t stream_count_max = 64;

struct Promises {
  std::atomic<std::uint64_t> started;      // 1 once the writer is at work
  std::atomic<std::uint64_t> point_count;  // how often the armed crash point was passed
  std::array<std::atomic<std::uint64_t>, stream_count_max> accepted;
  // What status() last said, of a writer that publishes it: items in Cassandra, and items that a loss of the host
  // takes.
  std::atomic<std::uint64_t> status_number, parked, unreplicated, rows_pending, law_holds;
};

// One object in a file, shared by all processes that map it; all bytes are zero at first. It survives who writes it.
template <class Shared>
class SharedFile {
 public:
  explicit SharedFile(const std::string& path) {
    const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0 || ftruncate(descriptor, sizeof(Shared)) != 0) throw std::runtime_error("cannot make " + path);
    memory_ = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (memory_ == MAP_FAILED) throw std::runtime_error("cannot map " + path);
  }
  ~SharedFile() { munmap(memory_, sizeof(Shared)); }
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;

  Shared& operator*() const noexcept { return *static_cast<Shared*>(memory_); }
  Shared* operator->() const noexcept { return static_cast<Shared*>(memory_); }

 private:
  void* memory_;
};

using OracleFile = SharedFile<Promises>;

}  // namespace arca::crash
