// MetricWriter: one metric and its data points, given as plain structs, as framed records of
// model/record_grammar.hpp. A metric with many points is spread over several records, each whole in itself.
// Used by the metric exporter.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "arca/result.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "otlp/attributes.hpp"
#include "otlp/value.hpp"
#include "otlp/wire_writer.hpp"

namespace arca::otlp {

using Number = std::variant<std::int64_t, double>;

struct Exemplar {
  std::span<const Attribute> filtered_attributes{};
  base::WallTime time{};
  Number value{};
  TraceId trace_id{};  // zeros: none
  SpanId span_id{};
};

struct PointHead {
  std::span<const Attribute> attributes{};
  base::WallTime start_time{};  // 1970: unknown
  base::WallTime time{};
  std::span<const Exemplar> exemplars{};
  std::uint32_t flags = 0;  // 1: no recorded value
};

struct NumberPoint {
  PointHead head{};
  Number value{};
};

struct HistogramPoint {
  PointHead head{};
  std::uint64_t count = 0;
  std::optional<double> sum{};
  std::optional<double> min{};
  std::optional<double> max{};
  std::span<const std::uint64_t> bucket_counts{};
  std::span<const double> bounds{};
};

struct ExponentialBuckets {
  std::int32_t offset = 0;
  std::span<const std::uint64_t> counts{};
};

struct ExponentialPoint {
  PointHead head{};
  std::uint64_t count = 0;
  std::optional<double> sum{};
  std::optional<double> min{};
  std::optional<double> max{};
  std::int32_t scale = 0;
  std::uint64_t zero_count = 0;
  double zero_threshold = 0;
  ExponentialBuckets positive{};
  ExponentialBuckets negative{};
};

// As numbered in OTLP.
enum class Temporality : std::uint8_t { unspecified = 0, delta = 1, cumulative = 2 };

struct Gauge {
  std::span<const NumberPoint> points{};
};
struct Sum {
  std::span<const NumberPoint> points{};
  Temporality temporality = Temporality::cumulative;
  bool is_monotonic = false;
};
struct Histogram {
  std::span<const HistogramPoint> points{};
  Temporality temporality = Temporality::cumulative;
};
struct ExponentialHistogram {
  std::span<const ExponentialPoint> points{};
  Temporality temporality = Temporality::cumulative;
};

struct Metric {
  std::string_view name{};
  std::string_view description{};
  std::string_view unit{};
  std::variant<Gauge, Sum, Histogram, ExponentialHistogram> data{};
};

// Takes one framed record, valid during the call only, and the number of data points in it.
using MetricRecordSink = std::function<void(base::Bytes record, std::uint32_t point_count)>;

// Not thread-safe.
class MetricWriter {
 public:
  static constexpr std::size_t record_size_max_default = 200 * 1024;

  // No record is larger than `record_size_max`, unless a single point is.
  explicit MetricWriter(std::size_t record_size_max = record_size_max_default) noexcept
      : record_size_max_(record_size_max) {}

  // Encodes the metric; a metric without points gives no record. ErrorCode::full: no memory; the records that `sink`
  // has been given by then stand, the rest of the metric does not.
  Result<void> write(const Metric& metric, const MetricRecordSink& sink);

 private:
  template <class Data>
  Result<void> write_points(const Metric& metric, const Data& data, const MetricRecordSink& sink);
  bool emit(const Metric& metric, const MetricRecordSink& sink, base::Bytes points, std::uint32_t point_count);

  std::size_t record_size_max_;
  WireWriter points_;
  WireWriter record_;
  AttributeList attributes_;
};

}  // namespace arca::otlp
