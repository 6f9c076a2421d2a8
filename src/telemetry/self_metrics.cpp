#include "telemetry/self_metrics.hpp"

#include <algorithm>
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

// All figures of one moment.
struct Reading {
  Counts counts{};
  Status status;
  sinks::CollectorStatus collector;
  flow::RecoveryStatus recovery;
};

// Gives one value of the moment to the SDK.
class Output {
 public:
  explicit Output(const metrics_api::ObserverResult& result) : result_(nostd::get_if<IntObserver>(&result)) {}
  void operator()(std::uint64_t value, const SelfAttributes& attributes) const {
    if (result_ != nullptr) (*result_)->Observe(static_cast<std::int64_t>(value), attributes);
  }

 private:
  const IntObserver* result_;
};

using Read = std::function<void(const Reading&, const Output&)>;

// The instruments and what they read. The SDK holds pointers to the entries, so they do not move.
class SelfMetrics {
 public:
  SelfMetrics(opentelemetry::sdk::metrics::MeterProvider& provider, const SelfSources& sources)
      : pipeline_(sources.pipeline), meter_(provider.GetMeter("arca", ARCA_VERSION, "")) {}
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

  // Since this began: a process may have had telemetry before, or inherited the counters of its parent.
  [[nodiscard]] Counts counts() const {
    Counts counts = ThreadCache::totals();
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] -= std::min(counts[i], counts_before_[i]);
    return counts;
  }

  // The SDK calls it by this signature. NOLINTNEXTLINE(performance-unnecessary-value-param)
  static void observe(metrics_api::ObserverResult result, void* state) {
    const Entry& entry = *static_cast<const Entry*>(state);
    const auto pipeline = entry.owner->pipeline_.lock();
    if (pipeline == nullptr) return;
    try {
      const Reading now{entry.owner->counts(), pipeline->status(), pipeline->collector_status(),
                        pipeline->recovery_status()};
      entry.read(now, Output(result));
    } catch (const std::exception&) {
      return;  // a figure less; the SDK must not see exceptions
    }
  }

  std::weak_ptr<Pipeline> pipeline_;
  nostd::shared_ptr<metrics_api::Meter> meter_;
  const Counts counts_before_ = ThreadCache::totals();
  std::deque<Entry> entries_;
};

std::uint64_t of(const Reading& now, Count what) { return now.counts[static_cast<std::size_t>(what)]; }

const char* const processor_type = "arca_processor";

// The pool is bounded in bytes, so how many items it can hold depends on their size.
std::uint64_t capacity(const Reading& now, model::Signal signal, const SignalStatus& status) {
  constexpr std::uint64_t usual_size = 512;  // bytes, while nothing has been sent
  const sinks::CollectorCounters& sent = now.collector.signals[model::index_of(signal)];
  const std::uint64_t size = sent.sent_item_count == 0 ? usual_size : sent.sent_bytes / sent.sent_item_count;
  return std::max(status.in_memory, now.status.pool_size / std::max<std::uint64_t>(1, size));
}

