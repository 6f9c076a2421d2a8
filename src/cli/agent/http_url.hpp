// The parts of an http or https URL that a probe needs. Pure; used by the configuration and by HttpProbe.
#pragma once

#include <cstdint>
#include <string>

#include "arca/result.hpp"

namespace arca::cli::agent {

struct HttpUrl {
  std::string scheme;  // http, https
  std::string host;    // without the brackets of an IPv6 address
  std::uint16_t port = 0;
  std::string target;  // path and query, at least "/"
  std::string full;    // as given; it carries no credentials
};

// Refuses credentials in the URL (they would end up in telemetry), fragments, and anything that is not http(s).
Result<HttpUrl> parse_http_url(const std::string& text);

}  // namespace arca::cli::agent
