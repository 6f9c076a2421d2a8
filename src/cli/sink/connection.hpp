// Connection: one accepted socket on the event loop, whatever is spoken on it. Reads within the bandwidth limit,
// writes what the socket takes, and ends politely, rudely or not at all, as asked. Derived: Http1Connection,
// Http2Connection; owned by SinkServer through ConnectionHost.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "cli/sink/event_loop.hpp"

namespace arca::cli::sink {

class Connection;

// What a connection needs of its owner. Not thread-safe: same loop.
class ConnectionHost {
 public:
  virtual ~ConnectionHost() = default;
  virtual EventLoop& loop() noexcept = 0;
  // Bytes that may be read now, at most `wanted`; 0: come back at bandwidth_ready_at().
  virtual std::size_t bandwidth_left(std::size_t wanted) noexcept = 0;
  virtual void bandwidth_used(std::size_t bytes) noexcept = 0;
  virtual base::SteadyTime bandwidth_ready_at() noexcept = 0;
  // One buffer for all connections: only one of them reads at a time.
  virtual base::MutableBytes read_buffer() noexcept = 0;
  // The connection has ended and wants to be destroyed, after this turn of the loop.
  virtual void ended(Connection& connection) = 0;
};

// Not thread-safe. The socket is closed by the destructor.
class Connection {
 public:
  Connection(ConnectionHost& host, int descriptor) : host_(host), descriptor_(descriptor) {}
  virtual ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Begins to read; called once, right after construction.
  void start();
  // Ends now: the kernel sends FIN, or RST if bytes were left unread.
  void close_now();

 protected:
  virtual void on_start() {}
  // Takes all the bytes that came.
  virtual void on_bytes(base::Bytes bytes) = 0;
  // The socket has taken everything written so far.
  virtual void on_drained() {}

  void write(base::Bytes bytes);
  // Ends once everything written has gone out and the peer has closed its side, or a second later.
  void close_after_writing();
  // Ends with RST, whatever is still on its way.
  void reset_now();
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  [[nodiscard]] EventLoop& loop() noexcept { return host_.loop(); }

  // Calls later, unless the connection is gone by then.
  template <class Function>
  void later(base::Duration delay, Function function) {
    host_.loop().at(host_.loop().now() + delay,
                    [life = std::weak_ptr<int>(life_), function = std::move(function)]() mutable {
                      if (life.lock()) function();
                    });
  }

 private:
  void on_events(std::uint32_t events);
  void read_some();
  void flush();
  void linger_until_peer_ends();
  void update_interest();

  ConnectionHost& host_;
  int descriptor_;
  EventLoop::Key key_ = 0;
  bool ended_ = false;
  bool paused_ = false;  // no bandwidth left
  bool closing_ = false;
  bool lingering_ = false;  // our side is shut; what still comes is thrown away
  std::vector<std::byte> out_;
  std::size_t out_sent_ = 0;
  std::uint32_t interest_ = 0;
  std::shared_ptr<int> life_ = std::make_shared<int>(0);
};

}  // namespace arca::cli::sink
