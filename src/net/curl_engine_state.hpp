// The inside of CurlEngine: its queue, its thread, its sockets. Only curl_engine*.cpp include this.
#pragma once

#include <curl/curl.h>

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/curl_engine.hpp"
#include "net/curl_exchange.hpp"
#include "net/tls_end.hpp"
#include "os/fork.hpp"

namespace arca::net {

// Thread-safe: start, cancel_all, stop. Everything else runs on the engine's thread.
class CurlEngine::State final : public os::ForkSubscriber, public TlsUser {
 public:
  State(EngineOptions options, os::Clock& clock);
  ~State() override;

  [[nodiscard]] bool is_inherited() const noexcept { return os::fork_generation() != born_in_; }
  void start(EngineRequest request, Done done) noexcept;
  void cancel_all() noexcept;
  void stop() noexcept;

  // A fork waits until the engine's thread is outside libcurl: below it lie locks (of libcurl's initialisation, of
  // OpenSSL) that would stay taken in the child for ever. The child closes its copies of the sockets, so that
  // the peer sees when the parent closes; nothing is written to them. An engine that the forking process itself has
  // inherited takes no part.
  void prepare_fork() noexcept override;
  void after_fork_in_parent() noexcept override;
  void after_fork_in_child() noexcept override;

  void end_tls() noexcept override;

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
  bool work();        // the part of a step under step_mutex_; whether there is reason to wait afterwards
  bool take_inbox();  // whether the engine is to stop
  void admit_waiting();
  [[nodiscard]] bool may_admit() const noexcept;
  void count_request() noexcept;
  void begin(std::unique_ptr<Exchange> exchange);
  void collect_finished();
  void end_overdue();
  void end_all(std::string_view why);
  void finish(std::size_t index, CURLcode code, std::string_view why);
  static void deliver(std::unique_ptr<Exchange> exchange) noexcept;
  void drop_connections() noexcept;
  [[nodiscard]] int wait_ms() const noexcept;
  [[nodiscard]] std::size_t index_of(const CURL* easy) const noexcept;

  const EngineOptions options_;
  os::Clock& clock_;
  const std::uint64_t born_in_;
  const bool gate_first_connection_;  // see admit_waiting
  const bool renew_connections_;      // see count_request

  std::mutex step_mutex_;  // held by the engine's thread inside libcurl, but not while it waits or calls back
  std::mutex mutex_;       // taken after step_mutex_
  Inbox inbox_;
  CURLM* multi_ = nullptr;

  // The engine's thread only.
  std::vector<std::unique_ptr<Exchange>> active_;
  std::vector<std::unique_ptr<Exchange>> finished_;  // to be called back outside the locks
  std::deque<std::unique_ptr<Exchange>> waiting_;
  const Exchange* opener_ = nullptr;  // the exchange that opens the connection for all
  base::SteadyTime last_progress_at_{};
  int connection_request_count_ = 0;  // at least what the present connection has carried; 0 without renewal

  static constexpr std::size_t sockets_max = 64;
  std::array<curl_socket_t, sockets_max> sockets_;
  std::size_t open_socket_count_ = 0;

  std::jthread thread_;  // last: dies first
};

}  // namespace arca::net
