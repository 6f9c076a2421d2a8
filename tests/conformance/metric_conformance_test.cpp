// The official protobuf classes judge the metric writer.
#include <gtest/gtest.h>
#include <opentelemetry/proto/metrics/v1/metrics.pb.h>

#include <deque>
#include <string>
#include <vector>

#include "conformance/random_values.hpp"
#include "conformance/sequences.hpp"
#include "otlp/metric_writer.hpp"

namespace {

using namespace arca;
using conformance::RandomValues;
namespace pb = opentelemetry::proto;
namespace metric_v1 = pb::metrics::v1;

// Random points and, beside them, what they must become.
class RandomMetric {
 public:
  explicit RandomMetric(std::uint64_t seed) : random_(seed) {}

  otlp::Metric make() {
    otlp::Metric metric;
    metric.name = "requests";
    metric.description = random_.chance(2) ? "how many" : "";
    metric.unit = random_.chance(2) ? "{request}" : "";
    expected.set_name(std::string(metric.name));
    expected.set_description(std::string(metric.description));
    expected.set_unit(std::string(metric.unit));
    const std::size_t count = random_.below(20);
    const auto temporality = static_cast<otlp::Temporality>(random_.below(3));
    const auto expected_temporality = static_cast<metric_v1::AggregationTemporality>(temporality);
    switch (random_.below(4)) {
      case 0: {
        auto& data = *expected.mutable_gauge();
        for (std::size_t i = 0; i < count; ++i) add_number(*data.add_data_points());
        metric.data = otlp::Gauge{numbers_};
        break;
      }
      case 1: {
        auto& data = *expected.mutable_sum();
        for (std::size_t i = 0; i < count; ++i) add_number(*data.add_data_points());
        data.set_aggregation_temporality(expected_temporality);
        data.set_is_monotonic(random_.chance(2));
        metric.data = otlp::Sum{numbers_, temporality, data.is_monotonic()};
        break;
      }
      case 2: {
        auto& data = *expected.mutable_histogram();
        for (std::size_t i = 0; i < count; ++i) add_histogram(*data.add_data_points());
        data.set_aggregation_temporality(expected_temporality);
        metric.data = otlp::Histogram{histograms_, temporality};
        break;
      }
      default: {
        auto& data = *expected.mutable_exponential_histogram();
        for (std::size_t i = 0; i < count; ++i) add_exponential(*data.add_data_points());
        data.set_aggregation_temporality(expected_temporality);
        metric.data = otlp::ExponentialHistogram{exponentials_, temporality};
      }
    }
    point_count = static_cast<std::uint32_t>(count);
    return metric;
  }

  metric_v1::Metric expected;
  std::uint32_t point_count = 0;

 private:
  std::optional<double> maybe() { return random_.chance(2) ? std::optional(random_.real()) : std::nullopt; }

  template <class Repeated>
  std::span<const otlp::Attribute> attributes(Repeated& repeated) {
    auto& list = attributes_.emplace_back();
    const std::size_t count = random_.below(4);
    for (std::size_t i = 0; i < count; ++i) {
      auto& pair = *repeated.Add();
      const std::string& key = keys_.emplace_back("key" + std::to_string(i));
      pair.set_key(key);
      list.push_back({key, random_.value(*pair.mutable_value(), otlp::no_limit)});
    }
    return list;
  }

  base::WallTime time(std::uint64_t nanos) { return base::WallTime(std::chrono::nanoseconds(nanos)); }

  template <class Point>
  otlp::PointHead head(Point& point) {
    otlp::PointHead made;
    point.set_time_unix_nano(random_.word() >> 1U);
    if (random_.chance(2)) point.set_start_time_unix_nano(random_.word() >> 1U);
    made.time = time(point.time_unix_nano());
    made.start_time = time(point.start_time_unix_nano());
    made.attributes = attributes(*point.mutable_attributes());
    point.set_flags(random_.chance(4) ? 1 : 0);
    made.flags = point.flags();
    auto& exemplars = exemplars_.emplace_back();
    for (std::uint64_t i = random_.below(3); i > 0; --i) {
      auto& expected_exemplar = *point.add_exemplars();
      otlp::Exemplar& exemplar = exemplars.emplace_back();
      exemplar.filtered_attributes = attributes(*expected_exemplar.mutable_filtered_attributes());
      expected_exemplar.set_time_unix_nano(random_.word() >> 1U);
      exemplar.time = time(expected_exemplar.time_unix_nano());
      exemplar.value = number(expected_exemplar);
      if (random_.chance(2)) {
        exemplar.trace_id = random_.id<16>();
        exemplar.span_id = random_.id<8>();
        expected_exemplar.set_trace_id(exemplar.trace_id.data(), 16);
        expected_exemplar.set_span_id(exemplar.span_id.data(), 8);
      }
    }
    made.exemplars = exemplars;
    return made;
  }

  template <class Target>
  otlp::Number number(Target& target) {
    if (random_.chance(2)) {
      target.set_as_int(static_cast<std::int64_t>(~random_.word()));
      return std::int64_t{target.as_int()};
    }
    target.set_as_double(random_.real());
    return target.as_double();
  }

