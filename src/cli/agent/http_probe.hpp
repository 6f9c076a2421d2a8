// Asks one HTTP endpoint and tells how it went: a client span of the semantic conventions whose context travels
// in the W3C headers, and http.client.request.duration. Used by ProbeRunner; tests give it a local server.
#pragma once

#include <opentelemetry/metrics/meter.h>
#include <opentelemetry/metrics/sync_instruments.h>
#include <opentelemetry/trace/tracer.h>

#include <memory>
#include <string>

#include "cli/agent/agent_config.hpp"
#include "cli/agent/http_url.hpp"

namespace arca::cli::agent {

struct ProbeOutcome {
  int status = 0;          // of HTTP; 0: there was no answer
  std::string error_type;  // empty: fine. Else the status as text, or what failed: timeout, connection, ...
};

using DurationHistogram = opentelemetry::nostd::shared_ptr<opentelemetry::metrics::Histogram<double>>;

// Not thread-safe: one request at a time.
class HttpProbe {
 public:
  HttpProbe(ProbeConfig config, HttpUrl url, opentelemetry::nostd::shared_ptr<opentelemetry::trace::Tracer> tracer,
            DurationHistogram duration);

  // Takes no longer than about twice the time-out: connecting and answering each have it.
  ProbeOutcome run();

  [[nodiscard]] const ProbeConfig& config() const { return config_; }

 private:
  ProbeOutcome request(opentelemetry::trace::Span& span);

  const ProbeConfig config_;
  const HttpUrl url_;
  const opentelemetry::nostd::shared_ptr<opentelemetry::trace::Tracer> tracer_;
  const DurationHistogram duration_;
};

}  // namespace arca::cli::agent
