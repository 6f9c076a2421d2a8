// Http2Connection: gRPC over HTTP/2, by libnghttp2: unary Export calls of the three OTLP services. The
// library parses frames and headers; bodies go straight from the read buffer into the stream's buffer.
// Used by SinkServer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "cli/sink/connection.hpp"
#include "cli/sink/request_handler.hpp"

struct nghttp2_session;

namespace arca::cli::sink {

// Bodies that are done with, kept for the next stream: their pages are warm. Not thread-safe.
class BodyPool {
 public:
  std::vector<std::byte> take();
  void give(std::vector<std::byte> body);

 private:
  std::vector<std::vector<std::byte>> free_;
};

class Http2Connection final : public Connection {
 public:
  Http2Connection(ConnectionHost& host, int descriptor, RequestHandler& handler, BodyPool& bodies);
  ~Http2Connection() override;

 private:
  struct Stream;
  struct Callbacks;  // the library's C callbacks, as friends

  void on_start() override;
  void on_bytes(base::Bytes bytes) override;
  void on_drained() override { pump(); }
  void pump();  // moves what the library wants to send into the socket

  void head_complete(std::int32_t id);
  void body_arrived(std::int32_t id, base::Bytes bytes);
  void request_complete(std::int32_t id);
  void respond(std::int32_t id, Answer answer);
  void say_goodbye(bool announced);  // a moment later
  void respond_without_body(std::int32_t id, const Answer& answer);
  void submit_body(std::int32_t id, Answer answer);

  RequestHandler& handler_;
  BodyPool& bodies_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<std::int32_t, std::unique_ptr<Stream>> streams_;
  bool saying_goodbye_ = false;  // the end is near, but not before the peer has read the answer
  bool close_when_idle_ = false;
  bool inside_library_ = false;  // its callbacks must not call back into it
};

}  // namespace arca::cli::sink
