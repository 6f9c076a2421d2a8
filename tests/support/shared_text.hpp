// What a command says, to be read while it runs.
#pragma once

#include <mutex>
#include <streambuf>
#include <string>

namespace arca::support {

// A stream buffer that one thread fills while another reads what is there. Thread-safe.
class SharedText final : public std::streambuf {
 public:
  [[nodiscard]] std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  int overflow(int c) override {
    const std::lock_guard lock(mutex_);
    text_.push_back(static_cast<char>(c));
    return c;
  }
  std::streamsize xsputn(const char* from, std::streamsize size) override {
    const std::lock_guard lock(mutex_);
    text_.append(from, static_cast<std::size_t>(size));
    return size;
  }
  mutable std::mutex mutex_;
  std::string text_;
};

}  // namespace arca::support
