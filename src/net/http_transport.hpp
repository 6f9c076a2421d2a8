// HttpTransport: OTLP/HTTP with protobuf bodies, by HTTP/1.1 POST on kept connections. Made by the telemetry floor
// for each signal whose protocol is http/protobuf. Follows no redirects, keeps no cookies, uses no proxy.
#pragma once

#include <memory>

#include "net/curl_engine.hpp"
#include "net/transport.hpp"
#include "os/clock.hpp"

namespace arca::net {

// Thread-safe. Must not be destroyed from within one of its own callbacks.
class HttpTransport final : public Transport {
 public:
  // `clock` must outlive the transport. Options that cannot work are ErrorCode::invalid_config.
  static Result<std::unique_ptr<HttpTransport>> create(const TransportOptions& options, os::Clock& clock);

  void send(model::Payload payload, std::vector<std::pair<std::string, std::string>> extra_headers,
            base::Duration timeout, std::function<void(Response)> done) noexcept override;
  void cancel_all() noexcept override;
  void close() noexcept override;

 private:
  HttpTransport(EngineOptions options, bool gzip, os::Clock& clock);

  const bool gzip_;
  os::Clock& clock_;
  CurlEngine engine_;
};

// Reads a finished exchange as an HTTP answer. Apart, so that tests and fuzzers reach it without a network.
[[nodiscard]] Response read_http_exchange(EngineAnswer answer, base::WallTime now);

}  // namespace arca::net
