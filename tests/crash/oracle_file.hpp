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
};

class OracleFile {
 public:
  explicit OracleFile(const std::string& path) {
    const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0 || ftruncate(descriptor, sizeof(Promises)) != 0) throw std::runtime_error("cannot make " + path);
    memory_ = mmap(nullptr, sizeof(Promises), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (memory_ == MAP_FAILED) throw std::runtime_error("cannot map " + path);
  }
  ~OracleFile() { munmap(memory_, sizeof(Promises)); }
  OracleFile(const OracleFile&) = delete;
  OracleFile& operator=(const OracleFile&) = delete;

  Promises& operator*() const noexcept { return *static_cast<Promises*>(memory_); }
  Promises* operator->() const noexcept { return static_cast<Promises*>(memory_); }

 private:
  void* memory_;
};

}  // namespace arca::crash
