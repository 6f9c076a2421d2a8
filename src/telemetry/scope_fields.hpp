// Scope and resource as wire bytes, from the API's types.
#pragma once

#include <string_view>
#include <vector>

#include "opentelemetry/common/key_value_iterable.h"

namespace arca::telemetry {

// All fields of ScopeSpans, ScopeLogs or ScopeMetrics but the records. `attributes` may be null.
std::vector<std::byte> scope_fields(std::string_view name, std::string_view version, std::string_view schema_url,
                                    const opentelemetry::common::KeyValueIterable* attributes);

}  // namespace arca::telemetry
