// W3C trace context, read strictly: what is malformed is ignored as a whole, as the recommendation asks. (The API's
// own propagator takes upper-case digits and flags of unknown meaning.)
#pragma once

#include <optional>
#include <string_view>

#include "opentelemetry/context/propagation/text_map_propagator.h"
#include "opentelemetry/trace/span_context.h"

namespace arca::telemetry {

// A remote span context, or nothing if `traceparent` is malformed. A malformed or absent `tracestate` gives an
// empty state, never a lost parent.
std::optional<opentelemetry::trace::SpanContext> parse_trace_context(std::string_view traceparent,
                                                                     std::string_view tracestate) noexcept;

// Thread-safe.
class TraceContextPropagator final : public opentelemetry::context::propagation::TextMapPropagator {
 public:
  opentelemetry::context::Context Extract(const opentelemetry::context::propagation::TextMapCarrier& carrier,
                                          opentelemetry::context::Context& context) noexcept override;
  void Inject(opentelemetry::context::propagation::TextMapCarrier& carrier,
              const opentelemetry::context::Context& context) noexcept override;
  bool Fields(
      opentelemetry::nostd::function_ref<bool(opentelemetry::nostd::string_view)> callback) const noexcept override;
};

}  // namespace arca::telemetry
