// One call starts everything: providers for traces, logs and metrics, propagators, and the machine that delivers what
// they record and keeps what it cannot deliver. The owner that it returns flushes when it is destroyed. Used by
// applications, once, at the beginning of main.
//
//   auto telemetry = arca::Telemetry::start();   // from OTEL_* and ARCA_* variables alone
//   if (!telemetry) { std::cerr << telemetry.error().message() << '\n'; return 1; }
#pragma once

#include <chrono>
#include <memory>

#include "arca/config.hpp"
#include "arca/export.hpp"
#include "arca/result.hpp"
#include "arca/status.hpp"
#include "opentelemetry/logs/logger_provider.h"
#include "opentelemetry/metrics/meter_provider.h"
#include "opentelemetry/nostd/shared_ptr.h"
#include "opentelemetry/trace/tracer_provider.h"

namespace arca {

namespace telemetry {
class Runtime;
}

// Thread-safe. After shutdown (or its destructor) spans and loggers that the application still holds do nothing; they
// stay valid for as long as the process lives.
//
// In a forked child the same objects go on working: at the child's first record it gets a writer, a pool and threads
// of its own. Spans begun before the fork are recorded by the parent only.
class ARCA_EXPORT Telemetry {
 public:
  // Finalizes the config with the environment and starts. An error says which key, which value, what is allowed.
  static Result<std::unique_ptr<Telemetry>> start(const Config& config = {});
  static Result<std::unique_ptr<Telemetry>> start(const FinalizedConfig& config);
  // Shuts down within the configured ARCA_SHUTDOWN_TIMEOUT.
  ~Telemetry();
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;

  // Tries to deliver everything accepted so far and says what has become of it. Waits no longer than `timeout`.
  FlushReport force_flush(std::chrono::milliseconds timeout);
  // Restores the providers that do nothing, stops recording, tries to deliver until shortly before the deadline, makes
  // the rest durable for the next start, and returns in time whatever the Collector does. A second call does nothing.
  FlushReport shutdown(std::chrono::milliseconds timeout);
  [[nodiscard]] Status status() const;

  // The providers, also for those who did not want them installed as global ones.
  [[nodiscard]] opentelemetry::nostd::shared_ptr<opentelemetry::trace::TracerProvider> tracer_provider() const;
  [[nodiscard]] opentelemetry::nostd::shared_ptr<opentelemetry::logs::LoggerProvider> logger_provider() const;
  [[nodiscard]] opentelemetry::nostd::shared_ptr<opentelemetry::metrics::MeterProvider> meter_provider() const;

  // For the plug-ins (plugins.hpp).
  [[nodiscard]] telemetry::Runtime& runtime() const noexcept { return *runtime_; }

 private:
  explicit Telemetry(std::unique_ptr<telemetry::Runtime> runtime) noexcept;
  std::unique_ptr<telemetry::Runtime> runtime_;
};

}  // namespace arca
