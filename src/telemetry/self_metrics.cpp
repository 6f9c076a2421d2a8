#include "telemetry/self_metrics.hpp"

#include <deque>
#include <functional>
#include <string>

#include "arca/version.hpp"
#include "opentelemetry/metrics/async_instruments.h"
#include "opentelemetry/metrics/meter.h"
#include "opentelemetry/metrics/observer_result.h"
#include "telemetry/thread_cache.hpp"

namespace arca::telemetry {
namespace {

namespace metrics_api = opentelemetry::metrics;
namespace nostd = opentelemetry::nostd;
using IntObserver = nostd::shared_ptr<metrics_api::ObserverResultT<std::int64_t>>;
using Attributes = std::vector<std::pair<std::string, std::string>>;

// All figures of one moment.
struct Moment {
  Counts counts{};
  Status status;
  sinks::CollectorStatus collector;
  flow::RecoveryStatus recovery;
};

// Gives one value of the moment to the SDK.
class Output {
 public:
  explicit Output(const metrics_api::ObserverResult& result) : result_(nostd::get_if<IntObserver>(&result)) {}
  void operator()(std::uint64_t value, const Attributes& attributes) const {
    if (result_ != nullptr) (*result_)->Observe(static_cast<std::int64_t>(value), attributes);
  }

 private:
  const IntObserver* result_;
};

using Read = std::function<void(const Moment&, const Output&)>;

// The instruments and what they read. The SDK holds pointers to the entries, so they do not move.
class SelfMetrics {
 public:
  SelfMetrics(opentelemetry::sdk::metrics::MeterProvider& provider, const std::shared_ptr<Pipeline>& pipeline)
      : pipeline_(pipeline), meter_(provider.GetMeter("arca", ARCA_VERSION, "")) {}
  ~SelfMetrics() {
    for (Entry& entry : entries_) entry.instrument->RemoveCallback(&SelfMetrics::observe, &entry);
  }
  SelfMetrics(const SelfMetrics&) = delete;
  SelfMetrics& operator=(const SelfMetrics&) = delete;

  void counter(const char* name, const char* unit, const char* about, Read read) {
    add(meter_->CreateInt64ObservableCounter(name, about, unit), std::move(read));
  }
  void up_down_counter(const char* name, const char* unit, const char* about, Read read) {
    add(meter_->CreateInt64ObservableUpDownCounter(name, about, unit), std::move(read));
  }
  void gauge(const char* name, const char* unit, const char* about, Read read) {
    add(meter_->CreateInt64ObservableGauge(name, about, unit), std::move(read));
  }

 private:
  struct Entry {
    SelfMetrics* owner = nullptr;
    nostd::shared_ptr<metrics_api::ObservableInstrument> instrument;
    Read read;
  };

  void add(nostd::shared_ptr<metrics_api::ObservableInstrument> instrument, Read read) {
    entries_.push_back({this, std::move(instrument), std::move(read)});
    entries_.back().instrument->AddCallback(&SelfMetrics::observe, &entries_.back());
  }

  static void observe(metrics_api::ObserverResult result, void* state) {
    const Entry& entry = *static_cast<const Entry*>(state);
    const auto pipeline = entry.owner->pipeline_.lock();
    if (pipeline == nullptr) return;
    try {
      const Moment now{ThreadCache::totals(), pipeline->status(), pipeline->collector_status(),
                       pipeline->recovery_status()};
      entry.read(now, Output(result));
    } catch (const std::exception&) {
      return;  // a figure less; the SDK must not see exceptions
    }
  }

