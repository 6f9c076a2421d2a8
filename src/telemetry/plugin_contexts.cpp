#include "telemetry/plugin_contexts.hpp"

#include "os/log.hpp"
#include "otlp/context_encoder.hpp"
#include "telemetry/owned_values.hpp"

namespace arca::telemetry {

PluginContexts& PluginContexts::make() {
  // Kept reachable, so that leak checkers see that it is meant.
  static auto* const mutex = new std::mutex;
  static auto* const all = new std::vector<std::unique_ptr<PluginContexts>>;
  const std::lock_guard lock(*mutex);
  all->push_back(std::make_unique<PluginContexts>());
  return *all->back();
}

void PluginContexts::set_resource(const opentelemetry::sdk::resource::Resource& resource) {
  if (has_resource_.load(std::memory_order_acquire)) [[likely]]
    return;
  const std::lock_guard lock(mutex_);
  if (has_resource_.load(std::memory_order_relaxed)) return;
  const OwnedAttributes attributes(resource.GetAttributes());
  auto bytes = otlp::encode_resource(attributes.get(), resource.GetSchemaURL());
  if (bytes) {
    resource_.replace(std::move(*bytes));
  } else {
    os::log(os::LogLevel::error, "the resource is left out: {}", bytes.error().message());
  }
  has_resource_.store(true, std::memory_order_release);
}

ScopeContext& PluginContexts::context_of(const opentelemetry::sdk::instrumentationscope::InstrumentationScope& scope) {
  const std::lock_guard lock(mutex_);
  for (const Entry& entry : entries_) {
    if (entry.scope.HashCode() == scope.HashCode() && entry.scope == scope) return *entry.context;
  }
  const OwnedAttributes attributes(scope.GetAttributes());
  auto bytes = otlp::encode_scope({.name = scope.GetName(),
                                   .version = scope.GetVersion(),
                                   .schema_url = scope.GetSchemaURL(),
                                   .attributes = attributes.get()});
  if (!bytes) return unnamed_;
  entries_.push_back({scope, std::make_unique<ScopeContext>(resource_, std::move(*bytes))});
  return *entries_.back().context;
}

ScopeContext& PluginContexts::unnamed() { return unnamed_; }

}  // namespace arca::telemetry
