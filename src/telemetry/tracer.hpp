// TracerProvider and Tracer on the API's headers: a span costs one recycled block, one recycled writer and no malloc.
// Made by Telemetry and installed as the process's global provider.
#pragma once

#include <string_view>

#include "opentelemetry/trace/tracer.h"
#include "opentelemetry/trace/tracer_provider.h"
#include "telemetry/core.hpp"

namespace arca::telemetry {

// Thread-safe. Lives as long as its core, that is, as the process.
class Tracer final : public opentelemetry::trace::Tracer {
 public:
  Tracer(Core& core, std::vector<std::byte> scope_fields)
      : core_(core), scope_(core.resource, std::move(scope_fields)) {}

  using opentelemetry::trace::Tracer::StartSpan;
  opentelemetry::nostd::shared_ptr<opentelemetry::trace::Span> StartSpan(
      opentelemetry::nostd::string_view name, const opentelemetry::common::KeyValueIterable& attributes,
      const opentelemetry::trace::SpanContextKeyValueIterable& links,
      const opentelemetry::trace::StartSpanOptions& options) noexcept override;

#if OPENTELEMETRY_ABI_VERSION_NO == 1
  void ForceFlushWithMicroseconds(std::uint64_t) noexcept override {}  // Telemetry::force_flush tells the truth
  void CloseWithMicroseconds(std::uint64_t) noexcept override {}
#endif

 private:
  Core& core_;
  ScopeContext scope_;
};

// Thread-safe.
class TracerProvider final : public opentelemetry::trace::TracerProvider {
 public:
  explicit TracerProvider(Core& core) : core_(core), tracers_(ScopeTable<Tracer>::make()) {}

#if OPENTELEMETRY_ABI_VERSION_NO >= 2
  opentelemetry::nostd::shared_ptr<opentelemetry::trace::Tracer> GetTracer(
      opentelemetry::nostd::string_view name, opentelemetry::nostd::string_view version,
      opentelemetry::nostd::string_view schema_url,
      const opentelemetry::common::KeyValueIterable* attributes) noexcept override;
#else
  opentelemetry::nostd::shared_ptr<opentelemetry::trace::Tracer> GetTracer(
      opentelemetry::nostd::string_view name, opentelemetry::nostd::string_view version,
      opentelemetry::nostd::string_view schema_url) noexcept override;
#endif

 private:
  Core& core_;
  ScopeTable<Tracer>& tracers_;  // spans refer to their tracer: it stays, as the core does
};

}  // namespace arca::telemetry
