// Short ways to make transports and payloads, for the tests of net.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "net/grpc_transport.hpp"
#include "net/http_transport.hpp"

namespace arca::net {

inline constexpr const char* method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

inline os::Clock& test_clock() {
  static os::SystemClock clock;
  return clock;
}
inline model::Payload payload_of(std::string_view text) { return model::Payload::copy_of(base::as_bytes(text)); }
inline std::string text_of(const std::vector<std::byte>& bytes) { return std::string(base::as_text(bytes)); }

inline std::unique_ptr<GrpcTransport> grpc_to(const std::string& target, bool gzip = false,
                                              const TlsOptions* tls = nullptr) {
  TransportOptions options;
  options.target = target;
  options.path = method;
  options.gzip = gzip;
  options.user_agent = "arca/test";
  options.tls = tls != nullptr;
  if (tls != nullptr) options.tls_options = *tls;
  return std::move(GrpcTransport::create(options, test_clock()).value());
}

inline std::unique_ptr<HttpTransport> http_to(const std::string& url, bool gzip = false,
                                              const TlsOptions* tls = nullptr) {
  TransportOptions options;
  options.target = url;
  options.gzip = gzip;
  options.user_agent = "arca/test";
  options.tls = tls != nullptr;
  if (tls != nullptr) options.tls_options = *tls;
  return std::move(HttpTransport::create(options, test_clock()).value());
}

}  // namespace arca::net
