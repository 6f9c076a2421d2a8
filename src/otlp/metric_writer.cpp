#include "otlp/metric_writer.hpp"

#include "otlp/fields.hpp"
#include "otlp/record_head.hpp"

namespace arca::otlp {

namespace {

// Two bytes hold the length of every point up to 16 KiB.
constexpr std::size_t point_length_size = 2;

// Opens a message whose length is patched by close_padded(); returns where its body begins.
std::size_t open_message(WireWriter& out, std::uint8_t tag) noexcept {
  if (!out.reserve(1 + point_length_size)) return out.offset();
  out.put_tag(tag);
  out.skip(point_length_size);
  return out.offset();
}
void close_message(WireWriter& out, std::size_t body) noexcept {
  if (!out.failed()) out.close_padded(body, point_length_size);
}

template <class Word>
void put_word(WireWriter& out, std::uint8_t tag, Word value) noexcept {
  if (out.reserve(1 + sizeof value)) out.set_cursor(put_fixed(out.cursor(), tag, value));
}
void put_word(WireWriter& out, std::uint8_t tag, const std::optional<double>& value) noexcept {
  if (value) put_word(out, tag, *value);
}
void put_time(WireWriter& out, std::uint8_t tag, base::WallTime time) noexcept {
  if (unix_nanos(time) != 0) put_word(out, tag, unix_nanos(time));
}
void put_number(WireWriter& out, std::uint8_t int_tag, std::uint8_t double_tag, const Number& value) noexcept {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    put_word(out, int_tag, *integer);
  } else {
    put_word(out, double_tag, std::get<double>(value));
  }
}
void put_flags(WireWriter& out, std::uint8_t tag, std::uint32_t flags) noexcept {
  if (out.reserve(6)) out.set_cursor(put_count(out.cursor(), tag, flags));
}

// Packed fixed64 or double.
template <class Word>
void put_packed_words(WireWriter& out, std::uint8_t tag, std::span<const Word> words) noexcept {
  static_assert(sizeof(Word) == 8);
  if (words.empty() || !out.reserve(length_field_size(words.size_bytes()))) return;
  out.put_tag(tag);
  out.put_varint(words.size_bytes());
  out.put_bytes(std::as_bytes(words));
}

constexpr std::uint32_t zigzag(std::int32_t value) noexcept {
  return (static_cast<std::uint32_t>(value) << 1U) ^ static_cast<std::uint32_t>(value >> 31);
}

void put_sint(WireWriter& out, std::uint8_t tag, std::int32_t value) noexcept {
  if (!out.reserve(6) || value == 0) return;
  out.put_tag(tag);
  out.put_varint(zigzag(value));
}

void put_buckets(WireWriter& out, std::uint8_t tag, const ExponentialBuckets& buckets) noexcept {
  const std::size_t body = open_message(out, tag);
  put_sint(out, tags::point::buckets_offset, buckets.offset);
  std::size_t size = 0;
  for (const std::uint64_t count : buckets.counts) size += base::varint_size(count);
  if (size != 0 && out.reserve(length_field_size(size))) {
    out.put_tag(tags::point::buckets_counts);
    out.put_varint(size);
    for (const std::uint64_t count : buckets.counts) out.put_varint(count);
  }
  close_message(out, body);
}

void put_attributes(WireWriter& out, AttributeList& list, std::uint8_t tag, std::span<const Attribute> attributes) {
  const std::size_t begin = out.offset();
  list.reset({no_limit, no_limit});
  for (const Attribute& attribute : attributes) list.set(out, tag, attribute.key, attribute.value);
  out.compact(begin);
}

void put_exemplars(WireWriter& out, AttributeList& list, std::uint8_t tag, std::span<const Exemplar> exemplars) {
  for (const Exemplar& exemplar : exemplars) {
    const std::size_t body = open_message(out, tag);
    put_attributes(out, list, tags::exemplar::attribute, exemplar.filtered_attributes);
    put_time(out, tags::exemplar::time, exemplar.time);
    put_number(out, tags::exemplar::value_int, tags::exemplar::value_double, exemplar.value);
    if (!out.reserve(18 + 10)) return;
    if (exemplar.span_id != SpanId{}) out.set_cursor(put_id(out.cursor(), tags::exemplar::span_id, exemplar.span_id));
    if (exemplar.trace_id != TraceId{})
      out.set_cursor(put_id(out.cursor(), tags::exemplar::trace_id, exemplar.trace_id));
    close_message(out, body);
  }
}

void put_times(WireWriter& out, const PointHead& head) noexcept {
  put_time(out, tags::point::start_time, head.start_time);
  put_time(out, tags::point::time, head.time);
}

void put_point(WireWriter& out, AttributeList& list, const NumberPoint& point) {
  put_attributes(out, list, tags::point::number_attribute, point.head.attributes);
  put_times(out, point.head);
  put_number(out, tags::point::number_int, tags::point::number_double, point.value);
  put_exemplars(out, list, tags::point::number_exemplar, point.head.exemplars);
  put_flags(out, tags::point::number_flags, point.head.flags);
}

void put_point(WireWriter& out, AttributeList& list, const HistogramPoint& point) {
  put_attributes(out, list, tags::point::histogram_attribute, point.head.attributes);
  put_times(out, point.head);
  put_word(out, tags::point::count, point.count);
  put_word(out, tags::point::sum, point.sum);
  put_packed_words(out, tags::point::histogram_counts, point.bucket_counts);
  put_packed_words(out, tags::point::histogram_bounds, point.bounds);
  put_exemplars(out, list, tags::point::histogram_exemplar, point.head.exemplars);
  put_flags(out, tags::point::flags, point.head.flags);
  put_word(out, tags::point::histogram_min, point.min);
  put_word(out, tags::point::histogram_max, point.max);
}

void put_point(WireWriter& out, AttributeList& list, const ExponentialPoint& point) {
  put_attributes(out, list, tags::point::exponential_attribute, point.head.attributes);
  put_times(out, point.head);
  put_word(out, tags::point::count, point.count);
  put_word(out, tags::point::sum, point.sum);
  put_sint(out, tags::point::exponential_scale, point.scale);
  put_word(out, tags::point::exponential_zero_count, point.zero_count);
  put_buckets(out, tags::point::exponential_positive, point.positive);
  put_buckets(out, tags::point::exponential_negative, point.negative);
  put_flags(out, tags::point::flags, point.head.flags);
  put_exemplars(out, list, tags::point::exponential_exemplar, point.head.exemplars);
  put_word(out, tags::point::exponential_min, point.min);
  put_word(out, tags::point::exponential_max, point.max);
  put_word(out, tags::point::exponential_zero_threshold, point.zero_threshold);
}

// What stands in Gauge, Sum, Histogram or ExponentialHistogram behind the points: nothing, or up to four bytes.
struct DataTail {
  std::uint8_t tag;
  Temporality temporality = Temporality::unspecified;
  bool is_monotonic = false;
  [[nodiscard]] std::size_t size() const noexcept {
    return (temporality != Temporality::unspecified ? 2U : 0U) + (is_monotonic ? 2U : 0U);
  }
};
DataTail tail_of(const Gauge&) noexcept { return {tags::metric::gauge}; }
DataTail tail_of(const Sum& sum) noexcept { return {tags::metric::sum, sum.temporality, sum.is_monotonic}; }
DataTail tail_of(const Histogram& histogram) noexcept { return {tags::metric::histogram, histogram.temporality}; }
DataTail tail_of(const ExponentialHistogram& histogram) noexcept {
  return {tags::metric::exponential_histogram, histogram.temporality};
}

}  // namespace

