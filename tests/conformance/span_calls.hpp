// A random span made through the API: the same seed makes the same calls on any tracer. With it, an account of what
// our message must say where the stock recordable's says nothing, or says it wrong. Used by the laws of tracer and
// span processor.
#pragma once

#include <opentelemetry/proto/trace/v1/trace.pb.h>
#include <opentelemetry/trace/context.h>
#include <opentelemetry/trace/default_span.h>
#include <opentelemetry/trace/scope.h>
#include <opentelemetry/trace/tracer.h>

#include <optional>

#include "conformance/differences.hpp"

namespace arca::conformance {

namespace trace_api = opentelemetry::trace;
using ProtoSpan = pb::trace::v1::Span;

struct SpanAccount {
  std::uint32_t flags = 0;
  std::uint32_t random_flag = 0;  // whether the trace id is known to be random: if its maker said so
  std::vector<std::uint32_t> link_flags;
  pb::trace::v1::Status status;
};

class SpanCalls {
 public:
  explicit SpanCalls(std::uint64_t seed) : values_(seed) {}

  // Makes the span; its context is told to `meet` before anything else happens.
  template <class Meet>
  SpanAccount make(trace_api::Tracer& tracer, Meet meet) {
    trace_api::StartSpanOptions options;
    options.kind = static_cast<trace_api::SpanKind>(random_.below(5));
    const auto steady = static_cast<std::int64_t>((std::uint64_t{1} << 61U) + (random_.word() >> 3U));
    options.start_system_time = common::SystemTimestamp(nanoseconds(1 + (random_.word() >> 2U)));
    options.start_steady_time = common::SteadyTimestamp(nanoseconds(steady));
    std::unique_ptr<trace_api::Scope> scope;
    const auto parent = draw_parent(options, scope);
    const auto links = draw_links();
    const std::string& name = values_.name();
    const auto attributes = values_.attributes(10);
    const auto span = tracer.StartSpan(name, attributes, links, options);
    meet(span->GetContext());
    account_.flags = span->GetContext().trace_flags().flags() | remote_bits(parent && parent->IsRemote());
    account_.random_flag = parent ? parent->trace_flags().flags() & 2U : 2U;
    for (std::uint64_t i = random_.below(25); i > 0; --i) call(*span);
    const SpanAccount account = account_;
    trace_api::EndSpanOptions end;
    const auto duration = static_cast<std::int64_t>(random_.word() >> 3U);
    end.end_steady_time =
        common::SteadyTimestamp(nanoseconds(random_.chance(20) ? steady - duration : steady + duration));
    span->End(end);
    for (std::uint64_t i = random_.below(3); i > 0; --i) call(*span);  // too late
    span->End();
    return account;
  }

 private:
  using nanoseconds = std::chrono::nanoseconds;
  template <class T>
  using shared_ptr = opentelemetry::nostd::shared_ptr<T>;

  // Says that bit 9 is known, and whether it is set.
  static std::uint32_t remote_bits(bool is_remote) { return 0x100U | (is_remote ? 0x200U : 0U); }

  trace_api::SpanContext draw_context() {
    const auto trace_id = random_.id<16>();
    const auto span_id = random_.id<8>();
    constexpr const char* states[] = {"", "vendor=value", "a=1,b=2"};
    return {trace_api::TraceId(trace_id), trace_api::SpanId(span_id),
            trace_api::TraceFlags(static_cast<std::uint8_t>(random_.below(256))), random_.chance(2),
            trace_api::TraceState::FromHeader(states[random_.below(3)])};
  }

  // All ways to say who the parent is. Returns who it is.
  std::optional<trace_api::SpanContext> draw_parent(trace_api::StartSpanOptions& options,
                                                    std::unique_ptr<trace_api::Scope>& scope) {
    const auto span_of = [](const trace_api::SpanContext& of) {
      return shared_ptr<trace_api::Span>(new trace_api::DefaultSpan(of));
    };
    std::optional<trace_api::SpanContext> parent;
    if (random_.chance(3)) {
      parent = draw_context();
      scope = std::make_unique<trace_api::Scope>(span_of(*parent));
    }
    opentelemetry::context::Context given;
    switch (random_.below(6)) {
      case 0:
        options.parent = given;  // without a span: the current one, as with the stock SDK
        break;
      case 1:
        options.parent = given.SetValue(trace_api::kIsRootSpanKey, true);
        return std::nullopt;
      case 2:
        parent = draw_context();
        options.parent = trace_api::SetSpan(given, span_of(*parent));
        break;
      case 3:
        parent = draw_context();
        options.parent = *parent;
        break;
      default:
        break;
    }
    return parent;
  }

