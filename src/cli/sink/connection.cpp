#include "cli/sink/connection.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace arca::cli::sink {

namespace {
constexpr int reads_per_turn_max = 8;  // then the other connections have their turn
constexpr base::Duration linger_max = std::chrono::seconds(1);
}  // namespace

Connection::~Connection() {
  host_.loop().unwatch(key_);
  close(descriptor_);
}

void Connection::start() {
  interest_ = EPOLLIN;
  const auto key = host_.loop().watch(descriptor_, interest_, [this](std::uint32_t events) { on_events(events); });
  if (!key) return close_now();
  key_ = *key;
  on_start();
}

void Connection::close_now() {
  if (ended_) return;
  ended_ = true;
  host_.loop().unwatch(key_);
  host_.ended(*this);
}

void Connection::reset_now() {
  const linger now{1, 0};
  setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close_now();
}

void Connection::close_after_writing() {
  closing_ = true;
  flush();
}

void Connection::on_events(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  if (!ended_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_some();
}

void Connection::read_some() {
  for (int i = 0; i < reads_per_turn_max && !ended_; ++i) {
    const base::MutableBytes buffer = host_.read_buffer();
    const std::size_t allowed = host_.bandwidth_left(buffer.size());
    if (allowed == 0) {
      paused_ = true;
      update_interest();
      later(host_.bandwidth_ready_at() - host_.loop().now(), [this] {
        paused_ = false;
        update_interest();
      });
      return;
    }
    const ssize_t got = recv(descriptor_, buffer.data(), allowed, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return close_now();
    host_.bandwidth_used(static_cast<std::size_t>(got));
    if (lingering_) continue;  // nobody listens any more
    on_bytes(buffer.first(static_cast<std::size_t>(got)));
    if (static_cast<std::size_t>(got) < allowed) return;  // the socket is empty, or nearly so
  }
}

void Connection::write(base::Bytes bytes) {
  if (ended_) return;
  out_.insert(out_.end(), bytes.begin(), bytes.end());
  flush();
}

void Connection::flush() {
  while (!ended_ && out_sent_ < out_.size()) {
    const ssize_t sent = send(descriptor_, out_.data() + out_sent_, out_.size() - out_sent_, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (sent < 0) return close_now();
    out_sent_ += static_cast<std::size_t>(sent);
  }
  if (ended_) return;
  if (out_sent_ == out_.size()) {
    const bool had_bytes = !out_.empty();
    out_.clear();
    out_sent_ = 0;
    if (closing_) return linger_until_peer_ends();
    if (had_bytes) on_drained();
  }
  if (!ended_) update_interest();
}

// Closing with bytes unread would send RST, and the peer might lose the answer that it has not read yet.
void Connection::linger_until_peer_ends() {
  if (std::exchange(lingering_, true)) return;
  shutdown(descriptor_, SHUT_WR);
  later(linger_max, [this] { close_now(); });
}

void Connection::update_interest() {
  const std::uint32_t wanted = (paused_ ? 0U : static_cast<std::uint32_t>(EPOLLIN)) |
                               (out_sent_ < out_.size() ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
  if (wanted == interest_) return;
  interest_ = wanted;
  host_.loop().change(key_, wanted);
}

}  // namespace arca::cli::sink
