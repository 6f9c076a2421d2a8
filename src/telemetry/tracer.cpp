#include "telemetry/tracer.hpp"

#include <atomic>
#include <cstring>
#include <optional>
#include <utility>

#include "opentelemetry/context/runtime_context.h"
#include "opentelemetry/trace/context.h"
#include "opentelemetry/trace/default_span.h"
#include "opentelemetry/trace/noop.h"
#include "os/log.hpp"
#include "telemetry/api_values.hpp"
#include "telemetry/ids.hpp"
#include "telemetry/scope_fields.hpp"
#include "telemetry/span.hpp"

namespace arca::telemetry {

namespace trace_api = opentelemetry::trace;
namespace common = opentelemetry::common;
namespace context = opentelemetry::context;
namespace nostd = opentelemetry::nostd;

namespace {

using ApiSpan = std::shared_ptr<trace_api::Span>;

// What is returned when there is no memory for anything better.
ApiSpan no_span() noexcept {
  static auto* const span = new trace_api::DefaultSpan(trace_api::SpanContext::GetInvalid());
  return {std::shared_ptr<void>(), span};
}

const nostd::shared_ptr<trace_api::Span>* span_in(const context::ContextValue& value) noexcept {
  const auto* span = nostd::get_if<nostd::shared_ptr<trace_api::Span>>(&value);
  return span != nullptr && *span ? span : nullptr;
}

// The API hands its storage of contexts out as a shared pointer: for each span two atomic operations on a count that
// all threads share. It allows the storage to be set only before the first span, so the one found then is kept, with
// a reference that is never given back.
context::RuntimeContextStorage& context_storage() noexcept {
  static constinit std::atomic<context::RuntimeContextStorage*> kept{nullptr};
  if (auto* storage = kept.load(std::memory_order_acquire)) [[likely]]
    return *storage;
  using Reference = nostd::shared_ptr<const context::RuntimeContextStorage>;
  static constinit std::atomic<Reference*> references{nullptr};
  auto* reference = new Reference(context::RuntimeContext::GetConstRuntimeContextStorage());
  Reference* none = nullptr;
  if (!references.compare_exchange_strong(none, reference)) delete std::exchange(reference, none);
  // The object itself is not const; the API has no other way to it.
  auto* storage = const_cast<context::RuntimeContextStorage*>(reference->get());
  kept.store(storage, std::memory_order_release);
  return *storage;
}

// The parent as the specification finds it: an explicit span context, else the span of an explicit context, else the
// current span; a context may ask for a root. Nothing, or a valid context.
std::optional<trace_api::SpanContext> parent_of(const trace_api::StartSpanOptions& options) noexcept {
  if (const auto* given = nostd::get_if<trace_api::SpanContext>(&options.parent)) {
    if (given->IsValid()) return *given;
  } else if (const auto* explicit_context = nostd::get_if<context::Context>(&options.parent)) {
    const auto value = explicit_context->GetValue(trace_api::kSpanKey);
    if (const auto* span = span_in(value)) {
      auto found = (*span)->GetContext();
      if (found.IsValid()) return found;
    }
    if (trace_api::IsRootSpan(*explicit_context)) return std::nullopt;
  }
  const auto value = context_storage().GetCurrent().GetValue(trace_api::kSpanKey);
  if (const auto* span = span_in(value)) {
    auto found = (*span)->GetContext();
    if (found.IsValid()) return found;
  }
  return std::nullopt;
}

Count started(bool sampled, const std::optional<trace_api::SpanContext>& parent) noexcept {
  if (!parent) return sampled ? Count::span_recorded_root : Count::span_dropped_root;
  if (parent->IsRemote()) return sampled ? Count::span_recorded_remote : Count::span_dropped_remote;
  return sampled ? Count::span_recorded_local : Count::span_dropped_local;
}

Moment start_moment(FastClock& clock, const trace_api::StartSpanOptions& options) noexcept {
  Moment start = clock.now();
  const auto system = options.start_system_time.time_since_epoch().count();
  const auto steady = options.start_steady_time.time_since_epoch().count();
  if (system > 0) start.unix_nanos = static_cast<std::uint64_t>(system);
  if (steady > 0) {
    start.counter = static_cast<std::uint64_t>(steady);
    start.is_ticks = false;
  }
  return start;
}

void begin(otlp::SpanWriter& writer, const Core& core, const SpanIdentity& own,
           const std::optional<trace_api::SpanContext>& parent, std::string_view name, trace_api::SpanKind kind,
           const Moment& start) noexcept {
  const std::string header = own.trace_state ? (*own.trace_state)->ToHeader() : std::string();
  otlp::SpanStart span{.trace_id = to_trace_id(own.trace_id),
                       .span_id = to_span_id(own.span_id),
                       .trace_state = header,
                       .flags = otlp::span_flags(own.flags.flags(), parent && parent->IsRemote()),
                       .kind = static_cast<otlp::SpanKind>(static_cast<int>(kind) + 1),
                       .start_time = to_wall_time(start.unix_nanos),
                       .name = name};
  if (parent) span.parent_span_id = to_span_id(parent->span_id());
  writer.begin(span, core.span_limits);
}

// Returns whether the span is recorded.
bool identify(const Core& core, const std::optional<trace_api::SpanContext>& parent, SpanIdentity& own) noexcept {
  std::uint8_t trace_id[16];
  std::uint8_t span_id[8];
  std::uint8_t random = 0x02;  // the flag that says that the trace id is random: ours are
  bool sampled = false;
  if (parent) {
    std::memcpy(trace_id, parent->trace_id().Id().data(), sizeof trace_id);
    make_span_id(span_id);
    random &= parent->trace_flags().flags();  // a parent's statement is passed on
    sampled = core.sampler.samples(trace_id, *parent);
    const auto& state = parent->trace_state();
    if (state && !state->Empty()) own.trace_state = state;
  } else {
    make_trace_and_span_id(trace_id, span_id);
    sampled = core.sampler.samples_root(trace_id);
  }
  own.trace_id = trace_api::TraceId(trace_id);
  own.span_id = trace_api::SpanId(span_id);
  own.flags =
      trace_api::TraceFlags(static_cast<std::uint8_t>(random | (sampled ? trace_api::TraceFlags::kIsSampled : 0U)));
  return sampled;
}

[[gnu::noinline]] void set_attributes(otlp::SpanWriter& writer, const common::KeyValueIterable& attributes) noexcept {
  attributes.ForEachKeyValue([&writer](nostd::string_view key, const common::AttributeValue& value) noexcept {
    writer.set_attribute(to_std(key), to_value(value));
    return true;
  });
}

[[gnu::noinline]] void add_links(otlp::SpanWriter& writer,
                                 const trace_api::SpanContextKeyValueIterable& links) noexcept {
  links.ForEachKeyValue(
      [&writer](const trace_api::SpanContext& target, const common::KeyValueIterable& of_link) noexcept {
        add_link(writer, target, of_link);
        return true;
      });
}

template <class T>
nostd::shared_ptr<T> without_owner(T& object) noexcept {
  return std::shared_ptr<T>(std::shared_ptr<void>(), &object);
}

}  // namespace

nostd::shared_ptr<trace_api::Span> Tracer::StartSpan(nostd::string_view name,
                                                     const common::KeyValueIterable& attributes,
                                                     const trace_api::SpanContextKeyValueIterable& links,
                                                     const trace_api::StartSpanOptions& options) noexcept {
  ThreadCache* cache = ThreadCache::mine();
  if (cache == nullptr) return no_span();
  const std::optional<trace_api::SpanContext> parent = parent_of(options);
  SpanIdentity own;
  const bool sampled = identify(core_, parent, own);
  cache->count(started(sampled, parent));
  try {
    auto writer = sampled ? cache->take_span_writer() : nullptr;
    if (writer == nullptr) {
      return ApiSpan(
          std::allocate_shared<trace_api::DefaultSpan>(BlockAllocator<trace_api::DefaultSpan>(), own.context()));
    }
    const Moment start = start_moment(core_.clock, options);
    begin(*writer, core_, own, parent, to_std(name), options.kind, start);
    if (attributes.size() != 0) set_attributes(*writer, attributes);
    if (links.size() != 0) add_links(*writer, links);
    return ApiSpan(
        std::allocate_shared<Span>(BlockAllocator<Span>(), core_, scope_, std::move(own), std::move(writer), start));
  } catch (const std::exception&) {
    return no_span();  // no memory
  }
}

namespace {

Tracer& find_tracer(Core& core, ScopeTable<Tracer>& tracers, std::string_view name, std::string_view version,
                    std::string_view schema_url, const common::KeyValueIterable* attributes) {
  auto fields = scope_fields(name, version, schema_url, attributes);
  const std::string key = std::string(base::as_text(fields));
  return tracers.find_or_make(key, [&] { return std::make_unique<Tracer>(core, std::move(fields)); });
}

nostd::shared_ptr<trace_api::Tracer> get_tracer(Core& core, ScopeTable<Tracer>& tracers, nostd::string_view name,
                                                nostd::string_view version, nostd::string_view schema_url,
                                                const common::KeyValueIterable* attributes) noexcept {
  try {
    trace_api::Tracer& tracer =
        find_tracer(core, tracers, to_std(name), to_std(version), to_std(schema_url), attributes);
    return without_owner(tracer);
  } catch (const std::exception& error) {
    os::log(os::LogLevel::error, "a tracer that does nothing is returned: {}", error.what());
    static auto* const noop = new trace_api::NoopTracer;
    return without_owner<trace_api::Tracer>(*noop);
  }
}

}  // namespace

#if OPENTELEMETRY_ABI_VERSION_NO >= 2
nostd::shared_ptr<trace_api::Tracer> TracerProvider::GetTracer(nostd::string_view name, nostd::string_view version,
                                                               nostd::string_view schema_url,
                                                               const common::KeyValueIterable* attributes) noexcept {
  return get_tracer(core_, tracers_, name, version, schema_url, attributes);
}
#else
nostd::shared_ptr<trace_api::Tracer> TracerProvider::GetTracer(nostd::string_view name, nostd::string_view version,
                                                               nostd::string_view schema_url) noexcept {
  return get_tracer(core_, tracers_, name, version, schema_url, nullptr);
}
#endif

}  // namespace arca::telemetry
