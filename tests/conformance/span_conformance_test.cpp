// The official protobuf classes judge the span writer: whatever sequence of calls comes in, the bytes must parse, and
// say what an independently kept account of the calls says.
#include <gtest/gtest.h>
#include <opentelemetry/proto/trace/v1/trace.pb.h>

#include <deque>
#include <string>

#include "conformance/random_values.hpp"
#include "conformance/sequences.hpp"
#include "otlp/span_writer.hpp"

namespace {

using namespace arca;
using conformance::ExpectedAttributes;
using conformance::RandomValues;
namespace span_v1 = opentelemetry::proto::trace::v1;

base::WallTime at(std::int64_t nanos) { return base::WallTime(std::chrono::nanoseconds(nanos)); }

// Parses a framed record as the one child of a ScopeSpans.
span_v1::Span parse_span(base::Bytes record) {
  span_v1::ScopeSpans scope;
  EXPECT_TRUE(scope.ParseFromArray(record.data(), static_cast<int>(record.size())));
  EXPECT_EQ(scope.spans_size(), 1);
  return scope.spans_size() == 1 ? scope.spans(0) : span_v1::Span();
}

template <class Id>
std::string text_of(const Id& id) {
  return std::string(reinterpret_cast<const char*>(id.data()), id.size());
}

otlp::SpanLimits random_limits(RandomValues& random) {
  otlp::SpanLimits limits;
  if (!random.chance(2)) return limits;
  limits.attributes = {random.below(12), random.chance(2) ? random.below(30) : otlp::no_limit};
  limits.event_count_max = random.below(4);
  limits.link_count_max = random.below(3);
  limits.event_attribute_count_max = random.below(4);
  limits.link_attribute_count_max = random.below(4);
  return limits;
}

// An event or a link without its attributes, and these.
template <class Message>
struct ExpectedChild {
  Message bare;
  ExpectedAttributes attributes{0, 0};
};

template <class Children, class Message>
void expect_children(const Children& actual, std::deque<ExpectedChild<Message>>& expected) {
  ASSERT_EQ(static_cast<std::size_t>(actual.size()), expected.size());
  for (int i = 0; i < actual.size(); ++i) {
    auto& child = expected[static_cast<std::size_t>(i)];
    child.bare.set_dropped_attributes_count(child.attributes.dropped_count());
    EXPECT_TRUE(child.attributes.equals(actual.Get(i).attributes()));
    Message bare = actual.Get(i);
    bare.clear_attributes();
    EXPECT_EQ(bare.SerializeAsString(), child.bare.SerializeAsString());
  }
}

// Makes one random span by both accounts, the writer's and the official classes', and compares them.
class RandomSpan {
 public:
  RandomSpan(otlp::SpanWriter& writer, std::uint64_t seed)
      : writer_(writer), random_(seed), limits_(random_limits(random_)) {}

  void check() {
    begin();
    for (std::uint64_t step = random_.below(30); step > 0; --step) take_step();
    const std::int64_t end_time = time();
    const span_v1::Span actual = parse_span(writer_.end(at(end_time)));
    expected_.set_end_time_unix_nano(static_cast<std::uint64_t>(end_time));
    compare(actual);
  }

 private:
  std::int64_t time() { return static_cast<std::int64_t>(random_.word() >> 1U); }

  void begin() {
    otlp::SpanStart start;
    start.trace_id = random_.id<16>();
    start.span_id = random_.id<8>();
    if (random_.chance(2)) start.parent_span_id = random_.id<8>();
    const std::string state = random_.chance(2) ? "vendor=value" : "";
    start.trace_state = state;
    start.flags = otlp::span_flags(static_cast<std::uint8_t>(random_.below(4)), random_.chance(2));
    start.kind = static_cast<otlp::SpanKind>(random_.below(6));
    start.start_time = at(time());
    start.name = name_;
    writer_.begin(start, limits_);

    expected_.set_trace_id(text_of(start.trace_id));
    expected_.set_span_id(text_of(start.span_id));
    if (start.parent_span_id != otlp::SpanId{}) expected_.set_parent_span_id(text_of(start.parent_span_id));
    expected_.set_trace_state(state);
    expected_.set_flags(start.flags);
    expected_.set_kind(static_cast<span_v1::Span::SpanKind>(start.kind));
    expected_.set_start_time_unix_nano(otlp::unix_nanos(start.start_time));
  }

