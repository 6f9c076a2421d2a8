// The official protobuf classes judge the log writer.
#include <gtest/gtest.h>
#include <opentelemetry/proto/logs/v1/logs.pb.h>

#include <string>

#include "conformance/random_values.hpp"
#include "conformance/sequences.hpp"
#include "otlp/log_writer.hpp"

namespace {

using namespace arca;
using conformance::ExpectedAttributes;
using conformance::RandomValues;
namespace log_v1 = opentelemetry::proto::logs::v1;

log_v1::LogRecord parse_log(base::Bytes record) {
  log_v1::ScopeLogs scope;
  EXPECT_TRUE(scope.ParseFromArray(record.data(), static_cast<int>(record.size())));
  EXPECT_EQ(scope.log_records_size(), 1);
  return scope.log_records_size() == 1 ? scope.log_records(0) : log_v1::LogRecord();
}

void check_random_log(otlp::LogWriter& writer, std::uint64_t seed) {
  RandomValues random(seed);
  otlp::AttributeLimits limits;
  if (random.chance(2)) limits = {random.below(6), random.below(20)};
  log_v1::LogRecord expected;
  ExpectedAttributes attributes(limits.count_max, limits.value_length_max);
  writer.begin(limits);
  for (std::uint64_t step = random.below(20); step > 0; --step) {
    switch (random.below(12)) {
      case 0:
        expected.set_time_unix_nano(random.word() >> 1U);
        writer.set_time(base::WallTime(std::chrono::nanoseconds(expected.time_unix_nano())));
        break;
      case 1:
        expected.set_observed_time_unix_nano(random.word() >> 1U);
        writer.set_observed_time(base::WallTime(std::chrono::nanoseconds(expected.observed_time_unix_nano())));
        break;
      case 2:
        expected.set_severity_number(static_cast<log_v1::SeverityNumber>(random.below(25)));
        writer.set_severity(static_cast<std::uint8_t>(expected.severity_number()));
        break;
      case 3:
        expected.set_severity_text(std::string(random.below(5), 'S'));
        writer.set_severity_text(expected.severity_text());
        break;
      case 4:
      case 5:
        expected.clear_body();
        writer.set_body(random.value(*expected.mutable_body(), otlp::no_limit));
        break;
      case 6:
        expected.set_event_name(std::string(random.below(5), 'e'));
        writer.set_event_name(expected.event_name());
        break;
      case 7: {
        const auto trace_id = random.id<16>();
        const auto span_id = random.id<8>();
        writer.set_trace_id(trace_id);
        writer.set_span_id(span_id);
        writer.set_trace_flags(1);
        expected.set_trace_id(trace_id.data(), trace_id.size());
        expected.set_span_id(span_id.data(), span_id.size());
        expected.set_flags(1);
        break;
      }
      default:
        attributes.draw(random, [&](auto key, const auto& value) { writer.set_attribute(key, value); });
    }
  }
  log_v1::LogRecord actual = parse_log(writer.end());
  EXPECT_TRUE(attributes.equals(actual.attributes()));
  actual.clear_attributes();
  expected.set_dropped_attributes_count(attributes.dropped_count());
  EXPECT_EQ(actual.SerializeAsString(), expected.SerializeAsString());
}

TEST(LogConformance, RandomCallsParseToWhatTheySay) {
  otlp::LogWriter writer;
  conformance::for_each_sequence(5000, [&](std::uint64_t seed) { check_random_log(writer, seed); });
}

}  // namespace
