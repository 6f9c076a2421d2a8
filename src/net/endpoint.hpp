// Endpoint: where OTLP goes, parsed as the OTLP exporter specification says. Used where configuration becomes
// transports.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "arca/result.hpp"

namespace arca::net {

enum class Protocol : std::uint8_t { grpc, http };

struct Endpoint {
  bool tls = false;
  std::string host;  // a name, an IPv4 address, or an IPv6 address without brackets
  std::uint16_t port = 0;
  std::string path;  // HTTP: "/" or longer, with the query if there is one; gRPC: empty

  [[nodiscard]] std::string host_and_port() const;  // "[::1]:4317"
  [[nodiscard]] std::string url() const;            // scheme, host, port and path
};

// `http://host:port/path` or `https://...`; for gRPC also `host:port` or `host`, then `insecure` decides about TLS.
// Without a port it is 4317 for gRPC and 4318 for HTTP. ErrorCode::invalid_config says what is allowed.
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text, Protocol protocol, bool insecure = false);

// A base URL for all signals with the signal's own path behind it, for example "v1/traces".
[[nodiscard]] Endpoint with_signal_path(Endpoint base, std::string_view signal_path);

}  // namespace arca::net
