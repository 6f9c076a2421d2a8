// RawServer: a TCP server on 127.0.0.1 whose manners the test writes: one function per connection, on a thread of its
// own. Used by the tests of net for everything that no well-behaved server does.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace arca::fakes {

// Not thread-safe: belongs to the connection's thread.
class RawConnection {
 public:
  explicit RawConnection(int socket) : socket_(socket) {}

  // One HTTP/1.1 request with Content-Length; false when the peer has closed.
  bool read_request() {
    head.clear();
    body.clear();
    std::size_t end = std::string::npos;
    while ((end = buffered_.find("\r\n\r\n")) == std::string::npos)
      if (!read_more()) return false;
    head = buffered_.substr(0, end + 4);
    buffered_.erase(0, end + 4);
    const auto at = head.find("Content-Length: ");
    const std::size_t size = at == std::string::npos ? 0 : std::strtoull(head.c_str() + at + 16, nullptr, 10);
    while (buffered_.size() < size)
      if (!read_more()) return false;
    body = buffered_.substr(0, size);
    buffered_.erase(0, size);
    return true;
  }
  // Exactly that many bytes; fewer only when the peer has closed.
  std::string read_exactly(std::size_t size) {
    while (buffered_.size() < size && read_more()) {
    }
    std::string taken = buffered_.substr(0, std::min(size, buffered_.size()));
    buffered_.erase(0, taken.size());
    return taken;
  }
  bool write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  bool answer(int status, std::string_view reason, std::string_view extra_headers, std::string_view content) {
    return write("HTTP/1.1 " + std::to_string(status) + " " + std::string(reason) + "\r\n" +
                 std::string(extra_headers) + "Content-Length: " + std::to_string(content.size()) + "\r\n\r\n" +
                 std::string(content));
  }
  // Until the peer or the server's end closes.
  void stay_silent() {
    while (read_more()) buffered_.clear();
  }
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    ::close(std::exchange(socket_, -1));
  }
  [[nodiscard]] int socket() const { return socket_; }

  std::string head;
  std::string body;

 private:
  bool read_more() {
    char part[65536];
    const ssize_t n = ::recv(socket_, part, sizeof part, 0);
    if (n <= 0) return false;
    buffered_.append(part, static_cast<std::size_t>(n));
    return true;
  }
  int socket_;
  std::string buffered_;
};

// Thread-safe.
class RawServer {
 public:
  using Manners = std::function<void(RawConnection&)>;

  explicit RawServer(Manners manners) : manners_(std::move(manners)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      std::abort();
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~RawServer() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    {
      const std::scoped_lock lock(mutex_);
      for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    }
    for (auto& thread : threads_) thread.join();
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url(std::string_view path = "/v1/traces") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  [[nodiscard]] std::string host_and_port() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int connection_count() const { return connection_count_; }

 private:
  void accept_all() {
    for (;;) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) return;
      ++connection_count_;
      const std::scoped_lock lock(mutex_);
      sockets_.push_back(socket);
      threads_.emplace_back([this, socket] {
        RawConnection connection(socket);
        manners_(connection);
        const std::scoped_lock closing(mutex_);
        std::erase(sockets_, socket);
        if (connection.socket() >= 0) ::close(socket);
      });
    }
  }

  Manners manners_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connection_count_{0};
  std::mutex mutex_;
  std::vector<int> sockets_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace arca::fakes
