#include "net/transport_options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "net/curl_engine.hpp"

namespace arca::net {

Result<void> check_transport_options(const TransportOptions& options) {
  const bool odd = options.target.empty() || std::any_of(options.target.begin(), options.target.end(), [](char c) {
                     return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F;
                   });
  if (odd) return failure(ErrorCode::invalid_config, fmt::format("'{}' is no address to send to", options.target));
  for (const auto& [name, value] : options.headers) {
    if (!is_valid_header(name, value))
      return failure(ErrorCode::invalid_config,
                     fmt::format("header '{}' cannot be sent: a name is letters, digits and -_. and the like, a value "
                                 "has no control characters",
                                 name));
  }
  if (!is_valid_header("user-agent", options.user_agent))
    return failure(ErrorCode::invalid_config, "the user agent has control characters");
  const TlsOptions& tls = options.tls_options;
  if (tls.client_cert_file.empty() != tls.client_key_file.empty())
    return failure(ErrorCode::invalid_config, "a client certificate and its key come together or not at all");
  return {};
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

Response not_sent(std::string_view why) {
  Response response;
  response.outcome = Outcome::not_sent;
  response.message = why;
  return response;
}

}  // namespace arca::net
