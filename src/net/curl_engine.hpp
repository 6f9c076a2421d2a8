// CurlEngine: one background thread around one libcurl multi handle, which carries HTTP/1.1 and HTTP/2 requests to
// one URL. The common ground of GrpcTransport and HttpTransport; nobody else sees it or libcurl.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "model/chunk.hpp"
#include "net/transport.hpp"
#include "os/clock.hpp"

namespace arca::net {

using Headers = std::vector<std::pair<std::string, std::string>>;

// Bounds on what a peer may make us remember.
inline constexpr std::size_t answer_body_size_max = 1U << 20U;
inline constexpr std::size_t answer_header_bytes_max = 64U << 10U;

struct EngineOptions {
  std::string url;
  bool http2 = false;  // HTTP/2 only (prior knowledge, or ALPN over TLS); else HTTP/1.1 only
  bool tls = false;
  TlsOptions tls_options;
  Headers headers;  // sent with every request
  std::string user_agent;
};

struct EngineRequest {
  std::array<char, 5> prefix{};  // goes out before the payload (gRPC's length prefix)
  std::size_t prefix_size = 0;
  model::Payload payload;
  Headers headers;
  base::Duration timeout{};
};

// What came back, before gRPC or HTTP is read into it.
struct EngineAnswer {
  bool complete = false;           // the answer arrived whole
  bool request_began = false;      // at least one byte of the request may have reached the peer
  bool ended_early = false;        // the peer ended the HTTP/2 stream before it had the whole request
  bool may_lack_trailers = false;  // libcurl may have dropped them although the answer arrived whole
  std::size_t request_size = 0;
  bool body_cut = false;  // the body was longer than answer_body_size_max
  int http_status = 0;    // 0: no status line came
  std::string reason;     // HTTP/1.1 reason phrase
  Headers headers;        // headers and trailers, names in lower case
  std::vector<std::byte> body;
  std::string error;  // why it is not complete, for people

  // The last header or trailer of that name; empty if there is none.
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
  [[nodiscard]] bool has_header(std::string_view name) const noexcept;
};

// Thread-safe. An engine that a forked child inherits is abandoned there: its sockets are closed without a word
// to the peer, start() answers at once that nothing was sent, and the destructor leaves everything else alone.
class CurlEngine {
 public:
  using Done = std::function<void(EngineAnswer)>;
  class State;  // in curl_engine_state.hpp

  // `clock` must outlive the engine. The thread is started by the first request.
  CurlEngine(EngineOptions options, os::Clock& clock);
  ~CurlEngine();
  CurlEngine(const CurlEngine&) = delete;
  CurlEngine& operator=(const CurlEngine&) = delete;

  // Calls `done` exactly once, on the engine's thread or (when it cannot start) on the caller's.
  void start(EngineRequest request, Done done) noexcept;
  void cancel_all() noexcept;
  // See Transport.
  void close() noexcept;

 private:
  std::unique_ptr<State> state_;
};

// Whether a header can be sent as it is: a token as name, no control characters in the value.
[[nodiscard]] bool is_valid_header(std::string_view name, std::string_view value) noexcept;

}  // namespace arca::net
