// Collects what a transport answers, so that a test can wait for it with a deadline.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "net/transport.hpp"

namespace arca::fakes {

// Thread-safe. The callbacks may outlive this object.
class Answers {
 public:
  [[nodiscard]] std::function<void(net::Response)> take() {
    return [shared = shared_](net::Response response) {
      const std::scoped_lock lock(shared->mutex);
      shared->responses.push_back(std::move(response));
      shared->changed.notify_all();
    };
  }
  // All that came, at least `count` unless `patience` ran out.
  std::vector<net::Response> wait(std::size_t count, std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait_for(lock, patience, [&] { return shared_->responses.size() >= count; });
    return shared_->responses;
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<net::Response> responses;
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

// Sends one request and waits for its answer.
inline net::Response ask(net::Transport& transport, model::Payload payload,
                         std::chrono::milliseconds timeout = std::chrono::seconds(10),
                         std::vector<std::pair<std::string, std::string>> headers = {}) {
  Answers answers;
  transport.send(std::move(payload), std::move(headers), timeout, answers.take());
  auto all = answers.wait(1, timeout + std::chrono::seconds(10));
  if (all.size() == 1) return std::move(all.front());
  net::Response none;
  none.message = "the transport never answered";
  return none;
}

}  // namespace arca::fakes