Result<void> MetricWriter::write(const Metric& metric, const MetricRecordSink& sink) {
  return std::visit([&](const auto& data) { return write_points(metric, data, sink); }, metric.data);
}

template <class Data>
Result<void> MetricWriter::write_points(const Metric& metric, const Data& data, const MetricRecordSink& sink) {
  // What each record costs beside its points: tags, lengths and texts (that may grow threefold by U+FFFD).
  const std::size_t overhead = 64 + metric.name.size() + metric.description.size() + metric.unit.size();
  const std::size_t points_size_max = record_size_max_ > overhead ? record_size_max_ - overhead : 0;
  constexpr std::size_t first_offset = 1;  // AttributeList knows no offset 0
  points_.reset(first_offset);
  std::uint32_t count = 0;
  for (const auto& point : data.points) {
    const std::size_t begin = points_.offset();
    const std::size_t body = open_message(points_, tags::data::point);
    put_point(points_, attributes_, point);
    close_message(points_, body);
    if (points_.failed()) return failure(ErrorCode::full, "no memory for a data point of " + std::string(metric.name));
    if (count != 0 && points_.offset() - first_offset > points_size_max) {
      const base::Bytes newest = points_.bytes_from(begin);
      const base::Bytes before = points_.bytes_from(first_offset).first(begin - first_offset);
      if (!emit(metric, sink, before, count)) return failure(ErrorCode::full, "no memory for a metric record");
      std::memmove(points_.at(first_offset), newest.data(), newest.size());
      points_.truncate(first_offset + newest.size());
      count = 0;
    }
    ++count;
  }
  if (count != 0 && !emit(metric, sink, points_.bytes_from(first_offset), count)) {
    return failure(ErrorCode::full, "no memory for a metric record");
  }
  return {};
}

bool MetricWriter::emit(const Metric& metric, const MetricRecordSink& sink, base::Bytes points,
                        std::uint32_t point_count) {
  const DataTail tail = std::visit([](const auto& data) { return tail_of(data); }, metric.data);
  record_.reset(record_headroom);
  put_text_field(record_, tags::metric::name, metric.name);
  put_text_field(record_, tags::metric::description, metric.description);
  put_text_field(record_, tags::metric::unit, metric.unit);
  const std::size_t body = points.size() + tail.size();
  if (!record_.reserve(length_field_size(body))) return false;
  record_.put_tag(tail.tag);
  record_.put_varint(body);
  record_.put_bytes(points);
  std::byte* at = record_.cursor();
  if (tail.temporality != Temporality::unspecified) {
    at = put_small(at, tags::data::temporality, static_cast<std::uint8_t>(tail.temporality));
  }
  if (tail.is_monotonic) at = put_small(at, tags::data::is_monotonic, 1);
  record_.set_cursor(at);
  const base::Bytes record = close_record(record_);
  if (record.empty()) return false;
  sink(record, point_count);
  return true;
}

}  // namespace arca::otlp
