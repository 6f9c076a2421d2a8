#include "support/tcp_proxy.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <list>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace arca::support {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t queued_max = 4U << 20U;  // then the sender waits
constexpr int poll_ms = 5;                     // how fast a new mode is seen

sockaddr_in address_of(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return address;
}

// One direction of a connection.
struct Stream {
  int from = -1, to = -1;
  struct Part {
    Clock::time_point due;
    std::string bytes;
  };
  std::deque<Part> queue;
  std::size_t queued = 0;
  bool is_ended = false;  // the sender has closed its side
  bool is_told = false;   // and the receiver knows

  // False: the connection is broken.
  bool read(std::chrono::milliseconds delay, bool is_swallowed, std::atomic<std::uint64_t>& swallowed, bool& lost) {
    char buffer[65536];
    const ssize_t count = ::recv(from, buffer, sizeof buffer, MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) {
      is_ended = true;
      return true;
    }
    if (is_swallowed) {
      swallowed += static_cast<std::uint64_t>(count);
      lost = true;
      return true;
    }
    queue.push_back({Clock::now() + delay, std::string(buffer, static_cast<std::size_t>(count))});
    queued += static_cast<std::size_t>(count);
    return true;
  }
  bool write() {
    while (!queue.empty() && queue.front().due <= Clock::now()) {
      std::string& bytes = queue.front().bytes;
      const ssize_t count = ::send(to, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count < 0) return errno == EAGAIN || errno == EINTR;
      queued -= static_cast<std::size_t>(count);
      bytes.erase(0, static_cast<std::size_t>(count));
      if (!bytes.empty()) return true;
      queue.pop_front();
    }
    if (is_ended && queue.empty() && !std::exchange(is_told, true)) ::shutdown(to, SHUT_WR);
    return true;
  }
};

struct Connection {
  Stream requests, answers;
  bool has_lost = false;
};

void reset(int socket) {
  const linger at_once{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(socket);
}

}  // namespace

class TcpProxy::State {
 public:
  State(const sockaddr_in& server, const sockaddr_in& own) : server_(server), own_(own) {}
  ~State() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    for (const Connection& each : connections_) end(each);
    if (listener_ >= 0) ::close(listener_);
  }

  Result<void> start() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in own = own_;
    socklen_t size = sizeof own;
    if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&own), size) != 0 ||
        ::listen(listener_, 64) != 0 || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&own), &size) != 0) {
      return failure(ErrorCode::io, std::string("the proxy cannot listen: ") + std::strerror(errno));
    }
    port = ntohs(own.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) step();
    });
    return {};
  }

  std::atomic<Mode> mode{Mode::pass};
  std::atomic<std::int64_t> delay_ms{0};
  std::atomic<std::uint64_t> swallowed{0};
  int port = 0;
  std::mutex forgery_mutex;
  std::string original, forged;  // protected by forgery_mutex

 private:
  static void end(const Connection& connection) {
    reset(connection.requests.from);
    reset(connection.requests.to);
  }

  void step() {
    const Mode now = mode.load();
    std::vector<pollfd> watched{{listener_, POLLIN, 0}};
    for (const Connection& each : connections_) {
      for (const Stream* stream : {&each.requests, &each.answers}) {
        const bool is_read = now != Mode::hold && !stream->is_ended && stream->queued < queued_max;
        watched.push_back({is_read ? stream->from : -1, POLLIN, 0});
      }
    }
    if (::poll(watched.data(), watched.size(), poll_ms) < 0) return;
    std::size_t index = 1;
    for (auto each = connections_.begin(); each != connections_.end();) {
      const bool has_requests = (watched[index].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
      const bool has_answers = (watched[index + 1].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
      index += 2;
      if (serve(*each, now, has_requests, has_answers)) {
        ++each;
      } else {
        end(*each);
        each = connections_.erase(each);
      }
    }
    if ((watched[0].revents & POLLIN) != 0) accept(now);
  }

  bool serve(Connection& connection, Mode now, bool has_requests, bool has_answers) {
    if (now == Mode::reset || (now == Mode::pass && connection.has_lost)) return false;
    if (now == Mode::hold) return true;
    const std::chrono::milliseconds delay(delay_ms.load());
    const bool swallows = now == Mode::swallow_answers;
    if (has_requests && !connection.requests.read({}, false, swallowed, connection.has_lost)) return false;
    if (has_answers && !connection.answers.read(delay, swallows, swallowed, connection.has_lost)) return false;
    if (has_answers && !connection.answers.queue.empty()) forge(connection.answers.queue.back().bytes);
    if (!connection.requests.write() || !connection.answers.write()) return false;
    return !(connection.requests.is_told && connection.answers.is_told);
  }

  void forge(std::string& bytes) {
    const std::lock_guard lock(forgery_mutex);
    const std::size_t place = original.empty() ? std::string::npos : bytes.find(original);
    if (place != std::string::npos) bytes.replace(place, original.size(), forged);
  }

  void accept(Mode now) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_connected =
        now != Mode::reset && ::connect(server, reinterpret_cast<const sockaddr*>(&server_), sizeof server_) == 0;
    if (!is_connected) {
      reset(client);
      reset(server);
      return;
    }
    Connection& made = connections_.emplace_back();
    made.requests.from = made.answers.to = client;
    made.requests.to = made.answers.from = server;
  }

  const sockaddr_in server_, own_;
  int listener_ = -1;
  std::list<Connection> connections_;  // of the thread
  std::jthread thread_;
};

TcpProxy::TcpProxy(std::unique_ptr<State> state) : state_(std::move(state)) {}
TcpProxy::~TcpProxy() = default;

Result<std::unique_ptr<TcpProxy>> TcpProxy::start(const std::string& host, int port, const std::string& own_host) {
  auto state = std::make_unique<State>(address_of(host, port), address_of(own_host.empty() ? host : own_host, 0));
  if (const auto started = state->start(); !started) return failure(started.error());
  return std::unique_ptr<TcpProxy>(new TcpProxy(std::move(state)));
}

int TcpProxy::port() const noexcept { return state_->port; }
void TcpProxy::set_mode(Mode mode) noexcept { state_->mode = mode; }
void TcpProxy::set_delay(std::chrono::milliseconds delay) noexcept { state_->delay_ms = delay.count(); }
void TcpProxy::forge_answers(std::string original, std::string forged) {
  const std::lock_guard lock(state_->forgery_mutex);
  state_->original = std::move(original);
  state_->forged = std::move(forged);
}
std::uint64_t TcpProxy::swallowed_bytes() const noexcept { return state_->swallowed; }

}  // namespace arca::support
