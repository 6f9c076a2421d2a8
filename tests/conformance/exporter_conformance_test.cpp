// Our metric exporter beside the stock SDK's OtlpMetricUtils: the same ResourceMetrics become equal messages, but for
// the differences in differences.hpp and the one in `metric_as_ours` below.
#include <opentelemetry/exporters/otlp/otlp_metric_utils.h>
#include <opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h>
#include <opentelemetry/sdk/instrumentationscope/instrumentation_scope.h>
#include <opentelemetry/sdk/metrics/export/metric_producer.h>
#include <opentelemetry/sdk/metrics/push_metric_exporter.h>
#include <opentelemetry/sdk/resource/resource.h>

#include "arca/plugins.hpp"
#include "conformance/conformance_fixture.hpp"
#include "conformance/differences.hpp"
#include "telemetry/api_version.hpp"

namespace arca::conformance {
namespace {

namespace sdk = opentelemetry::sdk;
namespace metrics = sdk::metrics;
using ProtoMetric = pb::metrics::v1::Metric;
using std::chrono::nanoseconds;

// Random data as the SDK hands it to exporters.
class RandomData {
 public:
  explicit RandomData(std::uint64_t seed) : values_(seed), random_(values_.random) {}

  metrics::MetricData metric(const std::string& name) {
    metrics::MetricData made;
    made.aggregation_temporality = static_cast<metrics::AggregationTemporality>(random_.below(3));
    made.start_ts = common::SystemTimestamp(nanoseconds(random_.word() >> 1U));
    made.end_ts = common::SystemTimestamp(nanoseconds(random_.word() >> 1U));
    made.instrument_descriptor.name_ = name;
    made.instrument_descriptor.description_ = values_.name();
    made.instrument_descriptor.unit_ = random_.chance(2) ? "By" : "";
    made.instrument_descriptor.type_ = static_cast<metrics::InstrumentType>(random_.below(7));
    const bool whole = random_.chance(2);
    made.instrument_descriptor.value_type_ =
        whole ? metrics::InstrumentValueType::kLong : metrics::InstrumentValueType::kDouble;
    const auto kind = random_.below(ARCA_API_AT_LEAST(21) ? 4 : 3);
    for (std::uint64_t i = random_.below(10); i > 0; --i) {
      made.point_data_attr_.emplace_back();
      auto& point = made.point_data_attr_.back();
      for (const auto& [key, value] : values_.attributes(5)) point.attributes.SetAttribute(key, value);
      if (kind == 0) point.point_data = sum(whole, made.instrument_descriptor.type_);
      if (kind == 1) point.point_data = last_value(whole);
      if (kind == 2) point.point_data = histogram(whole);
#if ARCA_API_AT_LEAST(21)
      if (kind == 3) point.point_data = exponential();
#endif
    }
    // What a view has dropped.
    if (random_.chance(20)) {
      for (auto& point : made.point_data_attr_) point.point_data = metrics::DropPointData();
    }
    return made;
  }

 private:
  metrics::ValueType number(bool whole) {
    if (whole) return static_cast<std::int64_t>(~random_.word());
    return random_.real();
  }
  metrics::SumPointData sum(bool whole, metrics::InstrumentType type) {
    metrics::SumPointData point;
    point.value_ = number(whole);
    point.is_monotonic_ =
        type == metrics::InstrumentType::kCounter || type == metrics::InstrumentType::kObservableCounter;
    return point;
  }
  metrics::LastValuePointData last_value(bool whole) {
    metrics::LastValuePointData point;
    point.value_ = number(whole);
    point.is_lastvalue_valid_ = true;
    point.sample_ts_ = common::SystemTimestamp(nanoseconds(random_.word() >> 1U));
    return point;
  }
  metrics::HistogramPointData histogram(bool whole) {
    metrics::HistogramPointData point;
    for (std::uint64_t i = random_.below(12); i > 0; --i) point.boundaries_.push_back(random_.real());
    for (std::size_t i = 0; i <= point.boundaries_.size(); ++i) point.counts_.push_back(random_.word());
    point.count_ = random_.word();
    point.sum_ = number(whole);
    point.min_ = number(whole);
    point.max_ = number(whole);
    point.record_min_max_ = random_.chance(2);
    return point;
  }

#if ARCA_API_AT_LEAST(21)
  metrics::Base2ExponentialHistogramPointData exponential() {
    metrics::Base2ExponentialHistogramPointData point;
    point.count_ = random_.word();
    point.zero_count_ = random_.word();
    point.sum_ = random_.real();
    point.min_ = random_.real();
    point.max_ = random_.real();
    point.record_min_max_ = random_.chance(2);
    point.scale_ = static_cast<std::int32_t>(random_.below(31)) - 10;
    for (auto* buckets : {&point.positive_buckets_, &point.negative_buckets_}) {
      *buckets = std::make_unique<metrics::AdaptingCircularBufferCounter>(160);
      const auto offset = static_cast<std::int32_t>(random_.below(2000)) - 1000;
      for (std::uint64_t i = random_.below(20); i > 0; --i) {
        (*buckets)->Increment(offset + static_cast<std::int32_t>(random_.below(160)), random_.word() >> 8U);
      }
    }
    return point;
  }
#endif