  void add_number(metric_v1::NumberDataPoint& point) {
    otlp::NumberPoint& made = numbers_.emplace_back();
    made.head = head(point);
    made.value = number(point);
  }

  template <class Point, class Made>
  void summary(Point& point, Made& made) {
    made.head = head(point);
    point.set_count(random_.word());
    made.count = point.count();
    if ((made.sum = maybe())) point.set_sum(*made.sum);
    if ((made.min = maybe())) point.set_min(*made.min);
    if ((made.max = maybe())) point.set_max(*made.max);
  }

  std::span<const std::uint64_t> counts() {
    auto& list = counts_.emplace_back();
    for (std::uint64_t i = random_.below(200); i > 0; --i) list.push_back(random_.word());
    return list;
  }

  void add_histogram(metric_v1::HistogramDataPoint& point) {
    otlp::HistogramPoint& made = histograms_.emplace_back();
    summary(point, made);
    made.bucket_counts = counts();
    point.mutable_bucket_counts()->Add(made.bucket_counts.begin(), made.bucket_counts.end());
    auto& bounds = bounds_.emplace_back();
    for (std::size_t i = 1; i < made.bucket_counts.size(); ++i) bounds.push_back(random_.real());
    point.mutable_explicit_bounds()->Add(bounds.begin(), bounds.end());
    made.bounds = bounds;
  }

  otlp::ExponentialBuckets buckets(metric_v1::ExponentialHistogramDataPoint::Buckets& target) {
    otlp::ExponentialBuckets made;
    made.offset = static_cast<std::int32_t>(random_.below(2000)) - 1000;
    made.counts = counts();
    target.set_offset(made.offset);
    target.mutable_bucket_counts()->Add(made.counts.begin(), made.counts.end());
    return made;
  }

  void add_exponential(metric_v1::ExponentialHistogramDataPoint& point) {
    otlp::ExponentialPoint& made = exponentials_.emplace_back();
    summary(point, made);
    made.scale = static_cast<std::int32_t>(random_.below(40)) - 20;
    made.zero_count = random_.word();
    made.zero_threshold = random_.real();
    made.positive = buckets(*point.mutable_positive());
    made.negative = buckets(*point.mutable_negative());
    point.set_scale(made.scale);
    point.set_zero_count(made.zero_count);
    point.set_zero_threshold(made.zero_threshold);
  }

  RandomValues random_;
  std::deque<std::string> keys_;
  std::deque<std::vector<otlp::Attribute>> attributes_;
  std::deque<std::vector<otlp::Exemplar>> exemplars_;
  std::deque<std::vector<std::uint64_t>> counts_;
  std::deque<std::vector<double>> bounds_;
  std::vector<otlp::NumberPoint> numbers_;
  std::vector<otlp::HistogramPoint> histograms_;
  std::vector<otlp::ExponentialPoint> exponentials_;
};

// Protobuf merges messages field by field: the records of one metric put together are the whole metric again.
void check_random_metric(otlp::MetricWriter& writer, std::size_t record_size_max, std::uint64_t seed) {
  RandomMetric random(seed);
  const otlp::Metric metric = random.make();
  metric_v1::Metric merged;
  std::uint32_t points = 0;
  const auto result = writer.write(metric, [&](base::Bytes record, std::uint32_t count) {
    metric_v1::ScopeMetrics scope;
    ASSERT_TRUE(scope.ParseFromArray(record.data(), static_cast<int>(record.size())));
    ASSERT_EQ(scope.metrics_size(), 1);
    EXPECT_EQ(scope.metrics(0).name(), metric.name);
    if (count > 1) {
      EXPECT_LE(record.size(), record_size_max);
    }
    merged.MergeFrom(scope.metrics(0));
    points += count;
  });
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(points, random.point_count);
  // A metric without points gives no record; that is no loss.
  if (random.point_count != 0) {
    EXPECT_EQ(merged.SerializeAsString(), random.expected.SerializeAsString());
  }
}

TEST(MetricConformance, RandomMetricsParseToWhatTheySay) {
  for (const std::size_t record_size_max : {otlp::MetricWriter::record_size_max_default, std::size_t{4096}}) {
    otlp::MetricWriter writer(record_size_max);
    conformance::for_each_sequence(2000,
                                   [&](std::uint64_t seed) { check_random_metric(writer, record_size_max, seed); });
  }
}

TEST(MetricConformance, ManyPointsAreSpreadOverRecordsBelowTheBound) {
  std::vector<otlp::NumberPoint> points(50'000);
  otlp::Metric metric;
  metric.name = "m";
  metric.data = otlp::Sum{points, otlp::Temporality::cumulative, true};
  std::uint32_t total = 0;
  std::size_t records = 0;
  otlp::MetricWriter writer;
  ASSERT_TRUE(writer.write(metric, [&](base::Bytes record, std::uint32_t count) {
    EXPECT_LE(record.size(), otlp::MetricWriter::record_size_max_default);
    total += count;
    ++records;
  }));
  EXPECT_EQ(total, 50'000U);
  EXPECT_GT(records, 2U);
}

}  // namespace
