#include "cli/agent/http_url.hpp"

#include <algorithm>

#include "cli/agent/text.hpp"

namespace arca::cli::agent {

Result<HttpUrl> parse_http_url(const std::string& text) {
  const auto refuse = [&](const std::string& why) {
    return failure(ErrorCode::invalid_config, "\"" + text + "\" " + why + "; wanted is http://host[:port][/path]");
  };
  HttpUrl url;
  const std::size_t colon = text.find("://");
  if (colon == std::string::npos) return refuse("has no scheme");
  url.scheme = text.substr(0, colon);
  if (url.scheme != "http" && url.scheme != "https") return refuse("is neither http nor https");
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!printable || text.find('#') != std::string::npos) return refuse("has characters that no request may carry");
  std::string authority = text.substr(colon + 3);
  const std::size_t path = authority.find_first_of("/?");
  url.target = path == std::string::npos ? "/" : authority.substr(path);
  if (url.target[0] == '?') url.target.insert(0, "/");
  authority.resize(std::min(path, authority.size()));
  if (authority.find('@') != std::string::npos) return refuse("carries credentials; use headers");
  std::size_t host_end = authority.rfind(':');
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string::npos) return refuse("has an address without its closing bracket");
    url.host = authority.substr(1, close - 1);
    host_end = close + 1 < authority.size() ? close + 1 : std::string::npos;
    if (host_end != std::string::npos && authority[host_end] != ':') return refuse("has no valid host");
  } else {
    url.host = authority.substr(0, host_end);
  }
  if (url.host.empty() || (url.host.find(':') != std::string::npos && authority[0] != '[')) {
    return refuse("has no valid host");
  }
  url.port = url.scheme == "https" ? 443 : 80;
  if (host_end != std::string::npos) {
    const auto port = to_number<std::uint16_t>(std::string_view(authority).substr(host_end + 1));
    if (!port || *port == 0) return refuse("has no valid port");
    url.port = *port;
  }
  url.full = text;
  return url;
}

}  // namespace arca::cli::agent
