// FakeTransport: answers as scripted, at once or when the test says so; remembers what was sent.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "net/transport.hpp"

namespace arca::fakes {

// Thread-safe.
class FakeTransport final : public net::Transport {
 public:
  struct Sent {
    std::vector<std::byte> bytes;
    std::vector<std::pair<std::string, std::string>> headers;
    base::Duration timeout{};
  };

  // Decides from the payload; without a script requests wait for answer_next.
  std::function<net::Response(const std::vector<std::byte>&)> script;

  void send(model::Payload payload, std::vector<std::pair<std::string, std::string>> extra_headers,
            base::Duration timeout, std::function<void(net::Response)> done) noexcept override {
    const std::vector<std::byte> bytes = payload.flatten();
    {
      const std::scoped_lock lock(mutex_);
      sent_.push_back({bytes, std::move(extra_headers), timeout});
      if (!script) {
        waiting_.push_back(std::move(done));
        return;
      }
    }
    done(script(bytes));
  }
  void cancel_all() noexcept override {
    while (answer_next({})) {
    }
  }
  void close() noexcept override { cancel_all(); }
  // Answers the oldest waiting request; false if there is none.
  bool answer_next(net::Response response) {
    std::function<void(net::Response)> done;
    {
      const std::scoped_lock lock(mutex_);
      if (waiting_.empty()) return false;
      done = std::move(waiting_.front());
      waiting_.pop_front();
    }
    done(std::move(response));
    return true;
  }
  [[nodiscard]] std::vector<Sent> sent() const {
    const std::scoped_lock lock(mutex_);
    return sent_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Sent> sent_;
  std::deque<std::function<void(net::Response)>> waiting_;
};

}  // namespace arca::fakes
