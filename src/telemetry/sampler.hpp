// The samplers of the specification as one small value: no virtual call on the hot path.
#pragma once

#include <cstdint>
#include <string_view>

#include "opentelemetry/trace/span_context.h"

namespace arca::telemetry {

// Immutable; safe to share.
class Sampler {
 public:
  // `name` is one of OTEL_TRACES_SAMPLER's; `ratio` from 0 to 1 matters to the ratio samplers only.
  Sampler(std::string_view name, double ratio) noexcept;

  // Whether a span with this trace id and parent (invalid: a root) is recorded and sampled.
  [[nodiscard]] bool samples(const std::uint8_t (&trace_id)[16],
                             const opentelemetry::trace::SpanContext& parent) const noexcept {
    if (parent_based_ && parent.IsValid()) return parent.IsSampled();
    return samples_root(trace_id);
  }
  // The same for a root span.
  [[nodiscard]] bool samples_root(const std::uint8_t (&trace_id)[16]) const noexcept {
    return root_ == Root::on || (root_ == Root::ratio && samples_by_ratio(trace_id));
  }

 private:
  enum class Root : std::uint8_t { on, off, ratio };
  [[nodiscard]] bool samples_by_ratio(const std::uint8_t (&trace_id)[16]) const noexcept;

  Root root_ = Root::on;
  bool parent_based_ = false;
  std::uint64_t threshold_ = 0;  // of 2^63
};

}  // namespace arca::telemetry
