#include "telemetry/api_locks.hpp"

#include <opentelemetry/context/propagation/global_propagator.h>
#include <opentelemetry/logs/provider.h>
#include <opentelemetry/metrics/provider.h>
#include <opentelemetry/trace/provider.h>
#include <pthread.h>

namespace arca::telemetry {
namespace {

using Lock = opentelemetry::common::SpinLockMutex;

// The API keeps its locks private and has no word about forks. An explicit instantiation may name private members:
// each of these defines the function that its tag declares.
struct TraceTag {
  friend Lock& lock_of(TraceTag) noexcept;
};
struct LogTag {
  friend Lock& lock_of(LogTag) noexcept;
};
struct MetricTag {
  friend Lock& lock_of(MetricTag) noexcept;
};
struct PropagationTag {
  friend Lock& lock_of(PropagationTag) noexcept;
};
template <class Tag, Lock& (*GetLock)() noexcept>
struct Opened {
  friend Lock& lock_of(Tag) noexcept { return GetLock(); }
};
template struct Opened<TraceTag, &opentelemetry::trace::Provider::GetLock>;
template struct Opened<LogTag, &opentelemetry::logs::Provider::GetLock>;
template struct Opened<MetricTag, &opentelemetry::metrics::Provider::GetLock>;
template struct Opened<PropagationTag, &opentelemetry::context::propagation::GlobalTextMapPropagator::GetLock>;

void prepare() noexcept {
  lock_of(TraceTag{}).lock();
  lock_of(LogTag{}).lock();
  lock_of(MetricTag{}).lock();
  lock_of(PropagationTag{}).lock();
}

void after() noexcept {
  lock_of(PropagationTag{}).unlock();
  lock_of(MetricTag{}).unlock();
  lock_of(LogTag{}).unlock();
  lock_of(TraceTag{}).unlock();
}

}  // namespace

// A registration of its own, behind that of os/fork: what is registered last is prepared first. The API destroys
// providers under its lock, and they may unsubscribe from forks then, so the API's locks have to come before ours.
void guard_api_locks() {
  static const int registered = pthread_atfork(&prepare, &after, &after);
  static_cast<void>(registered);
}

}  // namespace arca::telemetry