  std::vector<std::pair<trace_api::SpanContext, ApiValues::Attributes>> draw_links() {
    std::vector<std::pair<trace_api::SpanContext, ApiValues::Attributes>> links;
    for (std::uint64_t i = random_.below(4); i > 0; --i) {
      const auto target = random_.chance(10) ? trace_api::SpanContext::GetInvalid() : draw_context();
      links.emplace_back(target, values_.attributes(6));
      account_.link_flags.push_back(target.trace_flags().flags() | remote_bits(target.IsRemote()));
    }
    return links;
  }

  void call(trace_api::Span& span) {
    switch (random_.below(9)) {
      case 0:
        span.UpdateName(values_.name());
        break;
      case 1: {
        const common::SystemTimestamp time{nanoseconds(values_.time())};
        const std::string& name = values_.name();
        if (random_.chance(2)) {
          span.AddEvent(name, time);
        } else {
          span.AddEvent(name, time, values_.attributes(8));
        }
        break;
      }
      case 2:
        set_status(span, static_cast<trace_api::StatusCode>(random_.below(3)), values_.name());
        break;
      default: {
        const std::string& key = values_.key();
        span.SetAttribute(key, values_.value(key));
      }
    }
  }

  // As the specification has it: ok is final, unset changes nothing, only an error has a description.
  void set_status(trace_api::Span& span, trace_api::StatusCode code, const std::string& description) {
    span.SetStatus(code, description);
    auto& status = account_.status;
    if (status.code() == pb::trace::v1::Status::STATUS_CODE_OK || code == trace_api::StatusCode::kUnset) return;
    status.set_code(static_cast<pb::trace::v1::Status::StatusCode>(code));
    status.set_message(code == trace_api::StatusCode::kError ? repaired(description) : "");
  }

  ApiValues values_;
  RandomValues& random_ = values_.random;
  SpanAccount account_;
};

// What the stock recordable's span must be from us.
inline ProtoSpan as_ours(ProtoSpan span, const SpanAccount& account) {
  span.set_name(repaired(span.name()));
  // The stock one leaves out whether the trace id is random and whether the parent is remote.
  span.set_flags(account.flags);
  // A span that ends before it started has no duration; the stock one has a negative one.
  const auto duration = static_cast<std::int64_t>(span.end_time_unix_nano() - span.start_time_unix_nano());
  if (duration < 0) span.set_end_time_unix_nano(span.start_time_unix_nano());
  as_ours(*span.mutable_attributes());
  for (auto& event : *span.mutable_events()) {
    event.set_name(repaired(event.name()));
    event.set_time_unix_nano(known_time(event.time_unix_nano()));
    as_ours(*event.mutable_attributes());
  }
  for (int i = 0; i < span.links_size(); ++i) {
    auto& link = *span.mutable_links(i);
    link.set_flags(account.link_flags.at(static_cast<std::size_t>(i)));  // the stock one has none
    as_ours(*link.mutable_attributes());
  }
  // The stock one takes the last call, whatever was said before, and keeps descriptions of what was an error.
  span.clear_status();
  if (account.status.code() != pb::trace::v1::Status::STATUS_CODE_UNSET) *span.mutable_status() = account.status;
  return span;
}

inline ProtoSpan sorted_ours(ProtoSpan span) {
  sort_ours(*span.mutable_attributes());
  for (auto& event : *span.mutable_events()) sort_ours(*event.mutable_attributes());
  for (auto& link : *span.mutable_links()) sort_ours(*link.mutable_attributes());
  return span;
}

}  // namespace arca::conformance
