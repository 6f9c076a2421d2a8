// The two histograms among the self-metrics: how long a delivery took, and how long a collection of metrics.
#include <array>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "arca/version.hpp"
#include "net/endpoint.hpp"
#include "opentelemetry/context/context.h"
#include "opentelemetry/metrics/meter.h"
#include "opentelemetry/metrics/sync_instruments.h"
#include "opentelemetry/sdk/metrics/aggregation/aggregation_config.h"
#include "opentelemetry/sdk/metrics/view/instrument_selector.h"
#include "opentelemetry/sdk/metrics/view/meter_selector.h"
#include "opentelemetry/sdk/metrics/view/view.h"
#include "otlp/export_response.hpp"
#include "telemetry/self_metrics.hpp"

namespace arca::telemetry {
namespace {

namespace metrics_api = opentelemetry::metrics;
namespace sdk_metrics = opentelemetry::sdk::metrics;
namespace nostd = opentelemetry::nostd;
using Provider = sdk_metrics::MeterProvider;
using Histogram = nostd::unique_ptr<metrics_api::Histogram<double>>;
using Attributes = std::map<std::string, opentelemetry::common::AttributeValue>;

constexpr const char* delivery_name = "otel.sdk.exporter.operation.duration";
constexpr const char* collection_name = "otel.sdk.metric_reader.collection.duration";
constexpr const char* reader_type = "periodic_metric_reader";

double in_seconds(base::Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Newer SDKs take no unit here.
template <class View>
std::unique_ptr<View> make_view(const std::shared_ptr<sdk_metrics::AggregationConfig>& buckets) {
  constexpr auto type = sdk_metrics::AggregationType::kHistogram;
  if constexpr (std::is_constructible_v<View, const char*, const char*, const char*, sdk_metrics::AggregationType,
                                        std::shared_ptr<sdk_metrics::AggregationConfig>>) {
    return std::make_unique<View>("", "", "", type, buckets);
  } else {
    return std::make_unique<View>("", "", type, buckets);
  }
}

// The SDK's own buckets are meant for milliseconds.
Histogram make_histogram(Provider& provider, const char* name, const char* about) {
  auto buckets = std::make_shared<sdk_metrics::HistogramAggregationConfig>();
  buckets->boundaries_ = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  provider.AddView(
      std::make_unique<sdk_metrics::InstrumentSelector>(sdk_metrics::InstrumentType::kHistogram, name, "s"),
      std::make_unique<sdk_metrics::MeterSelector>("arca", ARCA_VERSION, ""), make_view<sdk_metrics::View>(buckets));
  return provider.GetMeter("arca", ARCA_VERSION, "")->CreateDoubleHistogram(name, about, "s");
}

// Of one signal: what all its deliveries carry.
struct Exporter {
  SelfAttributes texts;
  std::int64_t port = 0;
  bool grpc = true;
};

Exporter exporter_of(const Settings& settings, model::Signal signal) {
  const SignalSettings& from = signal == model::Signal::traces    ? settings.traces
                               : signal == model::Signal::metrics ? settings.metrics
                                                                  : settings.logs;
  Exporter exporter{.texts = component(exporter_type(settings, signal)), .grpc = from.protocol == Protocol::grpc};
  const auto protocol = exporter.grpc ? net::Protocol::grpc : net::Protocol::http;
  if (const auto endpoint = net::parse_endpoint(from.endpoint, protocol, from.insecure)) {
    exporter.texts.emplace_back("server.address", endpoint->host);
    exporter.port = endpoint->port;
  }
  return exporter;
}

// Why it was no full success, or "".
std::string error_of(const Exporter& exporter, const sinks::DeliveryReport& report) {
  const bool succeeded = report.verdict == model::Verdict::delivered || report.verdict == model::Verdict::parked;
  if (succeeded) return report.refused_item_count > 0 ? "rejected" : "";
  if (!report.status) return report.verdict == model::Verdict::retry ? "not_sent" : "no_answer";
  return exporter.grpc ? otlp::grpc_name(*report.status) : std::to_string(*report.status);
}

// Thread-safe. Deliveries that end later than its owner may still call it: after close() they are not measured, because
// the SDK's histograms must not be used once their provider has gone.
class Durations {
 public:
  Durations(Provider& provider, const Settings& settings)
      : deliveries_(make_histogram(provider, delivery_name, "Time of deliveries to the Collector")),
        collections_(make_histogram(provider, collection_name, "Time of collections of metrics")) {
    for (const model::Signal signal : model::all_signals) {
      exporters_[model::index_of(signal)] = exporter_of(settings, signal);
    }
  }

  void take(const sinks::DeliveryReport& report) {
    const std::shared_lock lock(gate_);
    if (is_closed_) return;
    const Exporter& exporter = exporters_[model::index_of(report.signal)];
    Attributes attributes;
    for (const auto& [key, value] : exporter.texts) attributes[key] = nostd::string_view(value);
    if (exporter.port != 0) attributes["server.port"] = exporter.port;
    std::string status;
    if (report.status && exporter.grpc) {
      status = otlp::grpc_name(*report.status);
      attributes["rpc.response.status_code"] = nostd::string_view(status);
    } else if (report.status) {
      attributes["http.response.status_code"] = static_cast<std::int64_t>(*report.status);
    }
    const std::string error = error_of(exporter, report);
    if (!error.empty()) attributes["error.type"] = nostd::string_view(error);
    deliveries_->Record(in_seconds(report.duration), attributes, opentelemetry::context::Context());
  }
  void take(base::Duration collection) {
    const std::shared_lock lock(gate_);
    if (is_closed_) return;
    collections_->Record(in_seconds(collection), component(reader_type), opentelemetry::context::Context());
  }
  // When it returns, nobody is inside.
  void close() {
    const std::lock_guard lock(gate_);
    is_closed_ = true;
  }

 private:
  std::shared_mutex gate_;
  bool is_closed_ = false;  // protected by gate_
  Histogram deliveries_;
  Histogram collections_;
  std::array<Exporter, model::signal_count> exporters_;
};

// Ends the telling with its life.
class Subscription {
 public:
  Subscription(const SelfSources& sources, std::shared_ptr<Durations> durations)
      : pipeline_(sources.pipeline), collections_(sources.collections), durations_(std::move(durations)) {}
  ~Subscription() {
    durations_->close();
    collections_->set({});
    if (const auto pipeline = pipeline_.lock()) pipeline->observe_deliveries({});
  }
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

 private:
  std::weak_ptr<Pipeline> pipeline_;
  std::shared_ptr<CollectionListener> collections_;
  std::shared_ptr<Durations> durations_;
};

}  // namespace

std::shared_ptr<void> observe_durations(Provider& provider, const SelfSources& sources, const Settings& settings) {
  const auto durations = std::make_shared<Durations>(provider, settings);
  sources.pipeline->observe_deliveries([durations](const sinks::DeliveryReport& report) { durations->take(report); });
  sources.collections->set([durations](base::Duration duration) { durations->take(duration); });
  return std::make_shared<Subscription>(sources, durations);
}

}  // namespace arca::telemetry
