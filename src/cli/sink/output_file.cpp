#include "cli/sink/output_file.hpp"

#include <array>
#include <cerrno>
#include <cstring>

namespace arca::cli::sink {

namespace {
tl::unexpected<Error> io_failure(const std::string& path) {
  return failure(ErrorCode::io, path + ": " + std::strerror(errno));
}
}  // namespace

Result<void> write_atomically(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  std::FILE* const file = std::fopen(temporary.c_str(), "we");
  if (file == nullptr) return io_failure(temporary);
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) return io_failure(temporary);
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return io_failure(path);
  return {};
}

Result<std::unique_ptr<RequestLog>> RequestLog::open(const std::string& path, std::uint64_t size_max) {
  std::FILE* const file = std::fopen(path.c_str(), "ae");
  if (file == nullptr) return io_failure(path);
  return std::unique_ptr<RequestLog>(new RequestLog(file, size_max));
}

RequestLog::~RequestLog() { std::fclose(file_); }

void RequestLog::append(model::Signal signal, base::Bytes request) {
  std::array<std::byte, 5> head{};
  base::store(head.data(), static_cast<std::uint32_t>(request.size()));
  head[4] = static_cast<std::byte>(signal);
  if (head.size() + request.size() > size_left_) {
    ++skipped_count_;
    return;
  }
  size_left_ -= head.size() + request.size();
  if (std::fwrite(head.data(), 1, head.size(), file_) != head.size() ||
      std::fwrite(request.data(), 1, request.size(), file_) != request.size() || std::fflush(file_) != 0) {
    ++skipped_count_;
    size_left_ = 0;  // the file ends in a part now; nothing may follow it
  }
}

void RequestLog::flush() { std::fflush(file_); }

}  // namespace arca::cli::sink
