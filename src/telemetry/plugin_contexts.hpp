// PluginContexts: the resource and scopes that a plug-in has met, as bytes. The SDK hands references to objects that
// may die before the records leave, so nothing of them is kept but copies.
#pragma once

#include <deque>
#include <memory>
#include <mutex>

#include "opentelemetry/sdk/instrumentationscope/instrumentation_scope.h"
#include "opentelemetry/sdk/resource/resource.h"
#include "telemetry/recorder.hpp"

namespace arca::telemetry {

// Thread-safe. Of one processor, hence of one provider with one resource. Never destroyed, as spans may end after
// their processor.
class PluginContexts {
 public:
  static PluginContexts& make();

  void set_resource(const opentelemetry::sdk::resource::Resource& resource);
  // The same scope, compared by value, gives the same context.
  ScopeContext& context_of(const opentelemetry::sdk::instrumentationscope::InstrumentationScope& scope);
  // For records whose scope was never told.
  ScopeContext& unnamed();

 private:
  struct Entry {
    opentelemetry::sdk::instrumentationscope::InstrumentationScope scope;
    std::unique_ptr<ScopeContext> context;
  };

  ResourceSlot resource_{{}};
  std::atomic<bool> has_resource_{false};
  std::mutex mutex_;
  std::deque<Entry> entries_;  // protected by mutex_
  ScopeContext unnamed_{resource_, {}};
};

}  // namespace arca::telemetry
