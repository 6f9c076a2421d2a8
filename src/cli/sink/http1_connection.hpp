// Http1Connection: HTTP/1.1 as far as an OTLP receiver and a control port need it: keep-alive, Content-Length and
// chunked bodies, Expect: 100-continue, one request at a time. What the requests mean is for an Http1Service.
// Used by SinkServer (both kinds of port).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/sink/connection.hpp"
#include "cli/sink/request_handler.hpp"

namespace arca::cli::sink {

struct Http1Request {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  // names in lower case; of repeated ones the last
  std::vector<std::byte> body;
  Behaviour behaviour;  // filled by the service when the head is here

  [[nodiscard]] std::string_view header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
};

struct Http1Answer {
  Answer answer;
  std::string content_type = "application/x-protobuf";
};

// Not thread-safe.
class Http1Service {
 public:
  virtual ~Http1Service() = default;
  // The head is here; the body is to come. Returns whether to reset the connection once half of it has come.
  virtual bool on_head(Http1Request& request) = 0;
  virtual void on_cut_short(const Http1Request& request) = 0;
  virtual Http1Answer on_request(const Http1Request& request) = 0;
  [[nodiscard]] virtual std::size_t body_max() const noexcept = 0;
};

class Http1Connection final : public Connection {
 public:
  Http1Connection(ConnectionHost& host, int descriptor, Http1Service& service)
      : Connection(host, descriptor), service_(service) {}

 private:
  enum class State : std::uint8_t { head, sized_body, chunk_head, chunk_body, chunk_end, trailers, answering };

  void on_bytes(base::Bytes bytes) override;
  bool advance();  // one step through in_; false: more bytes are needed, or the connection waits
  bool read_head();
  bool parse_head(std::string_view head);
  bool choose_body();
  bool read_body(std::size_t wanted, State next);
  bool read_chunk_head();
  bool read_line(std::string_view& line);
  void complete();
  void respond(const Http1Answer& full);
  void trickle(std::string bytes, std::size_t sent);
  void after_answer();
  void refuse(int status, std::string_view why);  // a request that is no HTTP of ours; ends the connection

  Http1Service& service_;
  std::vector<std::byte> in_;
  std::size_t in_read_ = 0;
  State state_ = State::head;
  Http1Request request_;
  std::size_t body_left_ = 0;  // of a sized body, or of the current chunk
  std::size_t body_size_ = 0;  // 0 when chunked
  bool reset_half_way_ = false;
  bool keep_alive_ = true;
};

}  // namespace arca::cli::sink
