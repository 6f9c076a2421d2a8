// The half of CurlEngine::State that runs on the engine's thread.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "net/curl_engine_state.hpp"
#include "os/log.hpp"

namespace arca::net {
namespace {

// An exchange is sent anew this often when the connection it counted on was gone before anything was sent.
constexpr int attempts_max = 4;
constexpr int idle_wait_ms = 60'000;

// Servers built on nghttp2 end a connection after 1,000 RST_STREAM (and 33 more a second), see resets_every_stream in
// curl_engine_state.cpp. Half of that, because requests that we give up send one too.
constexpr int requests_per_connection_max = 500;
// What libcurl takes for a server's limit until the server names one. Beyond it requests would wait inside libcurl,
// where one can be left without the connection that it was to join.
constexpr std::size_t streams_max = 100;

}  // namespace

void CurlEngine::State::run() noexcept {
  for (;;) {
    try {
      step();
      const std::scoped_lock lock(mutex_);
      if (inbox_.stop && inbox_.requests.empty() && active_.empty() && waiting_.empty()) return;
    } catch (const std::exception& error) {
      os::log(os::LogLevel::error, "transport to {}: {}", options_.url, error.what());
    }
  }
}

void CurlEngine::State::step() {
  const bool may_wait = work();
  for (auto& exchange : std::exchange(finished_, {})) deliver(std::move(exchange));
  if (may_wait) curl_multi_poll(multi_, nullptr, 0, wait_ms(), nullptr);
}

bool CurlEngine::State::work() {
  const std::scoped_lock inside_libcurl(step_mutex_);
  const bool stopping = take_inbox();
  admit_waiting();
  int running = 0;
  curl_multi_perform(multi_, &running);
  collect_finished();
  end_overdue();
  const bool can_admit = !waiting_.empty() && may_admit();
  return !can_admit && !stopping;
}

bool CurlEngine::State::take_inbox() {
  Inbox taken;
  {
    const std::scoped_lock lock(mutex_);
    taken.requests.swap(inbox_.requests);
    taken.cancel = std::exchange(inbox_.cancel, false);
    taken.stop = inbox_.stop;
  }
  for (auto& exchange : taken.requests) waiting_.push_back(std::move(exchange));
  if (taken.cancel) end_all("cancelled");
  if (taken.stop) end_all("the transport was shut down");
  return taken.stop;
}

bool CurlEngine::State::may_admit() const noexcept {
  if (gate_first_connection_ && opener_ != nullptr) return false;
  if (options_.http2 && active_.size() >= streams_max) return false;
  return connection_request_count_ < requests_per_connection_max || active_.empty();
}

// A connection that has carried its share takes no new requests; it closes behind the last one that it carries.
void CurlEngine::State::count_request() noexcept {
  if (!renew_connections_ || ++connection_request_count_ < requests_per_connection_max) return;
  for (const auto& exchange : active_) exchange->close_connection_behind();
}

// With an old libcurl only the exchange that opens the HTTP/2 connection may ask for prior knowledge, and all
// others must be kept from opening one, because they would do it with an HTTP/1.1 upgrade. So the first goes alone
// until its request is on its way; the others follow on its connection, and one that finds the connection
// gone is refused a socket and becomes the next opener.
void CurlEngine::State::admit_waiting() {
  while (!waiting_.empty()) {
    if (!may_admit()) return;
    if (active_.empty() && connection_request_count_ >= requests_per_connection_max) connection_request_count_ = 0;
    auto exchange = std::move(waiting_.front());
    waiting_.pop_front();
    exchange->may_open_connection = true;
    long version = CURL_HTTP_VERSION_1_1;
    if (options_.http2) version = options_.tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    if (gate_first_connection_) {
      const bool opens = open_socket_count_ == 0 || exchange->attempt_count + 1 >= attempts_max;
      exchange->may_open_connection = opens;
      if (opens) opener_ = exchange.get();
      if (!opens) version = CURL_HTTP_VERSION_2_0;
    }
    if (exchange->prepare(options_, *this, version) && curl_multi_add_handle(multi_, exchange->easy) == CURLM_OK) {
      active_.push_back(std::move(exchange));
      count_request();
      continue;
    }
    if (opener_ == exchange.get()) opener_ = nullptr;
    exchange->answer.error = "libcurl has no memory for the request";
    finished_.push_back(std::move(exchange));
  }
}

void CurlEngine::State::note_progress(Exchange& exchange) noexcept {
  last_progress_at_ = clock_.steady_now();
  note_request_began(exchange);
}

void CurlEngine::State::note_request_began(Exchange& exchange) noexcept {
  exchange.answer.request_began = true;
  if (opener_ == &exchange) opener_ = nullptr;
}

void CurlEngine::State::collect_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    const std::size_t index = index_of(message->easy_handle);
    if (index == active_.size()) continue;
    Exchange& exchange = *active_[index];
    if (exchange.wanted_connection && exchange.attempt_count < attempts_max) {
      curl_multi_remove_handle(multi_, exchange.easy);
      waiting_.push_front(std::move(active_[index]));
      active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(index));
      continue;
    }
    finish(index, code, {});
  }
}

void CurlEngine::State::end_overdue() {
  const base::SteadyTime now = clock_.steady_now();
  for (std::size_t i = 0; i < active_.size();) {
    Exchange& exchange = *active_[i];
    if (exchange.deadline > now) {
      ++i;
      continue;
    }
    // Nothing at all came back while this one waited: the connection may be a black hole, so the next request
    // must not be sent into it.
    const bool silent = last_progress_at_ < exchange.started_at;
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - exchange.started_at);
    finish(i, CURLE_OPERATION_TIMEDOUT, fmt::format("{}: no answer within {} ms", options_.url, waited.count()));
    if (silent && options_.http2) drop_connections();
  }
  for (std::size_t i = 0; i < waiting_.size();) {
    if (waiting_[i]->deadline > now) {
      ++i;
      continue;
    }
    auto exchange = std::move(waiting_[i]);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    exchange->conclude(CURLE_OPERATION_TIMEDOUT, "no connection in time", options_);
    finished_.push_back(std::move(exchange));
  }
}

void CurlEngine::State::end_all(std::string_view why) {
  while (!active_.empty()) finish(active_.size() - 1, CURLE_ABORTED_BY_CALLBACK, why);
  while (!waiting_.empty()) {
    auto exchange = std::move(waiting_.front());
    waiting_.pop_front();
    exchange->conclude(CURLE_ABORTED_BY_CALLBACK, why, options_);
    finished_.push_back(std::move(exchange));
  }
}

void CurlEngine::State::finish(std::size_t index, CURLcode code, std::string_view why) {
  auto exchange = std::move(active_[index]);
  active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(index));
  if (opener_ == exchange.get()) opener_ = nullptr;
  exchange->conclude(code, why, options_);
  curl_multi_remove_handle(multi_, exchange->easy);
  exchange->release_handle();
  finished_.push_back(std::move(exchange));
}

int CurlEngine::State::wait_ms() const noexcept {
  base::SteadyTime next = base::never;
  for (const auto& exchange : active_) next = std::min(next, exchange->deadline);
  for (const auto& exchange : waiting_) next = std::min(next, exchange->deadline);
  if (next == base::never) return idle_wait_ms;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - clock_.steady_now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(wait, 0, idle_wait_ms));
}

std::size_t CurlEngine::State::index_of(const CURL* easy) const noexcept {
  const auto found =
      std::find_if(active_.begin(), active_.end(), [&](const auto& exchange) { return exchange->easy == easy; });
  return static_cast<std::size_t>(found - active_.begin());
}

}  // namespace arca::net
