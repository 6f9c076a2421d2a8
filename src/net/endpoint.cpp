#include "net/endpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "net/transport_options.hpp"

namespace arca::net {
namespace {

constexpr std::uint16_t grpc_port = 4317;
constexpr std::uint16_t http_port = 4318;

tl::unexpected<Error> not_allowed(std::string_view text, std::string_view why, Protocol protocol) {
  return failure(
      ErrorCode::invalid_config,
      fmt::format("endpoint '{}': {}; allowed is {}", text, why,
                  protocol == Protocol::grpc ? "http://host[:port], https://host[:port] or host[:port], for example "
                                               "http://127.0.0.1:4317"
                                             : "http://host[:port][/path] or https://host[:port][/path], for example "
                                               "http://127.0.0.1:4318"));
}

bool is_host_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}
bool is_ipv6_character(char c) noexcept {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' || c == '.' || c == '%';
}

// Splits "host", "host:port", "[v6]" or "[v6]:port". Returns why it cannot, or nothing.
std::string_view split_authority(std::string_view authority, Endpoint& endpoint) {
  std::string_view rest;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) return "'[' without ']'";
    endpoint.host = authority.substr(1, end - 1);
    rest = authority.substr(end + 1);
    if (endpoint.host.find(':') == std::string::npos ||
        !std::all_of(endpoint.host.begin(), endpoint.host.end(), is_ipv6_character))
      return "what stands in brackets is no IPv6 address";
  } else {
    const auto colon = authority.find(':');
    endpoint.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) rest = authority.substr(colon);
    if (rest.find(':', 1) != std::string_view::npos) return "an IPv6 address has to stand in brackets";
    if (endpoint.host.empty()) return "the host is missing";
    if (!std::all_of(endpoint.host.begin(), endpoint.host.end(), is_host_character))
      return "the host has characters that no host name has";
  }
  if (rest.empty()) return {};
  if (rest[0] != ':') return "after the host there can only be a port";
  rest.remove_prefix(1);
  unsigned port = 0;
  const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  if (read.ec != std::errc() || read.ptr != rest.data() + rest.size() || port == 0 || port > 65535)
    return "the port is a number from 1 to 65535";
  endpoint.port = static_cast<std::uint16_t>(port);
  return {};
}

}  // namespace

std::string Endpoint::host_and_port() const {
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::string Endpoint::url() const { return fmt::format("{}://{}{}", tls ? "https" : "http", host_and_port(), path); }

Result<Endpoint> parse_endpoint(std::string_view text, Protocol protocol, bool insecure) {
  const auto odd = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; };
  if (text.empty()) return not_allowed(text, "it is empty", protocol);
  if (std::any_of(text.begin(), text.end(), odd))
    return not_allowed(text, "it has blanks or control characters", protocol);
  Endpoint endpoint;
  std::string_view rest = text;
  if (const auto scheme_end = text.find("://"); scheme_end != std::string_view::npos) {
    const std::string scheme = to_lower(text.substr(0, scheme_end));
    if (scheme != "http" && scheme != "https") return not_allowed(text, "the scheme is not known", protocol);
    endpoint.tls = scheme == "https";
    rest = text.substr(scheme_end + 3);
  } else if (protocol == Protocol::http) {
    return not_allowed(text, "the scheme is missing", protocol);
  } else {
    endpoint.tls = !insecure;
  }
  const auto path = std::min(rest.find_first_of("/?#"), rest.size());
  if (rest.find('#') != std::string_view::npos) return not_allowed(text, "a fragment is never sent", protocol);
  if (rest.substr(0, path).find('@') != std::string_view::npos)
    return not_allowed("...", "user names and passwords belong into the headers setting", protocol);
  endpoint.port = protocol == Protocol::grpc ? grpc_port : http_port;
  if (const std::string_view why = split_authority(rest.substr(0, path), endpoint); !why.empty())
    return not_allowed(text, why, protocol);
  endpoint.path = rest.substr(path);
  if (protocol == Protocol::grpc) {
    // The specification lets gRPC exporters ignore a path; a lone slash is what people type.
    if (endpoint.path.size() > 1) return not_allowed(text, "gRPC has no path", protocol);
    endpoint.path.clear();
  } else if (!endpoint.path.starts_with('/')) {
    endpoint.path.insert(0, "/");
  }
  return endpoint;
}

Endpoint with_signal_path(Endpoint base, std::string_view signal_path) {
  const auto query = std::min(base.path.find('?'), base.path.size());
  const std::string behind = base.path.substr(query);
  base.path.resize(query);
  if (!base.path.ends_with('/')) base.path.push_back('/');
  base.path.append(signal_path).append(behind);
  return base;
}

}  // namespace arca::net
