#include "telemetry/endpoints.hpp"

#include <fmt/format.h>

#include <charconv>

namespace arca::telemetry {
namespace {

template <class T>
const std::optional<T>& first_set(const std::optional<T>& special, const std::optional<T>& general) {
  return special ? special : general;
}

bool is_port(std::string_view text) noexcept {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

bool is_host(std::string_view text) noexcept {
  if (text.empty()) return false;
  for (const char c : text) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!word && c != '.' && c != '-' && c != '_') return false;
  }
  return true;
}

// host, host:port, [v6], [v6]:port
bool is_authority(std::string_view text) noexcept {
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    if (text.substr(1, close - 1).find_first_not_of("0123456789abcdefABCDEF:.%") != std::string_view::npos) return false;
    const auto rest = text.substr(close + 1);
    return rest.empty() || (rest.starts_with(':') && is_port(rest.substr(1)));
  }
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return is_host(text);
  return is_host(text.substr(0, colon)) && is_port(text.substr(colon + 1));
}

// What stands before the path, without the scheme; nothing if the scheme is not one of ours.
std::optional<std::string_view> without_scheme(std::string_view endpoint, bool scheme_needed) noexcept {
  const auto scheme_end = endpoint.find("://");
  if (scheme_end == std::string_view::npos) return scheme_needed ? std::nullopt : std::optional(endpoint);
  const auto scheme = endpoint.substr(0, scheme_end);
  if (scheme != "http" && scheme != "https") return std::nullopt;
  return endpoint.substr(scheme_end + 3);
}

bool is_endpoint(std::string_view endpoint, Protocol protocol) noexcept {
  const auto rest = without_scheme(endpoint, protocol == Protocol::http_protobuf);
  if (!rest) return false;
  for (const char c : *rest) {
    if (c <= ' ' || c == 0x7F) return false;
  }
  const auto path = rest->find_first_of("/?#");
  if (!is_authority(rest->substr(0, path))) return false;
  // gRPC has no path: one given would silently not be used.
  return protocol == Protocol::http_protobuf || path == std::string_view::npos || rest->substr(path) == "/";
}

Result<std::string> endpoint_of(std::string_view name, const OtlpSignalConfig& special, const OtlpSignalConfig& general,
                                Protocol protocol) {
  const bool grpc = protocol == Protocol::grpc;
  const auto& given = first_set(special.endpoint, general.endpoint);
  const std::string endpoint = given.value_or(grpc ? "http://127.0.0.1:4317" : "http://127.0.0.1:4318");
  if (!is_endpoint(endpoint, protocol)) {
    return failure(ErrorCode::invalid_config,
                   fmt::format("otlp{}.endpoint: \"{}\" is not allowed; allowed is {}",
                               special.endpoint ? "." + std::string(name) : "", endpoint,
                               grpc ? "host:port or http(s)://host:port" : "http(s)://host:port/path"));
  }
  if (grpc || special.endpoint) return endpoint;
  return endpoint + (endpoint.ends_with('/') ? "" : "/") + "v1/" + std::string(name);
}

Result<void> check_headers(std::string_view name, const KeyValues& headers) {
  for (const auto& [key, value] : headers) {
    const bool bad_name =
        key.empty() ||
        key.find_first_not_of("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") !=
            std::string::npos;
    const bool bad_value = value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos;
    if (bad_name || bad_value) {
      return failure(ErrorCode::invalid_config,
                     fmt::format("otlp.{}.headers: \"{}\" is not allowed; allowed are names of RFC 9110 tokens and "
                                 "values without line ends",
                                 name, key));
    }
  }
  return {};
}

}  // namespace

Result<SignalSettings> signal_settings(std::string_view name, const OtlpSignalConfig& special,
                                       const OtlpSignalConfig& general) {
  SignalSettings settings;
  const auto protocol = first_set(special.protocol, general.protocol).value_or("grpc");
  settings.protocol = protocol == "grpc" ? Protocol::grpc : Protocol::http_protobuf;
  auto endpoint = endpoint_of(name, special, general, settings.protocol);
  if (!endpoint) return tl::unexpected(endpoint.error());
  settings.endpoint = std::move(*endpoint);
  settings.insecure = first_set(special.insecure, general.insecure).value_or(false);
  settings.gzip = first_set(special.compression, general.compression).value_or("none") == "gzip";
  settings.headers = first_set(special.headers, general.headers).value_or(KeyValues{});
  settings.timeout = first_set(special.timeout, general.timeout).value_or(settings.timeout);
  settings.certificate = first_set(special.certificate, general.certificate).value_or("");
  settings.client_certificate = first_set(special.client_certificate, general.client_certificate).value_or("");
  settings.client_key = first_set(special.client_key, general.client_key).value_or("");
  if (settings.client_certificate.empty() != settings.client_key.empty()) {
    return failure(ErrorCode::invalid_config,
                   fmt::format("otlp.{0}.client_certificate: it and otlp.{0}.client_key must be given together", name));
  }
  if (auto checked = check_headers(name, settings.headers); !checked) return tl::unexpected(checked.error());
  return settings;
}

}  // namespace arca::telemetry
