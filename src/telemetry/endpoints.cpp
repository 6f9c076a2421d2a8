#include "telemetry/endpoints.hpp"

#include <fmt/format.h>

#include "net/endpoint.hpp"

namespace arca::telemetry {
namespace {

template <class T>
const std::optional<T>& first_set(const std::optional<T>& special, const std::optional<T>& general) {
  return special ? special : general;
}

Result<std::string> endpoint_of(std::string_view name, const OtlpSignalConfig& special, const OtlpSignalConfig& general,
                                const SignalSettings& settings) {
  const bool grpc = settings.protocol == Protocol::grpc;
  const auto& given = first_set(special.endpoint, general.endpoint);
  const std::string text = given.value_or(grpc ? "http://127.0.0.1:4317" : "http://127.0.0.1:4318");
  auto endpoint = net::parse_endpoint(text, grpc ? net::Protocol::grpc : net::Protocol::http, settings.insecure);
  if (!endpoint) {
    return failure(endpoint.error().with_context(special.endpoint ? fmt::format("otlp.{}.endpoint", name)
                                                                  : std::string("otlp.endpoint")));
  }
  // A signal's own URL is taken as it is, the one for all is a base.
  if (grpc || special.endpoint) return text;
  return net::with_signal_path(std::move(*endpoint), fmt::format("v1/{}", name)).url();
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
  settings.insecure = first_set(special.insecure, general.insecure).value_or(false);
  auto endpoint = endpoint_of(name, special, general, settings);
  if (!endpoint) return tl::unexpected(endpoint.error());
  settings.endpoint = std::move(*endpoint);
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
