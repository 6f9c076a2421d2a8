#include "telemetry/metric_points.hpp"

#include <list>

#include "telemetry/api_values.hpp"
#include "telemetry/api_version.hpp"
#include "telemetry/owned_values.hpp"

namespace arca::telemetry {
namespace {

namespace metrics = opentelemetry::sdk::metrics;
namespace nostd = opentelemetry::nostd;

otlp::Number to_number(const metrics::ValueType& value) {
  if (const auto* integer = nostd::get_if<std::int64_t>(&value)) return *integer;
  return *nostd::get_if<double>(&value);
}

double to_double(const metrics::ValueType& value) {
  if (const auto* integer = nostd::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  return *nostd::get_if<double>(&value);
}

otlp::Temporality to_temporality(metrics::AggregationTemporality temporality) {
  switch (temporality) {
    case metrics::AggregationTemporality::kDelta:
      return otlp::Temporality::delta;
    case metrics::AggregationTemporality::kCumulative:
      return otlp::Temporality::cumulative;
    case metrics::AggregationTemporality::kUnspecified:
      break;
  }
  return otlp::Temporality::unspecified;
}

// One metric's points while they are written: borrowed from the SDK's data, attributes converted.
class Points {
 public:
  explicit Points(const metrics::MetricData& metric) : metric_(metric) {
    for (const auto& point : metric.point_data_attr_) add(point);
  }

  [[nodiscard]] otlp::Metric metric() const {
    const auto& about = metric_.instrument_descriptor;
    otlp::Metric result{.name = about.name_, .description = about.description_, .unit = about.unit_};
    const auto temporality = to_temporality(metric_.aggregation_temporality);
    if (!histograms_.empty()) {
      result.data = otlp::Histogram{histograms_, temporality};
    } else if (!exponentials_.empty()) {
      result.data = otlp::ExponentialHistogram{exponentials_, temporality};
    } else if (!gauges_.empty()) {
      result.data = otlp::Gauge{gauges_};
    } else {
      const bool monotonic = about.type_ == metrics::InstrumentType::kCounter ||
                             about.type_ == metrics::InstrumentType::kObservableCounter;
      result.data = otlp::Sum{sums_, temporality, monotonic};
    }
    return result;
  }

 private:
  otlp::PointHead head(const metrics::PointDataAttributes& point) {
    attributes_.emplace_back(point.attributes);
    return {.attributes = attributes_.back().get(),
            .start_time = to_wall_time(metric_.start_ts),
            .time = to_wall_time(metric_.end_ts)};
  }

  void add(const metrics::PointDataAttributes& point) {
    const auto& data = point.point_data;
    if (const auto* sum = nostd::get_if<metrics::SumPointData>(&data)) {
      sums_.push_back({head(point), to_number(sum->value_)});
    } else if (const auto* last = nostd::get_if<metrics::LastValuePointData>(&data)) {
      if (last->is_lastvalue_valid_) gauges_.push_back({head(point), to_number(last->value_)});
    } else if (const auto* histogram = nostd::get_if<metrics::HistogramPointData>(&data)) {
      add(point, *histogram);
    }
#if ARCA_API_AT_LEAST(21)
    else if (const auto* exponential = nostd::get_if<metrics::Base2ExponentialHistogramPointData>(&data)) {
      add(point, *exponential);
    }
#endif
  }

  void add(const metrics::PointDataAttributes& point, const metrics::HistogramPointData& from) {
    otlp::HistogramPoint to;
    to.head = head(point);
    to.count = from.count_;
    to.sum = to_double(from.sum_);
    if (from.record_min_max_) {
      to.min = to_double(from.min_);
      to.max = to_double(from.max_);
    }
    to.bucket_counts = from.counts_;
    to.bounds = from.boundaries_;
    histograms_.push_back(to);
  }

#if ARCA_API_AT_LEAST(21)
  void add(const metrics::PointDataAttributes& point, const metrics::Base2ExponentialHistogramPointData& from) {
    otlp::ExponentialPoint to;
    to.head = head(point);
    to.count = from.count_;
    to.sum = from.sum_;
    if (from.record_min_max_) {
      to.min = from.min_;
      to.max = from.max_;
    }
    to.scale = from.scale_;
    to.zero_count = from.zero_count_;
    to.zero_threshold = from.zero_threshold_;
    to.positive = buckets(from.positive_buckets_);
    to.negative = buckets(from.negative_buckets_);
    exponentials_.push_back(to);
  }

  template <class Buckets>
  otlp::ExponentialBuckets buckets(const Buckets& from) {
    if (!from || from->Empty()) return {};
    counts_.emplace_back();
    for (std::int32_t i = from->StartIndex(); i <= from->EndIndex(); ++i) counts_.back().push_back(from->Get(i));
    return {.offset = from->StartIndex(), .counts = counts_.back()};
  }
#endif

  const metrics::MetricData& metric_;
  std::list<OwnedAttributes> attributes_;
  std::list<std::vector<std::uint64_t>> counts_;
  std::vector<otlp::NumberPoint> sums_;
  std::vector<otlp::NumberPoint> gauges_;
  std::vector<otlp::HistogramPoint> histograms_;
  std::vector<otlp::ExponentialPoint> exponentials_;
};

}  // namespace

Result<void> write_metric(otlp::MetricWriter& writer, const metrics::MetricData& metric,
                          const otlp::MetricRecordSink& sink) {
  const Points points(metric);
  return writer.write(points.metric(), sink);
}

}  // namespace arca::telemetry
