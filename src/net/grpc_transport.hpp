// GrpcTransport: unary gRPC calls over HTTP/2 (prior knowledge, or TLS with ALPN). Made by the telemetry floor for
// each signal whose protocol is grpc.
#pragma once

#include <memory>

#include "net/curl_engine.hpp"
#include "net/transport.hpp"
#include "os/clock.hpp"

namespace arca::net {

// Thread-safe. Must not be destroyed from within one of its own callbacks.
class GrpcTransport final : public Transport {
 public:
  // `clock` must outlive the transport. Options that cannot work are ErrorCode::invalid_config.
  static Result<std::unique_ptr<GrpcTransport>> create(const TransportOptions& options, os::Clock& clock);

  void send(model::Payload payload, std::vector<std::pair<std::string, std::string>> extra_headers,
            base::Duration timeout, std::function<void(Response)> done) noexcept override;
  void cancel_all() noexcept override;
  void close() noexcept override;

 private:
  GrpcTransport(EngineOptions options, bool gzip, os::Clock& clock);

  const bool gzip_;
  CurlEngine engine_;
};

// Reads a finished exchange as a gRPC answer. Apart, so that tests and fuzzers reach it without a network.
[[nodiscard]] Response read_grpc_exchange(EngineAnswer answer);

}  // namespace arca::net