  void take_step() {
    switch (random_.below(10)) {
      case 0:
        name_ = random_.chance(4) ? "" : "name " + std::string(random_.below(200), 'n');
        writer_.set_name(name_);
        break;
      case 1:
        add_event();
        break;
      case 2:
        add_link();
        break;
      case 3:
        set_status();
        break;
      default:
        attributes_.draw(random_, [&](auto key, const auto& value) { writer_.set_attribute(key, value); });
    }
  }

  void add_event() {
    const std::int64_t when = time();
    const std::string name = random_.chance(2) ? "event" : "";
    if (!writer_.begin_event(name, at(when))) {
      EXPECT_GE(events_.size(), limits_.event_count_max);
      ++dropped_events_;
      return;
    }
    auto& child = events_.emplace_back();
    child.bare.set_time_unix_nano(static_cast<std::uint64_t>(when));
    child.bare.set_name(name);
    child.attributes = {limits_.event_attribute_count_max, limits_.attributes.value_length_max};
    for (std::uint64_t i = random_.below(6); i > 0; --i) {
      child.attributes.draw(random_, [&](auto key, const auto& value) { writer_.set_event_attribute(key, value); });
    }
    writer_.end_event();
  }

  void add_link() {
    const otlp::LinkTarget target{random_.id<16>(), random_.id<8>(), random_.chance(2) ? "a=b" : "",
                                  otlp::span_flags(1, random_.chance(2))};
    if (!writer_.begin_link(target)) {
      EXPECT_GE(links_.size(), limits_.link_count_max);
      ++dropped_links_;
      return;
    }
    auto& child = links_.emplace_back();
    child.bare.set_trace_id(text_of(target.trace_id));
    child.bare.set_span_id(text_of(target.span_id));
    child.bare.set_trace_state(std::string(target.trace_state));
    child.bare.set_flags(target.flags);
    child.attributes = {limits_.link_attribute_count_max, limits_.attributes.value_length_max};
    for (std::uint64_t i = random_.below(6); i > 0; --i) {
      child.attributes.draw(random_, [&](auto key, const auto& value) { writer_.set_link_attribute(key, value); });
    }
    writer_.end_link();
  }

  void set_status() {
    const auto status = static_cast<otlp::SpanStatus>(random_.below(3));
    const std::string description = random_.chance(3) ? "" : "why " + std::string(random_.below(200), 'w');
    writer_.set_status(status, description);
    if (status == otlp::SpanStatus::unset || expected_.status().code() == span_v1::Status::STATUS_CODE_OK) return;
    expected_.mutable_status()->set_code(static_cast<span_v1::Status::StatusCode>(status));
    expected_.mutable_status()->set_message(status == otlp::SpanStatus::error ? description : "");
  }

  void compare(const span_v1::Span& actual) {
    expected_.set_name(name_);
    expected_.set_dropped_attributes_count(attributes_.dropped_count());
    expected_.set_dropped_events_count(dropped_events_);
    expected_.set_dropped_links_count(dropped_links_);

    EXPECT_TRUE(attributes_.equals(actual.attributes()));
    expect_children(actual.events(), events_);
    expect_children(actual.links(), links_);
    span_v1::Span bare = actual;
    bare.clear_attributes();
    bare.clear_events();
    bare.clear_links();
    EXPECT_EQ(bare.SerializeAsString(), expected_.SerializeAsString());
  }

  otlp::SpanWriter& writer_;
  RandomValues random_;
  const otlp::SpanLimits limits_;
  std::string name_ = "first name";
  span_v1::Span expected_;
  ExpectedAttributes attributes_{limits_.attributes.count_max, limits_.attributes.value_length_max};
  std::deque<ExpectedChild<span_v1::Span::Event>> events_;
  std::deque<ExpectedChild<span_v1::Span::Link>> links_;
  std::uint32_t dropped_events_ = 0;
  std::uint32_t dropped_links_ = 0;
};

TEST(SpanConformance, RandomCallsParseToWhatTheySay) {
  otlp::SpanWriter writer;  // one for all, as in the pool
  conformance::for_each_sequence(5000, [&](std::uint64_t seed) {
    RandomSpan(writer, seed).check();
    if (seed % 100 == 99) writer.trim(4096);
  });
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
      const span_v1::Span span = parse_span(writer.end(at(2)));
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
    const span_v1::Span span = parse_span(writer.end(at(1)));
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
  const span_v1::Span span = parse_span(writer.end(at(1)));
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
  const span_v1::Span span = parse_span(writer.end(at(1)));
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
  EXPECT_EQ(parse_span(writer.end(at(3))).name(), "next");
}

}  // namespace