  std::weak_ptr<Pipeline> pipeline_;
  nostd::shared_ptr<metrics_api::Meter> meter_;
  std::deque<Entry> entries_;
};

std::uint64_t of(const Moment& now, Count what) { return now.counts[static_cast<std::size_t>(what)]; }

Attributes component(const char* type, Attributes more = {}) {
  more.emplace_back("otel.component.type", type);
  more.emplace_back("otel.component.name", std::string(type) + "/0");
  return more;
}

const char* exporter_type(const SignalSettings& signal) {
  return signal.protocol == Protocol::grpc ? "otlp_grpc_exporter" : "otlp_http_exporter";
}

const char* const processor_type = "arca_processor";

void observe_providers(SelfMetrics& metrics) {
  metrics.counter("otel.sdk.span.started", "{span}", "Spans started", [](const Moment& now, const Output& out) {
    const struct {
      Count count;
      const char* sampling;
      const char* origin;
    } rows[] = {{Count::span_recorded_root, "RECORD_AND_SAMPLE", "none"},
                {Count::span_recorded_local, "RECORD_AND_SAMPLE", "local"},
                {Count::span_recorded_remote, "RECORD_AND_SAMPLE", "remote"},
                {Count::span_dropped_root, "DROP", "none"},
                {Count::span_dropped_local, "DROP", "local"},
                {Count::span_dropped_remote, "DROP", "remote"}};
    for (const auto& row : rows) {
      out(of(now, row.count), {{"otel.span.sampling_result", row.sampling}, {"otel.span.parent.origin", row.origin}});
    }
  });
  metrics.up_down_counter(
      "otel.sdk.span.live", "{span}", "Recorded spans that have not ended", [](const Moment& now, const Output& out) {
        const std::uint64_t begun = of(now, Count::span_recorded_root) + of(now, Count::span_recorded_local) +
                                    of(now, Count::span_recorded_remote);
        const std::uint64_t ended = of(now, Count::span_ended);
        out(begun > ended ? begun - ended : 0, {{"otel.span.sampling_result", "RECORD_AND_SAMPLE"}});
      });
  metrics.counter("otel.sdk.log.created", "{log_record}", "Log records emitted",
                  [](const Moment& now, const Output& out) { out(of(now, Count::log_created), {}); });
}

void observe_processors(SelfMetrics& metrics) {
  metrics.counter(
      "otel.sdk.processor.span.processed", "{span}", "Spans taken by the pool, or not",
      [](const Moment& now, const Output& out) {
        out(of(now, Count::span_handed_on), component(processor_type));
        out(of(now, Count::span_refused), component(processor_type, {{"error.type", "queue_full"}}));
        out(of(now, Count::span_after_shutdown), component(processor_type, {{"error.type", "already_shutdown"}}));
      });
  metrics.counter(
      "otel.sdk.processor.log.processed", "{log_record}", "Log records taken by the pool, or not",
      [](const Moment& now, const Output& out) {
        out(of(now, Count::log_handed_on), component(processor_type));
        out(of(now, Count::log_refused), component(processor_type, {{"error.type", "queue_full"}}));
        out(of(now, Count::log_after_shutdown), component(processor_type, {{"error.type", "already_shutdown"}}));
      });
  metrics.up_down_counter(
      "otel.sdk.processor.span.queue.size", "{span}", "Spans in the pool",
      [](const Moment& now, const Output& out) { out(now.status.traces.in_memory, component(processor_type)); });
  metrics.up_down_counter(
      "otel.sdk.processor.log.queue.size", "{log_record}", "Log records in the pool",
      [](const Moment& now, const Output& out) { out(now.status.logs.in_memory, component(processor_type)); });
}

void observe_exporters(SelfMetrics& metrics, const Settings& settings) {
  const struct {
    const char* name;
    const char* unit;
    SignalStatus Status::*signal;
    std::string type;
  } rows[] = {{"otel.sdk.exporter.span.exported", "{span}", &Status::traces, exporter_type(settings.traces)},
              {"otel.sdk.exporter.metric_data_point.exported", "{data_point}", &Status::metrics,
               exporter_type(settings.metrics)},
              {"otel.sdk.exporter.log.exported", "{log_record}", &Status::logs, exporter_type(settings.logs)}};
  for (const auto& row : rows) {
    metrics.counter(row.name, row.unit, "Items with a final answer of the Collector",
                    [signal = row.signal, type = row.type](const Moment& now, const Output& out) {
                      out((now.status.*signal).delivered, component(type.c_str()));
                      out((now.status.*signal).quarantined, component(type.c_str(), {{"error.type", "rejected"}}));
                    });
  }
  const struct {
    const char* name;
    model::Signal signal;
    std::string type;
  } inflight[] = {
      {"otel.sdk.exporter.span.inflight", model::Signal::traces, exporter_type(settings.traces)},
      {"otel.sdk.exporter.metric_data_point.inflight", model::Signal::metrics, exporter_type(settings.metrics)},
      {"otel.sdk.exporter.log.inflight", model::Signal::logs, exporter_type(settings.logs)}};
  for (const auto& row : inflight) {
    metrics.up_down_counter(row.name, "{chunk}", "Chunks sent and not yet answered",
                            [signal = row.signal, type = row.type](const Moment& now, const Output& out) {
                              out(now.collector.signals[model::index_of(signal)].in_flight_count,
                                  component(type.c_str()));
                            });
  }
}

void observe_keeping(SelfMetrics& metrics) {
  const auto per_signal = [](std::uint64_t SignalStatus::*member) {
    return [member](const Moment& now, const Output& out) {
      out(now.status.traces.*member, {{"signal", "traces"}});
      out(now.status.metrics.*member, {{"signal", "metrics"}});
      out(now.status.logs.*member, {{"signal", "logs"}});
    };
  };
  metrics.up_down_counter("arca.journal.items", "{item}", "Items kept in the journal",
                          per_signal(&SignalStatus::in_journal));
  metrics.counter("arca.parked", "{item}", "Items parked in an overflow tier", per_signal(&SignalStatus::parked));
  metrics.counter("arca.quarantined", "{item}", "Items that the Collector rejected",
                  per_signal(&SignalStatus::quarantined));
  metrics.counter("arca.refused", "{item}", "Items refused because every tier was full",
                  per_signal(&SignalStatus::refused));
  metrics.counter("arca.lost", "{item}", "Items lost; must be 0", per_signal(&SignalStatus::lost));
  metrics.counter("arca.replayed", "{item}", "Items delivered by recovery", [](const Moment& now, const Output& out) {
    const auto& items = now.recovery.counters.of(model::Verdict::delivered).item_count;
    for (const model::Signal signal : model::all_signals) {
      out(items[model::index_of(signal)], {{"signal", std::string(to_string(signal))}});
    }
  });
  metrics.up_down_counter("arca.backlog.bytes", "By", "Bytes kept and not delivered",
                          [](const Moment& now, const Output& out) { out(now.status.backlog_bytes, {}); });
  metrics.gauge("arca.backlog.oldest_age", "s", "Age of the oldest chunk that is not delivered",
                [](const Moment& now, const Output& out) {
                  const auto age = now.status.oldest_age.value_or(std::chrono::seconds(0));
                  out(static_cast<std::uint64_t>(age.count()), {});
                });
  metrics.gauge("arca.seconds_until_full", "s", "Until pool and journal are full, at the present rate",
                [](const Moment& now, const Output& out) {
                  if (now.status.until_full) out(static_cast<std::uint64_t>(now.status.until_full->count()), {});
                });
}

}  // namespace

std::shared_ptr<void> observe_self(opentelemetry::sdk::metrics::MeterProvider& provider,
                                   const std::shared_ptr<Pipeline>& pipeline, const Settings& settings) {
  auto metrics = std::make_shared<SelfMetrics>(provider, pipeline);
  observe_providers(*metrics);
  observe_processors(*metrics);
  observe_exporters(*metrics, settings);
  observe_keeping(*metrics);
  return metrics;
}

}  // namespace arca::telemetry
