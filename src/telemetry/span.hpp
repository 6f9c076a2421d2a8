// Span: the API's span over a SpanWriter. What the application sets is encoded at once; End() closes the record and
// hands it to the recorder. Made by Tracer only.
#pragma once

#include <memory>
#include <optional>

#include "base/biased_lock.hpp"
#include "opentelemetry/trace/span.h"
#include "os/fork.hpp"
#include "otlp/span_writer.hpp"
#include "telemetry/fast_clock.hpp"
#include "telemetry/recorder.hpp"

namespace arca::telemetry {

struct Core;

// Who a span is: its SpanContext in plain values. The trace state is there only if it is not empty: the API's shared
// pointers cost a virtual call and an atomic operation for each copy.
struct SpanIdentity {
  opentelemetry::trace::TraceId trace_id;
  opentelemetry::trace::SpanId span_id;
  opentelemetry::trace::TraceFlags flags;
  std::optional<opentelemetry::nostd::shared_ptr<opentelemetry::trace::TraceState>> trace_state;

  [[nodiscard]] opentelemetry::trace::SpanContext context() const noexcept;
};

// Thread-safe; cheapest from the thread that started it.
class Span final : public opentelemetry::trace::Span {
 public:
  // `writer` has begun the span. Times given by the application are in `start` (its counter is 0 if there is no
  // steady time).
  Span(Core& core, ScopeContext& scope, SpanIdentity&& identity, std::unique_ptr<otlp::SpanWriter> writer,
       const Moment& start) noexcept
      : core_(core),
        scope_(scope),
        writer_(std::move(writer)),
        identity_(std::move(identity)),
        start_(start),
        generation_(os::fork_generation()) {}
  // A span that was never ended is ended when its last reference goes, as the SDK does it.
  ~Span() override;

  void SetAttribute(opentelemetry::nostd::string_view key,
                    const opentelemetry::common::AttributeValue& value) noexcept override;
  void AddEvent(opentelemetry::nostd::string_view name) noexcept override;
  void AddEvent(opentelemetry::nostd::string_view name,
                opentelemetry::common::SystemTimestamp timestamp) noexcept override;
  void AddEvent(opentelemetry::nostd::string_view name, opentelemetry::common::SystemTimestamp timestamp,
                const opentelemetry::common::KeyValueIterable& attributes) noexcept override;
  void AddEvent(opentelemetry::nostd::string_view name,
                const opentelemetry::common::KeyValueIterable& attributes) noexcept override;
#if OPENTELEMETRY_ABI_VERSION_NO >= 2
  void AddLink(const opentelemetry::trace::SpanContext& target,
               const opentelemetry::common::KeyValueIterable& attributes) noexcept override;
  void AddLinks(const opentelemetry::trace::SpanContextKeyValueIterable& links) noexcept override;
#endif
  void SetStatus(opentelemetry::trace::StatusCode code,
                 opentelemetry::nostd::string_view description) noexcept override;
  void UpdateName(opentelemetry::nostd::string_view name) noexcept override;
  void End(const opentelemetry::trace::EndSpanOptions& options) noexcept override;
  [[nodiscard]] opentelemetry::trace::SpanContext GetContext() const noexcept override { return identity_.context(); }
  [[nodiscard]] bool IsRecording() const noexcept override;

 private:
  template <class Scalar>
  void set_scalar(std::string_view key, Scalar value) noexcept;
  template <class Scalar>
  void set_slowly(std::string_view key, Scalar value) noexcept;
  void set_c_string(std::string_view key, const char* text) noexcept;
  [[gnu::noinline]] void set_any(std::string_view key, const opentelemetry::common::AttributeValue& value) noexcept;
  void add_event(std::string_view name, base::WallTime time,
                 const opentelemetry::common::KeyValueIterable* attributes) noexcept;
  [[nodiscard]] base::WallTime now() noexcept;
  [[nodiscard]] base::WallTime end_time(const opentelemetry::trace::EndSpanOptions& options) noexcept;

  Core& core_;
  ScopeContext& scope_;
  mutable base::BiasedLock lock_;
  std::unique_ptr<otlp::SpanWriter> writer_;  // under lock_; null once the span has ended
  const SpanIdentity identity_;
  const Moment start_;
  const std::uint64_t generation_;  // of forks: a child does not record its parent's spans
};

// Adds a link with its attributes. Used at start and, with the second ABI, later.
void add_link(otlp::SpanWriter& writer, const opentelemetry::trace::SpanContext& target,
              const opentelemetry::common::KeyValueIterable& attributes) noexcept;

}  // namespace arca::telemetry
