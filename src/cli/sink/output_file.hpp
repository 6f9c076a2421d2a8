// Files that the sink writes for others to read: the report and the ready line (whole or not at all), and the
// requests it took (appended, bounded). Used by SinkServer.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "arca/result.hpp"
#include "base/bytes.hpp"
#include "model/signal.hpp"

namespace arca::cli::sink {

// Replaces the file at once: a reader sees the old text or the new one, never a part.
Result<void> write_atomically(const std::string& path, std::string_view text);

// Appends taken requests, each as: length in bytes (4 bytes, little-endian), signal (1 byte), the request.
// Stops, and counts, when the file has reached its limit. Not thread-safe.
class RequestLog {
 public:
  static Result<std::unique_ptr<RequestLog>> open(const std::string& path, std::uint64_t size_max);
  ~RequestLog();
  RequestLog(const RequestLog&) = delete;
  RequestLog& operator=(const RequestLog&) = delete;

  void append(model::Signal signal, base::Bytes request);
  void flush();
  [[nodiscard]] std::uint64_t skipped_count() const noexcept { return skipped_count_; }

 private:
  RequestLog(std::FILE* file, std::uint64_t size_max) noexcept : file_(file), size_left_(size_max) {}
  std::FILE* file_;
  std::uint64_t size_left_;
  std::uint64_t skipped_count_ = 0;
};

}  // namespace arca::cli::sink
