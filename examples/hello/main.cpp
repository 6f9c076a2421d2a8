// The library in twenty lines: a span, a log record in it, a counter. The README prints this file.
#include <opentelemetry/logs/provider.h>
#include <opentelemetry/metrics/provider.h>
#include <opentelemetry/trace/provider.h>

#include <arca/telemetry.hpp>
#include <iostream>

int main() {
  arca::Config config;
  config.service_name = "hello";
  auto telemetry = arca::Telemetry::start(config);  // OTEL_* and ARCA_* variables say the rest
  if (!telemetry) return std::cerr << telemetry.error().message() << '\n', 1;

  auto tracer = opentelemetry::trace::Provider::GetTracerProvider()->GetTracer("hello");
  auto logger = opentelemetry::logs::Provider::GetLoggerProvider()->GetLogger("hello");
  auto counter =
      opentelemetry::metrics::Provider::GetMeterProvider()->GetMeter("hello")->CreateUInt64Counter("greetings");

  auto span = tracer->StartSpan("greet", {{"name", "world"}});
  auto scope = tracer->WithActiveSpan(span);
  logger->Info("hello, world");
  counter->Add(1);
  span->End();
  std::cout << arca::to_json((*telemetry)->status()) << '\n';  // what is not delivered now is kept for the next start
}