  ApiValues values_;
  RandomValues& random_;
};

// Calls visit(attributes) for each point.
template <class Visit>
void for_each_point(ProtoMetric& metric, Visit visit) {
  const auto all = [&](auto& data) {
    for (auto& point : *data.mutable_data_points()) visit(*point.mutable_attributes());
  };
  if (metric.has_sum()) all(*metric.mutable_sum());
  if (metric.has_gauge()) all(*metric.mutable_gauge());
  if (metric.has_histogram()) all(*metric.mutable_histogram());
  if (metric.has_exponential_histogram()) all(*metric.mutable_exponential_histogram());
}

// What the stock metric must be from us; nothing if ours leaves it out.
std::string metric_as_ours(ProtoMetric metric) {
  if (metric.data_case() == ProtoMetric::DATA_NOT_SET) return {};  // without points a metric says nothing
  metric.set_description(repaired(metric.description()));
  for_each_point(metric, [](auto& attributes) { as_ours(attributes); });
  return metric.DebugString();
}
std::string sorted_text(ProtoMetric metric) {
  for_each_point(metric, [](auto& attributes) { sort_ours(attributes); });
  // The stock one leaves out buckets without counts, and the threshold of what counts as zero.
  if (!metric.has_exponential_histogram()) return metric.DebugString();
  for (auto& point : *metric.mutable_exponential_histogram()->mutable_data_points()) {
    point.clear_zero_threshold();
    if (point.positive().ByteSizeLong() == 0) point.clear_positive();
    if (point.negative().ByteSizeLong() == 0) point.clear_negative();
  }
  return metric.DebugString();
}

using ExporterConformance = ConformanceFixture;

TEST_F(ExporterConformance, RandomResourceMetricsBecomeTheSameMessagesAsWithTheStockExporter) {
  const auto resource = sdk::resource::Resource::Create({{"service.name", "metrics"}, {"list", 3}}, "http://resource");
  const std::unique_ptr<sdk::instrumentationscope::InstrumentationScope> scopes[] = {
      sdk::instrumentationscope::InstrumentationScope::Create("even", "2", "http://scope"),
      sdk::instrumentationscope::InstrumentationScope::Create("odd", "", "", {{"scope.number", 7}})};
  const auto exporter = make_metric_exporter(*telemetry_);
  std::map<std::string, std::string> expected;
  std::string expected_resource;
  for_each_sequence(4000, [&](std::uint64_t seed) {
    RandomData random(seed);
    const std::string name = "metric" + std::to_string(seed);
    std::vector<metrics::MetricData> data{random.metric(name)};
    const metrics::ResourceMetrics all(
        &resource, std::vector<metrics::ScopeMetrics>{metrics::ScopeMetrics(scopes[seed % 2].get(), std::move(data))});
    ASSERT_EQ(exporter->Export(all), sdk::common::ExportResult::kSuccess);
    pb::collector::metrics::v1::ExportMetricsServiceRequest stock_request;
    opentelemetry::exporter::otlp::OtlpMetricUtils::PopulateRequest(all, &stock_request);
    auto& of_stock = *stock_request.mutable_resource_metrics(0);
    const auto& scope = of_stock.scope_metrics(0);
    const std::string message = metric_as_ours(scope.metrics(0));
    if (!message.empty()) expected[name] = scope_text(scope) + message;
    sort_ours(*of_stock.mutable_resource()->mutable_attributes());
    expected_resource = of_stock.resource().DebugString() + of_stock.schema_url();
  });
  flush();
  std::size_t count = 0;
  for (auto& of_resource : collector_.resource_metrics()) {
    auto ours = of_resource.resource();
    sort_ours(*ours.mutable_attributes());
    EXPECT_EQ(ours.DebugString() + of_resource.schema_url(), expected_resource);
    for (const auto& scope : of_resource.scope_metrics()) {
      for (const ProtoMetric& metric : scope.metrics()) {
        ASSERT_EQ(scope_text(scope) + sorted_text(metric), expected[metric.name()])
            << how_to_repeat(std::stoull(metric.name().substr(std::string("metric").size())));
        ++count;
      }
    }
  }
  EXPECT_EQ(count, expected.size());
}

// A gauge that nobody has set yet: the stock exporter sends a 0 that was never measured.
TEST_F(ExporterConformance, AGaugeWithoutAValueIsLeftOut) {
  const auto resource = sdk::resource::Resource::Create({});
  const auto scope = sdk::instrumentationscope::InstrumentationScope::Create("scope");
  metrics::MetricData data;
  data.instrument_descriptor.name_ = "gauge";
  data.instrument_descriptor.type_ = metrics::InstrumentType::kObservableGauge;
  for (const bool is_set : {false, true}) {
    metrics::LastValuePointData point;
    point.value_ = std::int64_t{0};
    point.is_lastvalue_valid_ = is_set;
    data.point_data_attr_.emplace_back();
    data.point_data_attr_.back().point_data = point;
  }
  const metrics::ResourceMetrics all(&resource, std::vector<metrics::ScopeMetrics>{metrics::ScopeMetrics(
                                                    scope.get(), std::vector<metrics::MetricData>{std::move(data)})});
  ASSERT_EQ(make_metric_exporter(*telemetry_)->Export(all), sdk::common::ExportResult::kSuccess);
  flush();
  const auto ours = collector_.metrics();
  ASSERT_EQ(ours.size(), 1U);
  EXPECT_EQ(ours[0].gauge().data_points_size(), 1);
}

}  // namespace
}  // namespace arca::conformance
