// The half of CurlEngine::State that other threads enter, and its sockets. The engine's own loop is in
// curl_engine_loop.cpp.
#include "net/curl_engine_state.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "os/log.hpp"
#include "os/thread.hpp"

namespace arca::net {
namespace {

// Once for the process: libcurl initialises TLS here, which is not to be done twice at a time.
bool libcurl_is_ready() noexcept {
  static const bool ready = [] {
    keep_tls_at_exit();
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  }();
  return ready;
}

// libcurl before 8.0 fails with CURLE_HTTP2 when prior knowledge is asked for on a connection that is already
// HTTP/2 (curl pull request 10643).
bool prior_knowledge_only_when_new(const EngineOptions& options) noexcept {
  return options.http2 && !options.tls && curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
}

// libcurl before 8.0 sends RST_STREAM behind every answer, because it forgets that the stream has closed already. A
// server that defends itself against "rapid reset" (CVE-2023-44487) counts them and then ends the connection by a
// GOAWAY that names an error, and the answers under way are lost.
bool resets_every_stream(const EngineOptions& options) noexcept {
  return options.http2 && curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
}

}  // namespace

CurlEngine::State::State(EngineOptions options, os::Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      born_in_(os::fork_generation()),
      gate_first_connection_(prior_knowledge_only_when_new(options_)),
      renew_connections_(resets_every_stream(options_)) {
  static_cast<void>(libcurl_is_ready());  // here, where the host starts us, rather than beside a fork later
  sockets_.fill(CURL_SOCKET_BAD);
  os::subscribe_to_fork(*this);
  if (options_.tls && !subscribe_to_tls_end(*this)) inbox_.stop = true;
}

CurlEngine::State::~State() {
  if (options_.tls) unsubscribe_from_tls_end(*this);
  {
    const std::scoped_lock inside_libcurl(step_mutex_);
    if (multi_ != nullptr) curl_multi_cleanup(multi_);
  }
  os::unsubscribe_from_fork(*this);
}

void CurlEngine::State::start(EngineRequest request, Done done) noexcept {
  std::string why;
  // Allocation comes before the arguments are evaluated: without memory `done` has not been moved from.
  std::unique_ptr<Exchange> exchange(new (std::nothrow)
                                         Exchange(std::move(request), std::move(done), clock_.steady_now()));
  if (exchange == nullptr) {  // the caller must hear of it, and the host must not end
    EngineAnswer answer;
    answer.error = "no memory";
    if (done) done(std::move(answer));  // NOLINT(bugprone-use-after-move): see above
    return;
  }
  try {
    const std::scoped_lock lock(mutex_);
    if (inbox_.stop) {
      why = "the transport is shutting down";
    } else if (ensure_thread(why)) {
      inbox_.requests.emplace_back().swap(exchange);
      curl_multi_wakeup(multi_);
    }
  } catch (const std::exception& error) {
    why = error.what();
  }
  if (exchange == nullptr) return;  // the engine has it
  exchange->answer.error = std::move(why);
  deliver(std::move(exchange));
}

bool CurlEngine::State::ensure_thread(std::string& why) {
  if (thread_.joinable()) return true;
  if (!libcurl_is_ready()) {
    why = "libcurl cannot be initialised";
    return false;
  }
  if (multi_ == nullptr) {
    multi_ = curl_multi_init();
    if (multi_ == nullptr) {
      why = "libcurl has no memory";
      return false;
    }
    // Without descriptors libcurl makes one that can never be woken: requests would lie in it for a minute.
    if (curl_multi_wakeup(multi_) != CURLM_OK) {
      curl_multi_cleanup(std::exchange(multi_, nullptr));
      why = "libcurl has no file descriptor to be woken by; raise the limit of open files";
      return false;
    }
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
    if (options_.http2) curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, 1L);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 8L);
  }
  auto thread = os::start_thread(options_.http2 ? "arca-grpc" : "arca-http", [this](const std::stop_token&) { run(); });
  if (!thread) {
    why = thread.error().message();
    return false;
  }
  thread_ = std::move(*thread);
  return true;
}

void CurlEngine::State::cancel_all() noexcept {
  const std::scoped_lock lock(mutex_);
  if (!thread_.joinable()) return;
  inbox_.cancel = true;
  curl_multi_wakeup(multi_);
}

void CurlEngine::State::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    inbox_.stop = true;
    if (!thread_.joinable()) return;
    curl_multi_wakeup(multi_);
  }
  thread_.join();
}

// The connections, too: closing one later would use what is gone.
void CurlEngine::State::end_tls() noexcept {
  if (is_inherited() || thread_.get_id() == std::this_thread::get_id()) return;
  stop();
  const std::scoped_lock inside_libcurl(step_mutex_);
  if (multi_ != nullptr) curl_multi_cleanup(std::exchange(multi_, nullptr));
}

void CurlEngine::State::deliver(std::unique_ptr<Exchange> exchange) noexcept {
  try {
    exchange->done(std::move(exchange->answer));
  } catch (const std::exception& error) {
    os::log(os::LogLevel::error, "an answer could not be handled: {}", error.what());
  }
}

curl_socket_t CurlEngine::State::open_socket(Exchange& exchange, const curl_sockaddr& address) noexcept {
  if (!exchange.may_open_connection) {
    exchange.wanted_connection = true;
    return CURL_SOCKET_BAD;
  }
  const int made = ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
  if (made < 0) return CURL_SOCKET_BAD;
  ++open_socket_count_;
  const auto free_slot = std::find(sockets_.begin(), sockets_.end(), CURL_SOCKET_BAD);
  if (free_slot != sockets_.end()) *free_slot = made;
  return made;
}

int CurlEngine::State::close_socket(curl_socket_t socket) noexcept {
  if (open_socket_count_ > 0) --open_socket_count_;
  std::replace(sockets_.begin(), sockets_.end(), socket, CURL_SOCKET_BAD);
  return ::close(socket);
}

void CurlEngine::State::prepare_fork() noexcept {
  if (is_inherited()) return;
  step_mutex_.lock();
  mutex_.lock();
}

void CurlEngine::State::after_fork_in_parent() noexcept {
  if (is_inherited()) return;
  mutex_.unlock();
  step_mutex_.unlock();
}

void CurlEngine::State::after_fork_in_child() noexcept {
  for (auto& socket : sockets_) {
    // Forgotten at once: the number may name something else when this child forks in its turn.
    if (socket != CURL_SOCKET_BAD) ::close(std::exchange(socket, CURL_SOCKET_BAD));
  }
}

void CurlEngine::State::drop_connections() noexcept {
  for (const curl_socket_t socket : sockets_)
    if (socket != CURL_SOCKET_BAD) ::shutdown(socket, SHUT_RDWR);
}

}  // namespace arca::net
