// What both transports check and say in the same way.
#pragma once

#include <string>
#include <string_view>

#include "arca/result.hpp"
#include "net/transport.hpp"

namespace arca::net {

// ErrorCode::invalid_config for options that no request could be sent with.
[[nodiscard]] Result<void> check_transport_options(const TransportOptions& options);

[[nodiscard]] std::string to_lower(std::string_view text);
[[nodiscard]] Response not_sent(std::string_view why);

}  // namespace arca::net
