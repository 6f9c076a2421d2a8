// Resource and instrumentation scope as the byte strings of model::ContextView: everything of ResourceX but its
// scopes, everything of ScopeX but its records. Encoded once per tracer, logger or meter; used by telemetry.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "arca/result.hpp"
#include "otlp/value.hpp"

namespace arca::otlp {

// Attribute keys must be unique; of two equal ones the last wins.
Result<std::vector<std::byte>> encode_resource(std::span<const Attribute> attributes, std::string_view schema_url);

struct ScopeDescription {
  std::string_view name{};
  std::string_view version{};
  std::string_view schema_url{};
  std::span<const Attribute> attributes{};
};
Result<std::vector<std::byte>> encode_scope(const ScopeDescription& scope);

}  // namespace arca::otlp
