// TcpProxy: stands between a client and a server on loopback and spoils what passes: it swallows answers, so that the
// client cannot know what became of its request, it holds everything back, it delays, it resets, it forges. Used by the
// tests of what an unknown outcome means, and of what a client believes.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "arca/result.hpp"

namespace arca::support {

// Thread-safe. The destructor ends all connections.
class TcpProxy {
 public:
  enum class Mode : std::uint8_t {
    pass,
    swallow_answers,  // requests pass, answers are dropped
    hold,             // nothing passes, in either direction
    reset,            // what connects, and what is connected, is reset
  };

  // Listens on a free port of the same loopback address: a driver of Cassandra asks a node for its address, and takes
  // the port of its contact point. Or of another, on which it is then not found.
  static Result<std::unique_ptr<TcpProxy>> start(const std::string& host, int port, const std::string& own_host = {});
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  [[nodiscard]] int port() const noexcept;
  // A connection that lost bytes cannot go on: it is reset when its time is over, as that of a real network would be.
  void set_mode(Mode mode) noexcept;
  // Answers take so much longer.
  void set_delay(std::chrono::milliseconds delay) noexcept;
  // From now on an answer that holds `original` carries `forged` instead, of the same length. Only for short answers,
  // which come in one piece.
  void forge_answers(std::string original, std::string forged);
  [[nodiscard]] std::uint64_t swallowed_bytes() const noexcept;

 private:
  class State;
  explicit TcpProxy(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace arca::support
