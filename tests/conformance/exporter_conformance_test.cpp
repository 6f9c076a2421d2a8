// Our metric exporter beside the stock SDK's OtlpMetricUtils: the same ResourceMetrics become equal messages. The
// differences that are meant stand in api_values.hpp.
#include <google/protobuf/util/message_differencer.h>
#include <opentelemetry/exporters/otlp/otlp_metric_utils.h>
#include <opentelemetry/sdk/instrumentationscope/instrumentation_scope.h>
#include <opentelemetry/sdk/metrics/export/metric_producer.h>
#include <opentelemetry/sdk/metrics/push_metric_exporter.h>
#include <opentelemetry/sdk/resource/resource.h>

#include "arca/plugins.hpp"
#include "conformance/api_values.hpp"
#include "conformance/conformance_fixture.hpp"

namespace arca::conformance {
namespace {

namespace metrics = opentelemetry::sdk::metrics;
namespace sdk = opentelemetry::sdk;
using opentelemetry::common::SystemTimestamp;
using opentelemetry::exporter::otlp::OtlpMetricUtils;
using ProtoMetric = pb::metrics::v1::Metric;
using std::chrono::nanoseconds;

// Random data as the SDK hands it to exporters.
class RandomData {
 public:
  explicit RandomData(std::uint64_t seed) : values_(seed), random_(values_.random) {}

  metrics::MetricData metric(const std::string& name) {
    metrics::MetricData made;
    const auto temporality = static_cast<metrics::AggregationTemporality>(1 + random_.below(2));
    made.aggregation_temporality = temporality;
    made.start_ts = SystemTimestamp(nanoseconds(random_.word() >> 1U));
    made.end_ts = SystemTimestamp(nanoseconds(random_.word() >> 1U));
    made.instrument_descriptor.name_ = name;
    made.instrument_descriptor.description_ = values_.name();
    made.instrument_descriptor.unit_ = random_.chance(2) ? "By" : "";
    const auto kind = random_.below(4);
    using Type = metrics::InstrumentType;
    constexpr Type types[] = {Type::kCounter, Type::kUpDownCounter, Type::kObservableGauge, Type::kHistogram};
    made.instrument_descriptor.type_ = types[kind];
    const bool whole = random_.chance(2);
    made.instrument_descriptor.value_type_ =
        whole ? metrics::InstrumentValueType::kLong : metrics::InstrumentValueType::kDouble;
    for (std::uint64_t i = 1 + random_.below(10); i > 0; --i) {
      made.point_data_attr_.emplace_back();
      auto& point = made.point_data_attr_.back();
      for (const auto& [key, value] : values_.attributes(5)) point.attributes.SetAttribute(key, value);
      if (kind <= 1) point.point_data = sum(whole, kind == 0);
      if (kind == 2) point.point_data = last_value(whole);
      if (kind == 3) point.point_data = histogram(whole);
    }
    return made;
  }

 private:
  metrics::ValueType number(bool whole) {
    if (whole) return static_cast<std::int64_t>(~random_.word());
    return random_.real();
  }
  metrics::SumPointData sum(bool whole, bool monotonic) {
    metrics::SumPointData point;
    point.value_ = number(whole);
    point.is_monotonic_ = monotonic;
    return point;
  }
  metrics::LastValuePointData last_value(bool whole) {
    metrics::LastValuePointData point;
    point.value_ = number(whole);
    point.is_lastvalue_valid_ = true;
    point.sample_ts_ = SystemTimestamp(nanoseconds(random_.word() >> 1U));
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

  ApiValues values_;
  RandomValues& random_;
};

template <class Data>
void points_to_common_form(Data& data) {
  for (auto& point : *data.mutable_data_points()) to_common_form(*point.mutable_attributes());
}

std::string in_common_form(ProtoMetric metric) {
  if (metric.has_sum()) points_to_common_form(*metric.mutable_sum());
  if (metric.has_gauge()) points_to_common_form(*metric.mutable_gauge());
  if (metric.has_histogram()) points_to_common_form(*metric.mutable_histogram());
  return metric.DebugString();
}

using ExporterConformance = ConformanceFixture;

TEST_F(ExporterConformance, RandomResourceMetricsBecomeTheSameMessagesAsWithTheStockExporter) {
  const auto resource = sdk::resource::Resource::Create({{"service.name", "metrics"}, {"list", 3}}, "http://resource");
  const auto scope = sdk::instrumentationscope::InstrumentationScope::Create("library", "2", "http://scope");
  const auto exporter = make_metric_exporter(*telemetry_);
  const std::uint64_t first_seed = std::random_device{}();
  constexpr std::uint64_t count = 2000;
  std::map<std::string, std::string> expected;
  pb::collector::metrics::v1::ExportMetricsServiceRequest last_request;
  for (std::uint64_t i = 0; i < count; ++i) {
    RandomData random(first_seed + i);
    const std::string name = "metric" + std::to_string(first_seed + i);  // the seed
    std::vector<metrics::MetricData> data{random.metric(name)};
    const metrics::ResourceMetrics all(
        &resource, std::vector<metrics::ScopeMetrics>{metrics::ScopeMetrics(scope.get(), std::move(data))});
    ASSERT_EQ(exporter->Export(all), sdk::common::ExportResult::kSuccess);
    last_request.Clear();
    OtlpMetricUtils::PopulateRequest(all, &last_request);
    expected[name] = in_common_form(last_request.resource_metrics(0).scope_metrics(0).metrics(0));
  }
  flush();
  const auto ours = collector_.metrics();
  ASSERT_EQ(ours.size(), count);
  for (const ProtoMetric& metric : ours) {
    ASSERT_TRUE(expected.contains(metric.name()));
    ASSERT_EQ(in_common_form(metric), expected.at(metric.name()));
  }
}

}  // namespace
}  // namespace arca::conformance
