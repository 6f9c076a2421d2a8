#include "arca/telemetry.hpp"

#include <exception>

#include "opentelemetry/logs/noop.h"
#include "opentelemetry/metrics/noop.h"
#include "opentelemetry/trace/noop.h"
#include "os/clock.hpp"
#include "telemetry/runtime.hpp"

namespace arca {
namespace {

namespace nostd = opentelemetry::nostd;

os::Clock& system_clock() {
  static auto* const clock = new os::SystemClock;
  return *clock;
}

// The provider, or one that does nothing where telemetry, or this signal, is switched off.
template <class Noop, class Provider>
nostd::shared_ptr<Provider> or_noop(nostd::shared_ptr<Provider> provider) {
  if (provider) return provider;
  return std::shared_ptr<Provider>(new Noop);
}

}  // namespace

Telemetry::Telemetry(std::unique_ptr<telemetry::Runtime> runtime) noexcept : runtime_(std::move(runtime)) {}
Telemetry::~Telemetry() = default;

Result<std::unique_ptr<Telemetry>> Telemetry::start(const Config& config) {
  const auto finalized = finalize(config);
  if (!finalized) return tl::unexpected(finalized.error());
  return start(*finalized);
}

Result<std::unique_ptr<Telemetry>> Telemetry::start(const FinalizedConfig& config) {
  try {
    auto runtime = telemetry::Runtime::start(config, system_clock());
    if (!runtime) return tl::unexpected(runtime.error());
    return std::unique_ptr<Telemetry>(new Telemetry(std::move(*runtime)));
  } catch (const std::exception& error) {
    return failure(ErrorCode::internal, error.what());
  }
}

FlushReport Telemetry::force_flush(std::chrono::milliseconds timeout) {
  try {
    return runtime_->flush(timeout);
  } catch (const std::exception&) {
    return {FlushOutcome::incomplete, 0};
  }
}

FlushReport Telemetry::shutdown(std::chrono::milliseconds timeout) {
  try {
    return runtime_->shutdown(timeout);
  } catch (const std::exception&) {
    return {FlushOutcome::incomplete, 0};
  }
}

Status Telemetry::status() const {
  try {
    return runtime_->status();
  } catch (const std::exception&) {
    return {};
  }
}

nostd::shared_ptr<opentelemetry::trace::TracerProvider> Telemetry::tracer_provider() const {
  return or_noop<opentelemetry::trace::NoopTracerProvider>(runtime_->tracer_provider);
}
nostd::shared_ptr<opentelemetry::logs::LoggerProvider> Telemetry::logger_provider() const {
  return or_noop<opentelemetry::logs::NoopLoggerProvider>(runtime_->logger_provider);
}
nostd::shared_ptr<opentelemetry::metrics::MeterProvider> Telemetry::meter_provider() const {
  return or_noop<opentelemetry::metrics::NoopMeterProvider>(runtime_->meter_provider());
}

}  // namespace arca
