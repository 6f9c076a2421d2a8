// The small encodings that stand in headers: base64, percent-encoding, HTTP dates. Used by the two transports.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace arca::net {

// With or without padding, standard or URL-safe alphabet; nothing if it is neither.
[[nodiscard]] std::optional<std::vector<std::byte>> decode_base64(std::string_view text);

// As gRPC sends grpc-message. A '%' that begins no escape stays as it is.
[[nodiscard]] std::string decode_percent(std::string_view text);

// Retry-After: seconds or an HTTP date (any of the three forms of RFC 9110); never negative. Nothing if it is neither.
[[nodiscard]] std::optional<base::Duration> parse_retry_after(std::string_view text, base::WallTime now);

}  // namespace arca::net
