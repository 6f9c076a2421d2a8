#include "telemetry/span.hpp"

#include <algorithm>

#include "os/fork.hpp"
#include "otlp/span_writer_hot.hpp"
#include "telemetry/api_values.hpp"
#include "telemetry/core.hpp"

namespace arca::telemetry {

namespace trace_api = opentelemetry::trace;
namespace common = opentelemetry::common;
namespace nostd = opentelemetry::nostd;

namespace {

// The empty trace state without an owner: copies cost no atomic operation on a line that all threads share. The
// owning copy is never destroyed, so that spans of static objects may still use it.
const nostd::shared_ptr<trace_api::TraceState>& empty_trace_state() {
  static const auto* const shared = [] {
    static const auto* const owner = new nostd::shared_ptr<trace_api::TraceState>(trace_api::TraceState::GetDefault());
    return new nostd::shared_ptr<trace_api::TraceState>(
        std::shared_ptr<trace_api::TraceState>(std::shared_ptr<void>(), owner->get()));
  }();
  return *shared;
}

// When the library is loaded: a fork must not meet a thread that is just making it.
[[maybe_unused]] const auto& empty_trace_state_at_load = empty_trace_state();

}  // namespace

trace_api::SpanContext SpanIdentity::context() const noexcept {
  return {trace_id, span_id, flags, false, trace_state ? *trace_state : empty_trace_state()};
}

Span::~Span() {
  if (writer_ == nullptr) return;
  Span::End({});
  // Still there only where another thread was writing it when this process was forked: not even to be freed.
  static_cast<void>(writer_.release());
}

void Span::SetAttribute(nostd::string_view key, const common::AttributeValue& value) noexcept {
  dispatch_value(
      value,
      [&](auto scalar) {
        if constexpr (std::is_same_v<decltype(scalar), const char*>) {
          set_c_string(to_std(key), scalar);  // measures it: a call
        } else {
          set_scalar(to_std(key), scalar);
        }
      },
      [&] { set_any(to_std(key), value); });
}

// The first way makes no call at all, so that the compiler needs no stack frame for it.
template <class Scalar>
[[gnu::noinline]] void Span::set_scalar(std::string_view key, Scalar value) noexcept {
  if (const base::OwnerGuard lock(lock_); lock && writer_ != nullptr) [[likely]] {
    if (writer_->add_plain(key, value)) [[likely]]
      return;
  }
  set_slowly(key, value);
}

[[gnu::noinline]] void Span::set_c_string(std::string_view key, const char* text) noexcept {
  set_scalar(key, to_std(text));
}

template <class Scalar>
[[gnu::noinline]] void Span::set_slowly(std::string_view key, Scalar value) noexcept {
  const base::BiasedGuard lock(lock_);
  if (!lock.is_orphaned() && writer_ != nullptr) writer_->set_attribute(key, value);
}

void Span::set_any(std::string_view key, const common::AttributeValue& value) noexcept {
  const base::BiasedGuard lock(lock_);
  if (!lock.is_orphaned() && writer_ != nullptr) writer_->set_attribute(key, to_value(value));
}

void Span::AddEvent(nostd::string_view name) noexcept { add_event(to_std(name), now(), nullptr); }

void Span::AddEvent(nostd::string_view name, common::SystemTimestamp timestamp) noexcept {
  add_event(to_std(name), to_wall_time(timestamp), nullptr);
}

void Span::AddEvent(nostd::string_view name, common::SystemTimestamp timestamp,
                    const common::KeyValueIterable& attributes) noexcept {
  add_event(to_std(name), to_wall_time(timestamp), &attributes);
}

void Span::AddEvent(nostd::string_view name, const common::KeyValueIterable& attributes) noexcept {
  add_event(to_std(name), now(), &attributes);
}

namespace {

template <class Scalar>
void set_event_scalar(otlp::SpanWriter& writer, std::string_view key, Scalar value) noexcept {
  if (!writer.add_plain_to_event(key, value)) writer.set_event_attribute(key, value);
}
void set_event_scalar(otlp::SpanWriter& writer, std::string_view key, const char* text) noexcept {
  set_event_scalar(writer, key, to_std(text));
}

}  // namespace

void Span::add_event(std::string_view name, base::WallTime time, const common::KeyValueIterable* attributes) noexcept {
  const base::BiasedGuard lock(lock_);
  if (lock.is_orphaned() || writer_ == nullptr || !writer_->begin_event(name, time)) return;
  if (attributes != nullptr) {
    attributes->ForEachKeyValue([this](nostd::string_view key, const common::AttributeValue& value) noexcept {
      dispatch_value(
          value, [&](auto scalar) { set_event_scalar(*writer_, to_std(key), scalar); },
          [&] { writer_->set_event_attribute(to_std(key), to_value(value)); });
      return true;
    });
  }
  writer_->end_event();
}

void add_link(otlp::SpanWriter& writer, const trace_api::SpanContext& target,
              const common::KeyValueIterable& attributes) noexcept {
  // ToHeader allocates, so only for those who have one.
  const auto& state = target.trace_state();
  const std::string header = state && !state->Empty() ? state->ToHeader() : std::string();
  const bool begun = writer.begin_link({.trace_id = to_trace_id(target.trace_id()),
                                        .span_id = to_span_id(target.span_id()),
                                        .trace_state = header,
                                        .flags = otlp::span_flags(target.trace_flags().flags(), target.IsRemote())});
  if (!begun) return;
  attributes.ForEachKeyValue([&writer](nostd::string_view key, const common::AttributeValue& value) noexcept {
    writer.set_link_attribute(to_std(key), to_value(value));
    return true;
  });
  writer.end_link();
}

#if OPENTELEMETRY_ABI_VERSION_NO >= 2
void Span::AddLink(const trace_api::SpanContext& target, const common::KeyValueIterable& attributes) noexcept {
  const base::BiasedGuard lock(lock_);
  if (!lock.is_orphaned() && writer_ != nullptr) add_link(*writer_, target, attributes);
}

void Span::AddLinks(const trace_api::SpanContextKeyValueIterable& links) noexcept {
  const base::BiasedGuard lock(lock_);
  if (lock.is_orphaned() || writer_ == nullptr) return;
  links.ForEachKeyValue([this](trace_api::SpanContext target, const common::KeyValueIterable& attributes) noexcept {
    add_link(*writer_, target, attributes);
    return true;
  });
}
#endif

void Span::SetStatus(trace_api::StatusCode code, nostd::string_view description) noexcept {
  const base::BiasedGuard lock(lock_);
  if (lock.is_orphaned() || writer_ == nullptr) return;
  // The API numbers them as OTLP does.
  writer_->set_status(static_cast<otlp::SpanStatus>(code), to_std(description));
}

void Span::UpdateName(nostd::string_view name) noexcept {
  const base::BiasedGuard lock(lock_);
  if (!lock.is_orphaned() && writer_ != nullptr) writer_->set_name(to_std(name));
}

bool Span::IsRecording() const noexcept {
  const base::BiasedGuard lock(lock_);
  return !lock.is_orphaned() && writer_ != nullptr;
}

base::WallTime Span::now() noexcept {
  // Within a span, time runs by the counter: events and end never stand before the start.
  if (start_.counter != 0) return to_wall_time(start_.unix_nanos + core_.clock.nanos_since(start_));
  return to_wall_time(core_.clock.now().unix_nanos);
}

base::WallTime Span::end_time(const trace_api::EndSpanOptions& options) noexcept {
  const auto given = static_cast<std::uint64_t>(options.end_steady_time.time_since_epoch().count());
  if (given == 0) return now();
  if (start_.is_ticks || start_.counter == 0) {
    // The start has no steady time to compare with: the given end is as long ago as the steady clock says.
    const auto ago = static_cast<std::int64_t>(core_.clock.steady_nanos() - given);
    const auto end = now() - base::Duration(ago);
    return std::max(end, to_wall_time(start_.unix_nanos));
  }
  return to_wall_time(start_.unix_nanos + (given > start_.counter ? given - start_.counter : 0));
}

void Span::End(const trace_api::EndSpanOptions& options) noexcept {
  std::unique_ptr<otlp::SpanWriter> writer;
  {
    const base::BiasedGuard lock(lock_);
    if (lock.is_orphaned()) return;
    writer = std::move(writer_);
  }
  if (writer == nullptr) return;
  ThreadCache* cache = ThreadCache::mine();
  if (generation_ == os::fork_generation()) {
    if (cache != nullptr) cache->count(Count::span_ended);
    core_.recorder.record(model::Signal::traces, scope_, writer->end(end_time(options)), 1);
  }
  if (cache != nullptr) cache->give(std::move(writer));
}

}  // namespace arca::telemetry
