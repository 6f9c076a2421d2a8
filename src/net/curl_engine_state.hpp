// The inside of CurlEngine: its queue, its thread, its sockets. Only curl_engine*.cpp include this.
#pragma once

#include <curl/curl.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "net/curl_engine.hpp"
#include "net/curl_exchange.hpp"
#include "os/fork.hpp"

namespace arca::net {

// Thread-safe: start, cancel_all, stop. Everything else runs on the engine's thread.
class CurlEngine::State final : public os::ForkSubscriber {
 public:
  State(EngineOptions options, os::Clock& clock);
  ~State() override;

  [[nodiscard]] bool is_inherited() const noexcept { return os::fork_generation() != born_in_; }
  void start(EngineRequest request, Done done) noexcept;
  void cancel_all() noexcept;
  void stop() noexcept;

  // A forked child closes its copies of the sockets, so that the parent's close is seen by the peer. Nothing is
  // written to them. The table is atomics only, because the engine's thread may have been anywhere.
  void after_fork_in_child() noexcept override;

  // Called by libcurl, through Exchange.
  curl_socket_t open_socket(Exchange& exchange, const curl_sockaddr& address) noexcept;
  int close_socket(curl_socket_t socket) noexcept;
  void note_progress(Exchange& exchange) noexcept;
  void note_request_began(Exchange& exchange) noexcept;

 private:
  // Set by other threads; protected by mutex_.
  struct Inbox {
    std::deque<std::unique_ptr<Exchange>> requests;
    bool cancel = false;
    bool stop = false;
  };

  bool ensure_thread(std::string& why);  // requires mutex_
  void run() noexcept;
  void step();
  void take_inbox();
  void admit_waiting();
  void begin(std::unique_ptr<Exchange> exchange);
  void collect_finished();
  void end_overdue();
  void end_all(std::string_view why);
  void finish(std::size_t index, CURLcode code, std::string_view why);
  void deliver(std::unique_ptr<Exchange> exchange) noexcept;
  void drop_connections() noexcept;
  [[nodiscard]] int wait_ms() const noexcept;
  [[nodiscard]] std::size_t index_of(const CURL* easy) const noexcept;

  const EngineOptions options_;
  os::Clock& clock_;
  const std::uint64_t born_in_;
  const bool gate_first_connection_;  // see admit_waiting

  std::mutex mutex_;
  Inbox inbox_;
  CURLM* multi_ = nullptr;

  // The engine's thread only.
  std::vector<std::unique_ptr<Exchange>> active_;
  std::deque<std::unique_ptr<Exchange>> waiting_;
  const Exchange* opener_ = nullptr;  // the exchange that opens the connection for all
  base::SteadyTime last_progress_at_{};

  static constexpr std::size_t sockets_max = 64;
  std::array<std::atomic<curl_socket_t>, sockets_max> sockets_;
  std::size_t open_socket_count_ = 0;

  std::jthread thread_;  // last: dies first
};

}  // namespace arca::net
