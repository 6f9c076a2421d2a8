// The resource: who tells. Found once at start (and again in a forked child, whose process is another one).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "arca/config.hpp"

namespace arca::telemetry {

using ResourceValue = std::variant<std::string, std::int64_t, std::vector<std::string>>;
using ResourceAttributes = std::vector<std::pair<std::string, ResourceValue>>;

// Attributes with unique keys. What the user has set wins over what was detected; service_name wins over all.
ResourceAttributes make_resource(const Settings& settings);

// All fields of ResourceSpans, ResourceLogs or ResourceMetrics but the scopes.
std::vector<std::byte> resource_fields(const ResourceAttributes& attributes);

}  // namespace arca::telemetry
