// Metric points as the real Collector wrote them: every instrument of the API, both temporalities, over all four ways.
// Exemplars are absent: the SDK that Debian builds has none.
#include <algorithm>

#include "integration/telemetry_fixture.hpp"
#include "opentelemetry/metrics/async_instruments.h"
#include "opentelemetry/metrics/meter.h"
#include "opentelemetry/metrics/observer_result.h"
#include "opentelemetry/metrics/sync_instruments.h"

namespace arca::integration {
namespace {

namespace metrics_api = opentelemetry::metrics;
namespace nostd = opentelemetry::nostd;
using support::CollectedPoint;

constexpr int delta = 1;  // as OTLP numbers them
constexpr int cumulative = 2;

class MetricsArrive : public EveryWay {
 protected:
  void SetUp() override { start_collector(); }
  Config metric_config() const {
    Config with = config(GetParam());
    with.metric_interval = std::chrono::minutes(10);  // only force_flush collects
    with.metric_timeout = seconds(20);
    return with;
  }
  nostd::shared_ptr<metrics_api::Meter> meter() {
    return telemetry_->meter_provider()->GetMeter("meter", "4.2", "http://schema");
  }
  // The points of a metric in the order of the file.
  std::vector<CollectedPoint> points(const std::string& metric) const {
    std::vector<CollectedPoint> result;
    std::copy_if(output_->metric_points().begin(), output_->metric_points().end(), std::back_inserter(result),
                 [&](const CollectedPoint& point) { return point.metric_name == metric; });
    return result;
  }
  CollectedPoint last(const std::string& metric) const {
    const auto all = points(metric);
    EXPECT_FALSE(all.empty()) << metric;
    return all.empty() ? CollectedPoint{} : all.back();
  }
  static double number(const CollectedPoint& point) {
    if (point.json.contains("asInt")) return std::stod(point.json.at("asInt").get<std::string>());
    return point.json.value("asDouble", -1e99);
  }
};

TEST_P(MetricsArrive, OfEverySynchronousInstrument) {
  start(metric_config());
  const auto meter = this->meter();
  const auto counter = meter->CreateUInt64Counter("requests", "how many", "{request}");
  const auto real_counter = meter->CreateDoubleCounter("bytes", "", "By");
  const auto up_down = meter->CreateInt64UpDownCounter("queue");
  const auto real_up_down = meter->CreateDoubleUpDownCounter("level");
  const auto histogram = meter->CreateDoubleHistogram("duration", "", "s");
  const auto whole_histogram = meter->CreateUInt64Histogram("size");
  const opentelemetry::context::Context context;
  counter->Add(2, {{"route", "/a"}}, context);
  counter->Add(3, {{"route", "/a"}}, context);
  counter->Add(7, {{"route", "/b"}}, context);
  real_counter->Add(1.5);
  up_down->Add(5);
  up_down->Add(-8);
  real_up_down->Add(-0.25);
  for (const double value : {1.0, 6.0, 20'000.0}) histogram->Record(value, context);
  whole_histogram->Record(3, context);
  expect_delivered();

  // The reader collects once by itself when it starts, perhaps in the middle: the last points count.
  const auto routes = points("requests");
  ASSERT_GE(routes.size(), 2U);
  std::map<std::string, double> by_route;
  for (const auto& point : routes) {
    by_route[attributes_of(point.json).at("route").at("stringValue").get<std::string>()] = number(point);
    EXPECT_EQ(point.kind, "sum");
    EXPECT_EQ(point.unit, "{request}");
    EXPECT_EQ(point.data.value("isMonotonic", false), true);
    EXPECT_EQ(point.data.value("aggregationTemporality", 0), cumulative);
    EXPECT_EQ(point.scope->value("name", ""), "meter");
    EXPECT_EQ(point.scope->value("version", ""), "4.2");
    EXPECT_EQ(attributes_of(*point.resource).at("service.name"), text_value("judged"));
    EXPECT_LE(nanos_of(point.json, "startTimeUnixNano"), nanos_of(point.json, "timeUnixNano"));
    EXPECT_GT(nanos_of(point.json, "startTimeUnixNano"), 0U);
  }
  EXPECT_EQ(by_route, (std::map<std::string, double>{{"/a", 5}, {"/b", 7}}));
  EXPECT_EQ(number(last("bytes")), 1.5);
  EXPECT_EQ(number(last("queue")), -3);
  EXPECT_EQ(last("queue").data.value("isMonotonic", false), false);
  EXPECT_EQ(number(last("level")), -0.25);
  const auto duration = last("duration");
  EXPECT_EQ(duration.kind, "histogram");
  EXPECT_EQ(duration.json.value("count", ""), "3");
  EXPECT_EQ(duration.json.value("sum", 0.0), 20'007.0);
  EXPECT_EQ(duration.json.value("min", 0.0), 1.0);
  EXPECT_EQ(duration.json.value("max", 0.0), 20'000.0);
  const auto bounds = duration.json.at("explicitBounds");
  const auto buckets = duration.json.at("bucketCounts");
  ASSERT_EQ(buckets.size(), bounds.size() + 1);
  std::uint64_t in_buckets = 0;
  for (const auto& bucket : buckets) in_buckets += std::stoull(bucket.get<std::string>());
  EXPECT_EQ(in_buckets, 3U);
  EXPECT_EQ(buckets.back(), "1") << "above the highest bound";
  EXPECT_EQ(last("size").json.value("sum", 0.0), 3.0);
}

TEST_P(MetricsArrive, OfEveryObservableInstrument) {
  start(metric_config());
  const auto meter = this->meter();
  using Observed = nostd::shared_ptr<metrics_api::ObserverResultT<std::int64_t>>;
  using RealObserved = nostd::shared_ptr<metrics_api::ObserverResultT<double>>;
  const auto whole = [](metrics_api::ObserverResult result, void*) {
    nostd::get<Observed>(result)->Observe(11, {{"device", "disk"}});
  };
  const auto real = [](metrics_api::ObserverResult result, void*) {
    nostd::get<RealObserved>(result)->Observe(0.5, {{"device", "net"}});
  };
  const std::vector<nostd::shared_ptr<metrics_api::ObservableInstrument>> whole_ones{
      meter->CreateInt64ObservableCounter("o.counter"), meter->CreateInt64ObservableUpDownCounter("o.updown"),
      meter->CreateInt64ObservableGauge("o.gauge")};
  const std::vector<nostd::shared_ptr<metrics_api::ObservableInstrument>> real_ones{
      meter->CreateDoubleObservableCounter("r.counter"), meter->CreateDoubleObservableUpDownCounter("r.updown"),
      meter->CreateDoubleObservableGauge("r.gauge")};
  for (const auto& instrument : whole_ones) instrument->AddCallback(whole, nullptr);
  for (const auto& instrument : real_ones) instrument->AddCallback(real, nullptr);
  expect_delivered();
  for (const auto& instrument : whole_ones) instrument->RemoveCallback(whole, nullptr);
  for (const auto& instrument : real_ones) instrument->RemoveCallback(real, nullptr);
  for (const std::string name : {"counter", "updown", "gauge"}) {
    const auto integer = last("o." + name);
    EXPECT_EQ(integer.json.value("asInt", ""), "11") << name;
    EXPECT_EQ(attributes_of(integer.json).at("device"), text_value("disk"));
    const auto floating = last("r." + name);
    EXPECT_EQ(floating.json.value("asDouble", 0.0), 0.5) << name;
    for (const auto& point : {integer, floating}) {
      EXPECT_EQ(point.kind, name == "gauge" ? "gauge" : "sum");
      EXPECT_EQ(point.data.value("isMonotonic", false), name == "counter");
    }
  }
}

TEST_P(MetricsArrive, CumulativeSumsGrowAndDeltasAddUp) {
  for (const char* temporality : {"cumulative", "delta"}) {
    SCOPED_TRACE(temporality);
    const bool is_delta = std::string(temporality) == "delta";
    Config with = metric_config();
    with.metric_temporality = temporality;
    start(with);
    const std::string name = std::string("sum.") + temporality;
    const std::string lengths = std::string("length.") + temporality;
    const auto counter = meter()->CreateUInt64Counter(name);
    const auto up_down = meter()->CreateInt64UpDownCounter("open." + std::string(temporality));
    const auto histogram = meter()->CreateDoubleHistogram(lengths);
    for (int round = 1; round <= 4; ++round) {
      counter->Add(10);
      up_down->Add(1);
      histogram->Record(2.0, opentelemetry::context::Context());
      expect_delivered();
    }
    const auto sums = points(name);
    ASSERT_GE(sums.size(), 4U);  // one more, if the reader's first collection came after the first addition
    double total = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      EXPECT_TRUE(is_delta || number(sums[i]) >= total);
      total = is_delta ? total + number(sums[i]) : number(sums[i]);
      EXPECT_EQ(sums[i].data.value("aggregationTemporality", 0), is_delta ? delta : cumulative);
      if (i == 0) continue;
      EXPECT_GT(nanos_of(sums[i].json, "timeUnixNano"), nanos_of(sums[i - 1].json, "timeUnixNano"));
      const auto start = nanos_of(sums[i].json, "startTimeUnixNano");
      // The SDK gives the deltas of a lone reader its own start, where the end of the last one should stand.
      EXPECT_LE(start, nanos_of(sums[i].json, "timeUnixNano"));
      EXPECT_TRUE(is_delta || start == nanos_of(sums[i - 1].json, "startTimeUnixNano"));
    }
    EXPECT_EQ(total, 40.0);
    std::uint64_t recorded = 0;
    for (const auto& point : points(lengths)) {
      const auto count = nanos_of(point.json, "count");
      recorded = is_delta ? recorded + count : count;
    }
    EXPECT_EQ(recorded, 4U);
    // Up-down counters stay cumulative whatever is preferred, as the specification says.
    EXPECT_EQ(last("open." + std::string(temporality)).data.value("aggregationTemporality", 0), cumulative);
    EXPECT_EQ(number(last("open." + std::string(temporality))), 4.0);
    telemetry_.reset();
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, MetricsArrive, testing::Values(grpc, grpc_gzip, http, http_gzip), name_of_way);

}  // namespace
}  // namespace arca::integration
