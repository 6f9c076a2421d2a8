// Context in headers: inject the current context into outgoing headers, extract one from incoming headers. The two
// helpers fit any HTTP library, because all they need is a function that sets and one that gets a header. Used by
// clients and servers; the format is that of OTEL_PROPAGATORS (W3C trace context and baggage by default).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "arca/export.hpp"
#include "opentelemetry/context/context.h"
#include "opentelemetry/context/propagation/text_map_propagator.h"

namespace arca {

// Sets one header of an outgoing message.
using HeaderSetter = std::function<void(std::string_view name, std::string_view value)>;
// Returns the value of an incoming header, or an empty text. Names are asked for as the formats write them; a library
// whose look-up distinguishes case is helped by find_header below.
using HeaderGetter = std::function<std::string_view(std::string_view name)>;

// Writes the current context (or `context`) by the global propagator. Never throws.
ARCA_EXPORT void inject(const HeaderSetter& set_header) noexcept;
ARCA_EXPORT void inject(const HeaderSetter& set_header, const opentelemetry::context::Context& context) noexcept;

// Reads a context by the global propagator: the current one, with the caller's span and baggage in it. Bad headers are
// ignored, as the specifications say. Never throws.
ARCA_EXPORT opentelemetry::context::Context extract(const HeaderGetter& get_header) noexcept;

// Whether two header names are equal: ASCII letters of either case are.
ARCA_EXPORT bool same_header(std::string_view left, std::string_view right) noexcept;

// Finds a header in any range of name-value pairs (std::map, std::multimap, a vector of pairs), whatever its case.
template <class Headers>
std::string_view find_header(const Headers& headers, std::string_view name) noexcept {
  for (const auto& [key, value] : headers) {
    if (same_header(key, name)) return value;
  }
  return {};
}

// A propagator for names as OTEL_PROPAGATORS has them: tracecontext, baggage, b3, b3multi, none. For code that
// doesn't want the global one.
ARCA_EXPORT std::unique_ptr<opentelemetry::context::propagation::TextMapPropagator> make_propagator(
    const std::vector<std::string>& names);

}  // namespace arca
