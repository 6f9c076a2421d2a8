// Http2Peer: the server's side of one HTTP/2 connection on a RawConnection, frame by frame, for everything that a
// well-behaved gRPC server does not do at a moment that a test could choose. Used by the tests of net.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fakes/raw_server.hpp"

namespace arca::fakes {

// Not thread-safe: belongs to the connection's thread.
class Http2Peer {
 public:
  enum class Frame : std::uint8_t {
    data = 0,
    headers = 1,
    rst_stream = 3,
    settings = 4,
    ping = 6,
    goaway = 7,
    window_update = 8
  };
  static constexpr std::uint32_t no_error = 0, internal_error = 2, refused_stream = 7;

  // Windows so large that no sender ever waits for this peer.
  explicit Http2Peer(RawConnection& connection) : connection_(connection) {
    connection_.read_exactly(24);  // the client's preface
    send(Frame::settings, 0, 0, std::string("\x00\x04", 2) + number(0x7FFFFFFF));
    send(Frame::window_update, 0, 0, number(0x7FFF0000));
  }

  // The stream of the next request that is there as a whole; nothing when the client has closed.
  std::optional<std::uint32_t> next_request() { return next_stream(Frame::data, end_stream); }
  // The stream of the next request of which some of the body is there.
  std::optional<std::uint32_t> next_beginning() { return next_stream(Frame::data, 0); }

  // Status 0 with an empty message: what a server answers to everything that it takes.
  void answer(std::uint32_t stream) { connection_.write(answer_frames(stream)); }
  void answer_and_go_away(std::uint32_t stream, std::uint32_t error) {
    connection_.write(answer_frames(stream) + go_away_frame(stream, error));
  }
  void refuse(std::uint32_t stream, std::string_view status) {
    send(Frame::headers, end_headers | end_stream, stream, head() + literal("grpc-status", status));
  }
  void reset(std::uint32_t stream, std::uint32_t error) { send(Frame::rst_stream, 0, stream, number(error)); }
  void go_away(std::uint32_t last_stream, std::uint32_t error) { connection_.write(go_away_frame(last_stream, error)); }

  [[nodiscard]] int reset_count() const { return reset_count_; }

 private:
  static constexpr std::uint8_t ack = 1, end_stream = 1, end_headers = 4;

  static std::string number(std::uint32_t value) {
    std::string text;
    for (const unsigned shift : {24U, 16U, 8U, 0U}) text.push_back(static_cast<char>((value >> shift) & 0xFFU));
    return text;
  }
  static std::string literal(std::string_view name, std::string_view value) {  // HPACK, without indexing
    std::string text(1, '\0');
    text.push_back(static_cast<char>(name.size()));
    text += name;
    text.push_back(static_cast<char>(value.size()));
    return text.append(value);
  }
  static std::string head() { return "\x88" + literal("content-type", "application/grpc"); }  // :status 200
  static std::string frame(Frame type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
    std::string text = number(static_cast<std::uint32_t>(payload.size())).substr(1);
    text.push_back(static_cast<char>(type));
    text.push_back(static_cast<char>(flags));
    return (text + number(stream)).append(payload);
  }
  static std::string answer_frames(std::uint32_t stream) {
    return frame(Frame::headers, end_headers, stream, head()) + frame(Frame::data, 0, stream, std::string(5, '\0')) +
           frame(Frame::headers, end_headers | end_stream, stream, literal("grpc-status", "0"));
  }
  static std::string go_away_frame(std::uint32_t last_stream, std::uint32_t error) {
    return frame(Frame::goaway, 0, 0, number(last_stream) + number(error));
  }
  void send(Frame type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
    connection_.write(frame(type, flags, stream, payload));
  }

  std::optional<std::uint32_t> next_stream(Frame wanted, std::uint8_t flags_wanted) {
    for (;;) {
      const std::string header = connection_.read_exactly(9);
      if (header.size() < 9) return std::nullopt;
      const auto byte = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(header[i]));
      };
      const std::size_t size = (byte(0) << 16U) | (byte(1) << 8U) | byte(2);
      if (connection_.read_exactly(size).size() < size) return std::nullopt;
      const auto type = static_cast<Frame>(byte(3));
      const std::uint32_t stream = ((byte(5) & 0x7FU) << 24U) | (byte(6) << 16U) | (byte(7) << 8U) | byte(8);
      if (type == Frame::settings && (byte(4) & ack) == 0) send(Frame::settings, ack, 0, {});
      if (type == Frame::rst_stream) ++reset_count_;
      if (type == wanted && (byte(4) & flags_wanted) == flags_wanted) return stream;
    }
  }

  RawConnection& connection_;
  int reset_count_ = 0;
};

}  // namespace arca::fakes
