// The official protobuf classes judge the span writer: whatever sequence of calls comes in, the bytes must parse, and
// say what an independently kept account of the calls says.
#include <gtest/gtest.h>

#include <opentelemetry/proto/trace/v1/trace.pb.h>

#include <deque>
#include <string>

#include "conformance/random_values.hpp"
#include "otlp/span_writer.hpp"

namespace {

using namespace arca;
using conformance::ExpectedAttributes;
using conformance::RandomValues;
namespace v1 = opentelemetry::proto::trace::v1;

base::WallTime at(std::int64_t nanos) { return base::WallTime(std::chrono::nanoseconds(nanos)); }

// Parses a framed record as the one child of a ScopeSpans.
v1::Span parse(base::Bytes record) {
  v1::ScopeSpans scope;
  EXPECT_TRUE(scope.ParseFromArray(record.data(), static_cast<int>(record.size())));
  EXPECT_EQ(scope.spans_size(), 1);
  return scope.spans_size() == 1 ? scope.spans(0) : v1::Span();
}

template <class Id>
std::string text_of(const Id& id) {
  return std::string(reinterpret_cast<const char*>(id.data()), id.size());
}

struct ExpectedChild {
  v1::Span::Event event;  // without attributes
  v1::Span::Link link;
  ExpectedAttributes attributes{0, 0};
};

// Makes one random span by both accounts and compares them.
void check_random_span(otlp::SpanWriter& writer, std::uint64_t seed) {
  RandomValues random(seed);
  otlp::SpanLimits limits;
  if (random.chance(2)) {
    limits.attributes = {random.below(12), random.chance(2) ? random.below(30) : otlp::no_limit};
    limits.event_count_max = random.below(4);
    limits.link_count_max = random.below(3);
    limits.event_attribute_count_max = random.below(4);
    limits.link_attribute_count_max = random.below(4);
  }
  const std::size_t length_max = limits.attributes.value_length_max;

  otlp::SpanStart start;
  start.trace_id = random.id<16>();
  start.span_id = random.id<8>();
  if (random.chance(2)) start.parent_span_id = random.id<8>();
  const std::string state = random.chance(2) ? "vendor=value" : "";
  start.trace_state = state;
  start.flags = otlp::span_flags(static_cast<std::uint8_t>(random.below(4)), random.chance(2));
  start.kind = static_cast<otlp::SpanKind>(random.below(6));
  start.start_time = at(static_cast<std::int64_t>(random.word() >> 1U));
  std::string name = "first name";
  start.name = name;

  v1::Span expected;
  expected.set_trace_id(text_of(start.trace_id));
  expected.set_span_id(text_of(start.span_id));
  if (start.parent_span_id != otlp::SpanId{}) expected.set_parent_span_id(text_of(start.parent_span_id));
  expected.set_trace_state(state);
  expected.set_flags(start.flags);
  expected.set_kind(static_cast<v1::Span::SpanKind>(start.kind));
  expected.set_start_time_unix_nano(otlp::unix_nanos(start.start_time));
  ExpectedAttributes attributes(limits.attributes.count_max, length_max);
  std::deque<ExpectedChild> events;
  std::deque<ExpectedChild> links;
  std::uint32_t dropped_events = 0;
  std::uint32_t dropped_links = 0;

  writer.begin(start, limits);
  for (std::uint64_t step = random.below(30); step > 0; --step) {
    switch (random.below(10)) {
      case 0:
        name = random.chance(4) ? "" : "name " + std::string(random.below(200), 'n');
        writer.set_name(name);
        break;
      case 1: {
        const auto time = static_cast<std::int64_t>(random.word() >> 1U);
        const std::string& event_name = random.chance(2) ? std::string("event") : std::string();
        if (!writer.begin_event(event_name, at(time))) {
          EXPECT_GE(events.size(), limits.event_count_max);
          ++dropped_events;
          break;
        }
        auto& child = events.emplace_back();
        child.event.set_time_unix_nano(static_cast<std::uint64_t>(time));
        child.event.set_name(event_name);
        child.attributes = {limits.event_attribute_count_max, length_max};
        for (std::uint64_t i = random.below(6); i > 0; --i) {
          child.attributes.draw(random, [&](auto key, const auto& value) { writer.set_event_attribute(key, value); });
        }
        writer.end_event();
        break;
      }
      case 2: {
        otlp::LinkTarget target{random.id<16>(), random.id<8>(), random.chance(2) ? "a=b" : "",
                                otlp::span_flags(1, random.chance(2))};
        if (!writer.begin_link(target)) {
          EXPECT_GE(links.size(), limits.link_count_max);
          ++dropped_links;
          break;
        }
        auto& child = links.emplace_back();
        child.link.set_trace_id(text_of(target.trace_id));
        child.link.set_span_id(text_of(target.span_id));
        child.link.set_trace_state(std::string(target.trace_state));
        child.link.set_flags(target.flags);
        child.attributes = {limits.link_attribute_count_max, length_max};
        for (std::uint64_t i = random.below(6); i > 0; --i) {
          child.attributes.draw(random, [&](auto key, const auto& value) { writer.set_link_attribute(key, value); });
        }
        writer.end_link();
        break;
      }
      case 3: {
        const auto status = static_cast<otlp::SpanStatus>(random.below(3));
        const std::string description = random.chance(3) ? "" : "why " + std::string(random.below(200), 'w');
        writer.set_status(status, description);
        if (status == otlp::SpanStatus::unset || expected.status().code() == v1::Status::STATUS_CODE_OK) break;
        expected.mutable_status()->set_code(static_cast<v1::Status::StatusCode>(status));
        expected.mutable_status()->set_message(status == otlp::SpanStatus::error ? description : "");
        break;
      }
      default:
        attributes.draw(random, [&](auto key, const auto& value) { writer.set_attribute(key, value); });
    }
  }
  const auto end_time = static_cast<std::int64_t>(random.word() >> 1U);
  const v1::Span actual = parse(writer.end(at(end_time)));

  expected.set_end_time_unix_nano(static_cast<std::uint64_t>(end_time));
  expected.set_name(name);
  expected.set_dropped_attributes_count(attributes.dropped_count());
  expected.set_dropped_events_count(dropped_events);
  expected.set_dropped_links_count(dropped_links);

  EXPECT_TRUE(attributes.equals(actual.attributes()));
  ASSERT_EQ(static_cast<std::size_t>(actual.events_size()), events.size());
  for (int i = 0; i < actual.events_size(); ++i) {
    ExpectedChild& child = events[static_cast<std::size_t>(i)];
    child.event.set_dropped_attributes_count(child.attributes.dropped_count());
    EXPECT_TRUE(child.attributes.equals(actual.events(i).attributes()));
    v1::Span::Event bare = actual.events(i);
    bare.clear_attributes();
    EXPECT_EQ(bare.SerializeAsString(), child.event.SerializeAsString());
  }
  ASSERT_EQ(static_cast<std::size_t>(actual.links_size()), links.size());
  for (int i = 0; i < actual.links_size(); ++i) {
    ExpectedChild& child = links[static_cast<std::size_t>(i)];
    child.link.set_dropped_attributes_count(child.attributes.dropped_count());
    EXPECT_TRUE(child.attributes.equals(actual.links(i).attributes()));
    v1::Span::Link bare = actual.links(i);
    bare.clear_attributes();
    EXPECT_EQ(bare.SerializeAsString(), child.link.SerializeAsString());
  }
  v1::Span bare = actual;
  bare.clear_attributes();
  bare.clear_events();
  bare.clear_links();
  EXPECT_EQ(bare.SerializeAsString(), expected.SerializeAsString());
}

TEST(SpanConformance, RandomCallsParseToWhatTheySay) {
  otlp::SpanWriter writer;  // one for all, as in the pool
  const std::uint64_t first_seed = std::random_device{}();
  for (std::uint64_t i = 0; i < 5000; ++i) {
    SCOPED_TRACE("seed " + std::to_string(first_seed + i));
    check_random_span(writer, first_seed + i);
    if (testing::Test::HasFailure()) return;
    if (i % 100 == 99) writer.trim(4096);
  }
}

TEST(SpanConformance, LengthsAtEveryVarintBoundaryParse) {
  otlp::SpanWriter writer;
  for (const std::size_t boundary : {127U, 128U, 16383U, 16384U, 1U << 21U}) {
    // Every size of text around the boundary, so that span, event, attribute and value all cross it.
    for (std::size_t size = boundary - 60; size <= boundary + 3; ++size) {
      const std::string text(size, 't');
      writer.begin({.name = "n"}, {});
      ASSERT_TRUE(writer.begin_event("e", at(1)));
      writer.set_event_attribute("k", std::string_view(text));
      writer.end_event();
      writer.set_attribute("k", std::string_view(text));
      writer.set_status(otlp::SpanStatus::error, text);
      const v1::Span span = parse(writer.end(at(2)));
      EXPECT_EQ(span.attributes(0).value().string_value(), text);
      ASSERT_EQ(span.events_size(), 1);
      EXPECT_EQ(span.events(0).attributes(0).value().string_value(), text);
      EXPECT_EQ(span.status().message(), text);
    }
  }
}

TEST(SpanConformance, ManyAttributesStayUnique) {
  otlp::SpanWriter writer;
  otlp::SpanLimits limits;
  limits.attributes.count_max = 5000;
  for (int round = 0; round < 3; ++round) {
    writer.begin({.name = "many"}, limits);
    for (int pass = 0; pass < 3; ++pass) {
      for (std::int64_t i = 0; i < 6000; ++i) writer.set_attribute("key" + std::to_string(i), i * 1000 * pass);
    }
    const v1::Span span = parse(writer.end(at(1)));
    ASSERT_EQ(span.attributes_size(), 5000);
    EXPECT_EQ(span.dropped_attributes_count(), 3000U);
    for (const auto& pair : span.attributes()) {
      EXPECT_EQ(pair.value().int_value(), std::stoll(pair.key().substr(3)) * 2000);
    }
  }
}

TEST(SpanConformance, OverwritingForEverKeepsTheSpanSmall) {
  otlp::SpanWriter writer;
  writer.begin({.name = "loop"}, {});
  writer.set_attribute("stays", std::string_view("here"));
  writer.set_status(otlp::SpanStatus::error, "kept");
  for (std::int64_t i = 0; i < 100'000; ++i) {
    writer.set_attribute("counter", std::string_view(std::string(static_cast<std::size_t>(i % 97), 'c')));
    writer.set_name(std::string(static_cast<std::size_t>(i % 53), 'n'));
    ASSERT_LT(writer.size(), 300'000U);
  }
  const v1::Span span = parse(writer.end(at(1)));
  EXPECT_EQ(span.attributes_size(), 2);
  EXPECT_EQ(span.status().message(), "kept");
  EXPECT_EQ(span.name().size(), 99'999U % 53U);
}

TEST(SpanConformance, NamesAndKeysThatAreNotUtf8AreRepaired) {
  otlp::SpanWriter writer;
  writer.begin({.name = "bad\xC0name"}, {});
  writer.set_attribute("key\xFF", std::int64_t{1});
  writer.set_attribute("key\xEF\xBF\xBD", std::int64_t{2});
  writer.set_attribute("value", std::string_view("\xF0\x28"));
  const v1::Span span = parse(writer.end(at(1)));
  EXPECT_EQ(span.name(), "bad\xEF\xBF\xBDname");
  ASSERT_EQ(span.attributes_size(), 2);
  EXPECT_EQ(span.attributes(0).key(), "key\xEF\xBF\xBD");
  EXPECT_EQ(span.attributes(0).value().int_value(), 2);
  EXPECT_EQ(span.attributes(1).value().bytes_value(), "\xF0\x28");
}

TEST(SpanConformance, WithoutMemoryTheSpanIsRefusedAndTheNextOneWorks) {
  otlp::SpanWriter writer(2048);
  const std::string large(4000, 'x');
  writer.begin({.name = "n"}, {});
  writer.set_attribute("large", std::string_view(large));
  EXPECT_TRUE(writer.failed());
  writer.set_attribute("small", true);
  EXPECT_FALSE(writer.begin_event(large, at(1)));
  writer.set_name(large);
  writer.set_status(otlp::SpanStatus::error, large);
  EXPECT_TRUE(writer.end(at(2)).empty());
  writer.begin({.name = "next"}, {});
  EXPECT_EQ(parse(writer.end(at(3))).name(), "next");
}

}  // namespace