void observe_providers(SelfMetrics& metrics) {
  metrics.counter("otel.sdk.span.started", "{span}", "Spans started", [](const Reading& now, const Output& out) {
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
      "otel.sdk.span.live", "{span}", "Recorded spans that have not ended", [](const Reading& now, const Output& out) {
        const std::uint64_t begun = of(now, Count::span_recorded_root) + of(now, Count::span_recorded_local) +
                                    of(now, Count::span_recorded_remote);
        const std::uint64_t ended = of(now, Count::span_ended);
        out(begun > ended ? begun - ended : 0, {{"otel.span.sampling_result", "RECORD_AND_SAMPLE"}});
      });
  metrics.counter("otel.sdk.log.created", "{log_record}", "Log records emitted",
                  [](const Reading& now, const Output& out) { out(of(now, Count::log_created), {}); });
}

void observe_processors(SelfMetrics& metrics) {
  metrics.counter(
      "otel.sdk.processor.span.processed", "{span}", "Spans taken by the pool, or not",
      [](const Reading& now, const Output& out) {
        out(of(now, Count::span_handed_on), component(processor_type));
        out(of(now, Count::span_refused), component(processor_type, {{"error.type", "queue_full"}}));
        out(of(now, Count::span_after_shutdown), component(processor_type, {{"error.type", "already_shutdown"}}));
      });
  metrics.counter(
      "otel.sdk.processor.log.processed", "{log_record}", "Log records taken by the pool, or not",
      [](const Reading& now, const Output& out) {
        out(of(now, Count::log_handed_on), component(processor_type));
        out(of(now, Count::log_refused), component(processor_type, {{"error.type", "queue_full"}}));
        out(of(now, Count::log_after_shutdown), component(processor_type, {{"error.type", "already_shutdown"}}));
      });
  metrics.up_down_counter(
      "otel.sdk.processor.span.queue.size", "{span}", "Spans in the pool",
      [](const Reading& now, const Output& out) { out(now.status.traces.in_memory, component(processor_type)); });
  metrics.up_down_counter(
      "otel.sdk.processor.log.queue.size", "{log_record}", "Log records in the pool",
      [](const Reading& now, const Output& out) { out(now.status.logs.in_memory, component(processor_type)); });
  metrics.up_down_counter("otel.sdk.processor.span.queue.capacity", "{span}",
                          "Spans of the mean size so far that the pool can hold",
                          [](const Reading& now, const Output& out) {
                            out(capacity(now, model::Signal::traces, now.status.traces), component(processor_type));
                          });
  metrics.up_down_counter("otel.sdk.processor.log.queue.capacity", "{log_record}",
                          "Log records of the mean size so far that it can hold",
                          [](const Reading& now, const Output& out) {
                            out(capacity(now, model::Signal::logs, now.status.logs), component(processor_type));
                          });
}

void observe_exporters(SelfMetrics& metrics, const Settings& settings) {
  const struct {
    const char* exported;
    const char* in_flight;
    const char* unit;
    SignalStatus Status::*status;
    model::Signal signal;
  } rows[] = {{"otel.sdk.exporter.span.exported", "otel.sdk.exporter.span.inflight", "{span}", &Status::traces,
               model::Signal::traces},
              {"otel.sdk.exporter.metric_data_point.exported", "otel.sdk.exporter.metric_data_point.inflight",
               "{data_point}", &Status::metrics, model::Signal::metrics},
              {"otel.sdk.exporter.log.exported", "otel.sdk.exporter.log.inflight", "{log_record}", &Status::logs,
               model::Signal::logs}};
  for (const auto& row : rows) {
    const std::string type = exporter_type(settings, row.signal);
    metrics.counter(row.exported, row.unit, "Items with a final answer of the Collector",
                    [status = row.status, type](const Reading& now, const Output& out) {
                      out((now.status.*status).delivered, component(type));
                      out((now.status.*status).quarantined, component(type, {{"error.type", "rejected"}}));
                    });
    metrics.up_down_counter(row.in_flight, row.unit, "Items sent and not yet answered",
                            [signal = row.signal, type](const Reading& now, const Output& out) {
                              out(now.collector.signals[model::index_of(signal)].in_flight_item_count, component(type));
                            });
  }
}

void observe_keeping(SelfMetrics& metrics) {
  const auto per_signal = [](std::uint64_t SignalStatus::*member) {
    return [member](const Reading& now, const Output& out) {
      out(now.status.traces.*member, {{"signal", "traces"}});
      out(now.status.metrics.*member, {{"signal", "metrics"}});
      out(now.status.logs.*member, {{"signal", "logs"}});
    };
  };
  metrics.up_down_counter("arca.journal.items", "{item}", "Items kept in the journal",
                          per_signal(&SignalStatus::in_journal));
  metrics.up_down_counter("arca.parked", "{item}", "Items parked in Cassandra and not known to be delivered",
                          per_signal(&SignalStatus::parked));
  metrics.counter("arca.quarantined", "{item}", "Items that the Collector rejected",
                  per_signal(&SignalStatus::quarantined));
  metrics.counter("arca.refused", "{item}", "Items refused because every tier was full",
                  per_signal(&SignalStatus::refused));
  metrics.counter("arca.lost", "{item}", "Items lost; must be 0", per_signal(&SignalStatus::lost));
  metrics.counter("arca.replayed", "{item}", "Items delivered by recovery", [](const Reading& now, const Output& out) {
    const auto& items = now.recovery.counters.of(model::Verdict::delivered).item_count;
    for (const model::Signal signal : model::all_signals) {
      out(items[model::index_of(signal)], {{"signal", std::string(to_string(signal))}});
    }
  });
  metrics.up_down_counter("arca.backlog.bytes", "By", "Bytes kept and not delivered",
                          [](const Reading& now, const Output& out) { out(now.status.backlog_bytes, {}); });
  metrics.gauge("arca.backlog.oldest_age", "s", "Age of the oldest chunk that is not delivered",
                [](const Reading& now, const Output& out) {
                  const auto age = now.status.oldest_age.value_or(std::chrono::seconds(0));
                  out(static_cast<std::uint64_t>(age.count()), {});
                });
  metrics.up_down_counter("arca.unreplicated.size", "By",
                          "Bytes that neither the Collector nor Cassandra has: a loss of the host takes them",
                          [](const Reading& now, const Output& out) { out(now.status.unreplicated_bytes, {}); });
  metrics.up_down_counter("arca.unreplicated.items", "{item}", "Items in them",
                          [](const Reading& now, const Output& out) { out(now.status.unreplicated_items, {}); });
  metrics.gauge("arca.seconds_until_full", "s", "Until pool and journal are full, at the present rate",
                [](const Reading& now, const Output& out) {
                  if (now.status.until_full) out(static_cast<std::uint64_t>(now.status.until_full->count()), {});
                });
}

void observe_cassandra(SelfMetrics& metrics, const Settings& settings) {
  if (!settings.cassandra.is_configured()) return;
  const auto add = [&](auto register_one, const char* name, const char* unit, const char* about, auto member) {
    (metrics.*register_one)(name, unit, about, [member](const Reading& now, const Output& out) {
      out(static_cast<std::uint64_t>(now.status.cassandra.*member), {});
    });
  };
  using C = CassandraStatus;
  add(&SelfMetrics::gauge, "arca.cassandra.connected", "1", "1 while a node is connected", &C::connected);
  add(&SelfMetrics::gauge, "arca.cassandra.ready", "1", "1 while chunks can be parked", &C::ready);
  add(&SelfMetrics::gauge, "arca.cassandra.nodes.up", "{node}", "Nodes that answer", &C::up_count);
  add(&SelfMetrics::gauge, "arca.cassandra.nodes.known", "{node}", "Nodes of the cluster", &C::node_count);
  add(&SelfMetrics::counter, "arca.cassandra.parked.size", "By", "Bytes stored by this process", &C::parked_bytes);
  add(&SelfMetrics::up_down_counter, "arca.cassandra.segments.waiting", "{segment}",
      "Segments of this process that are not delivered yet", &C::waiting_segments);
  add(&SelfMetrics::up_down_counter, "arca.cassandra.segments.known", "{segment}",
      "Segments of anybody that recovery knows to be undelivered", &C::segments_known);
  add(&SelfMetrics::up_down_counter, "arca.cassandra.rows.pending", "{item}", "Items whose rows are not written yet",
      &C::rows_pending);
  add(&SelfMetrics::gauge, "arca.cassandra.near_ttl", "1", "1 if something undelivered is past half of its TTL",
      &C::near_ttl);
  add(&SelfMetrics::counter, "arca.cassandra.archive.missed", "{item}",
      "Items that were delivered and not archived, for want of room to wait for the archive", &C::archive_missed);
  metrics.gauge("arca.cassandra.oldest_age", "s", "Age of the oldest segment that is not delivered",
                [](const Reading& now, const Output& out) {
                  const auto age = now.status.cassandra.oldest_age.value_or(std::chrono::seconds(0));
                  out(static_cast<std::uint64_t>(age.count()), {});
                });
}

}  // namespace

SelfAttributes component(const std::string& type, SelfAttributes more) {
  more.emplace_back("otel.component.type", type);
  more.emplace_back("otel.component.name", type + "/0");
  return more;
}

std::string exporter_type(const Settings& settings, model::Signal signal) {
  const auto name = [](const SignalSettings& of, const char* item) {
    return std::string(of.protocol == Protocol::grpc ? "otlp_grpc_" : "otlp_http_") + item + "_exporter";
  };
  switch (signal) {
    case model::Signal::traces:
      return name(settings.traces, "span");
    case model::Signal::metrics:
      return name(settings.metrics, "metric");
    case model::Signal::logs:
      return name(settings.logs, "log");
  }
  return "";
}

std::shared_ptr<void> observe_self(opentelemetry::sdk::metrics::MeterProvider& provider, const SelfSources& sources,
                                   const Settings& settings) {
  auto metrics = std::make_shared<SelfMetrics>(provider, sources);
  observe_providers(*metrics);
  observe_processors(*metrics);
  observe_exporters(*metrics, settings);
  observe_keeping(*metrics);
  observe_cassandra(*metrics, settings);
  return metrics;
}

}  // namespace arca::telemetry
