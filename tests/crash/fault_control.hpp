// What the fault tests and the writer that they torment share: what to do next, what was accepted, and exactly which
// records were refused. Lives in a file, so it survives the writer.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "crash/oracle_file.hpp"

namespace arca::crash {

// One request at a time; the writer sets it back to none when it is done.
enum class Request : std::uint32_t {
  none,
  take_all_descriptors,  // opens files until the process may open no more
  give_descriptors_back,
  limit_file_size,  // RLIMIT_FSIZE to `argument` bytes
  shut_down,        // and ends with exit code 0
};

inline constexpr std::uint64_t sequence_max = 1U << 20U;

// Thread-safe: written by one process, read by another. One thread records spans (0), one log records (1).
struct FaultStream {
  std::atomic<std::uint64_t> recorded;  // End() or EmitLogRecord() has returned for 0 .. recorded - 1
  std::atomic<std::uint64_t> refused;   // of those, counted by status() as refused
  std::array<std::atomic<std::uint64_t>, sequence_max / 64> refused_bits;

  void refuse(std::uint64_t sequence) noexcept {
    refused_bits[sequence / 64].fetch_or(std::uint64_t{1} << (sequence % 64));
    refused.fetch_add(1);
  }
  [[nodiscard]] bool is_refused(std::uint64_t sequence) const noexcept {
    return (refused_bits[sequence / 64].load() >> (sequence % 64) & 1U) != 0;
  }
};

struct FaultControl {
  std::atomic<std::uint32_t> started;
  std::atomic<std::uint64_t> wanted;        // records of each stream; the writer goes on when it grows
  std::atomic<std::uint64_t> refusals_max;  // a stream rests once this many were refused
  std::atomic<Request> request;
  std::atomic<std::uint64_t> argument;
  std::array<FaultStream, 2> streams;
  // As status() has them, written down every few milliseconds: spans and log records together.
  std::atomic<std::uint64_t> status_number, accepted, delivered, refused, lost, kept, holds;
};

using FaultFile = SharedFile<FaultControl>;

}  // namespace arca::crash
