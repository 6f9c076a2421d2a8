// Length prefixes grow by a byte at 128, 16,384 and 2 MiB, and the writers take other paths there: one-byte heads,
// padded lengths of events and links, replacement in place. Around each border, every text, byte string, key, array,
// event, link and record must parse with the official protobuf classes to what was put in.
#include <gtest/gtest.h>
#include <opentelemetry/proto/logs/v1/logs.pb.h>
#include <opentelemetry/proto/metrics/v1/metrics.pb.h>
#include <opentelemetry/proto/trace/v1/trace.pb.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "otlp/context_encoder.hpp"
#include "otlp/log_writer.hpp"
#include "otlp/metric_writer.hpp"
#include "otlp/span_writer.hpp"

namespace {

using namespace arca;
namespace pb = opentelemetry::proto;

constexpr std::size_t sizes[] = {0, 1, 127, 128, 255, 256, 16383, 16384, 16385, 2U << 20U};
constexpr otlp::SpanLimits unlimited{
    {otlp::no_limit, otlp::no_limit}, otlp::no_limit, otlp::no_limit, otlp::no_limit, otlp::no_limit};

base::WallTime time_at(std::int64_t nanos) { return base::WallTime(std::chrono::nanoseconds(nanos)); }

template <class Message>
Message parse(base::Bytes bytes) {
  Message message;
  EXPECT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return message;
}
pb::trace::v1::Span end(otlp::SpanWriter& writer) {
  const auto scope = parse<pb::trace::v1::ScopeSpans>(writer.end(time_at(2)));
  EXPECT_EQ(scope.spans_size(), 1);
  return scope.spans_size() == 1 ? scope.spans(0) : pb::trace::v1::Span();
}
pb::logs::v1::LogRecord end(otlp::LogWriter& writer) {
  const auto scope = parse<pb::logs::v1::ScopeLogs>(writer.end());
  EXPECT_EQ(scope.log_records_size(), 1);
  return scope.log_records_size() == 1 ? scope.log_records(0) : pb::logs::v1::LogRecord();
}

// A value of each kind whose length is free, with what it must become.
struct Sized {
  otlp::AttributeValue value;
  pb::common::v1::AnyValue expected;
};

class LengthBorders : public testing::TestWithParam<std::size_t> {
 protected:
  LengthBorders() {
    add(std::string_view(text_), [&](auto& any) { any.set_string_value(text_); });
    add(base::as_bytes(text_), [&](auto& any) { any.set_bytes_value(text_); });
    // Not ASCII, and (unless it is empty) not UTF-8.
    if (!ill_formed_.empty()) {
      add(std::string_view(ill_formed_), [&](auto& any) { any.set_bytes_value(ill_formed_); });
    }
    add(otlp::TextArray::of(texts_, 3), [&](auto& any) {
      for (const auto& text : texts_) any.mutable_array_value()->add_values()->set_string_value(text);
    });
    add(std::span<const bool>(flags_.get(), flag_count_), [&](auto& any) {
      auto& values = *any.mutable_array_value()->mutable_values();
      for (std::size_t i = 0; i < flag_count_; ++i) values.Add()->set_bool_value(flags_[i]);
    });
    add(std::span<const double>(numbers_), [&](auto& any) {
      auto& values = *any.mutable_array_value()->mutable_values();
      for (const double number : numbers_) values.Add()->set_double_value(number);
    });
  }

  std::size_t size() const { return GetParam(); }
  // Keys of this length: an empty one is no key.
  std::string key(std::size_t number) const {
    std::string key(size() == 0 ? 1 : size(), 'k');
    key.back() = static_cast<char>('0' + number);
    return key;
  }
  // Sets all values under short keys and the first of them under keys of the length.
  template <class Set>
  void set_all(Set set) const {
    for (std::size_t i = 0; i < values_.size(); ++i) set("v" + std::to_string(i), values_[i].value);
    for (std::size_t i = 0; i < 2; ++i) set(key(i), values_[i].value);
  }
  template <class Repeated>
  void expect_all(const Repeated& pairs) const {
    ASSERT_EQ(static_cast<std::size_t>(pairs.size()), values_.size() + 2);
    for (std::size_t i = 0; i < values_.size() + 2; ++i) {
      const auto& pair = pairs.Get(static_cast<int>(i));
      const std::size_t value = i < values_.size() ? i : i - values_.size();
      EXPECT_TRUE(pair.key() == (i < values_.size() ? "v" + std::to_string(i) : key(i - values_.size()))) << i;
      EXPECT_TRUE(pair.value().SerializeAsString() == values_[value].expected.SerializeAsString()) << i;
    }
  }

 private:
  template <class Expect>
  void add(const otlp::AttributeValue& value, Expect expect) {
    expect(*&values_.emplace_back(Sized{value, {}}).expected);
  }

  const std::string text_ = std::string(GetParam(), 't');
  const std::string ill_formed_ = std::string(GetParam(), '\xC3');
  const std::string texts_[3] = {text_, "", text_};
  // An element of an array takes four bytes with a flag, eleven with a number.
  const std::size_t flag_count_ = GetParam() / 4;
  const std::unique_ptr<bool[]> flags_ = std::make_unique<bool[]>(flag_count_ + 1);
  const std::vector<double> numbers_ = std::vector<double>(GetParam() / 11 + 1, 1.5);
  std::vector<Sized> values_;
};

INSTANTIATE_TEST_SUITE_P(Length, LengthBorders, testing::ValuesIn(sizes),
                         [](const auto& with) { return std::to_string(with.param); });

TEST_P(LengthBorders, OfAttributesOfSpansEventsAndLinks) {
  const std::string text(size(), 'n');
  otlp::SpanWriter writer;
  writer.begin({.trace_state = text, .name = "first"}, unlimited);
  set_all([&](const auto& key, const auto& value) { writer.set_attribute(key, value); });
  ASSERT_TRUE(writer.begin_event(text, time_at(1)));
  set_all([&](const auto& key, const auto& value) { writer.set_event_attribute(key, value); });
  writer.end_event();
  ASSERT_TRUE(writer.begin_link({.trace_state = text}));
  set_all([&](const auto& key, const auto& value) { writer.set_link_attribute(key, value); });
  writer.end_link();
  writer.set_name(text);
  writer.set_status(otlp::SpanStatus::error, text);
  const auto span = end(writer);
  expect_all(span.attributes());
  ASSERT_EQ(span.events_size(), 1);
  EXPECT_TRUE(span.events(0).name() == text);
  expect_all(span.events(0).attributes());
  ASSERT_EQ(span.links_size(), 1);
  EXPECT_TRUE(span.links(0).trace_state() == text);
  expect_all(span.links(0).attributes());
  EXPECT_TRUE(span.trace_state() == text);
  EXPECT_TRUE(span.name() == text);
  EXPECT_TRUE(span.status().message() == text);
  EXPECT_EQ(span.end_time_unix_nano(), 2U);
}

TEST_P(LengthBorders, OfAttributesAndBodiesOfLogRecords) {
  const std::string text(size(), 'n');
  otlp::LogWriter writer;
  set_all([&](const auto&, const auto& body) {
    writer.begin({otlp::no_limit, otlp::no_limit});
    writer.set_body(std::string_view("replaced"));
    writer.set_body(body);
    writer.set_event_name(text);
    writer.set_severity_text(text);
    set_all([&](const auto& key, const auto& value) { writer.set_attribute(key, value); });
    const auto record = end(writer);
    expect_all(record.attributes());
    EXPECT_TRUE(record.event_name() == text);
    EXPECT_TRUE(record.severity_text() == text);
    writer.begin({otlp::no_limit, otlp::no_limit});
    writer.set_attribute("body", body);
    EXPECT_TRUE(record.body().SerializeAsString() == end(writer).attributes(0).value().SerializeAsString());
  });
}

TEST_P(LengthBorders, OfAttributesOfResourcesScopesAndPoints) {
  const std::string text(size(), 'n');
  std::vector<std::string> keys;
  std::vector<otlp::Attribute> attributes;
  keys.reserve(16);
  set_all([&](const auto& key, const auto& value) { attributes.push_back({keys.emplace_back(key), value}); });

  const auto resource = otlp::encode_resource(attributes, text);
  ASSERT_TRUE(resource);
  const auto of_resource = parse<pb::trace::v1::ResourceSpans>(*resource);
  expect_all(of_resource.resource().attributes());
  EXPECT_TRUE(of_resource.schema_url() == text);
  const auto scope = otlp::encode_scope({text, text, text, attributes});
  ASSERT_TRUE(scope);
  const auto of_scope = parse<pb::trace::v1::ScopeSpans>(*scope);
  expect_all(of_scope.scope().attributes());
  EXPECT_TRUE(of_scope.scope().name() == text && of_scope.scope().version() == text && of_scope.schema_url() == text);

  otlp::NumberPoint point;
  point.head.attributes = attributes;
  const otlp::Exemplar exemplar{.filtered_attributes = attributes};
  point.head.exemplars = {&exemplar, 1};
  otlp::Metric metric{.name = text, .description = text, .unit = text};
  metric.data = otlp::Gauge{{&point, 1}};
  otlp::MetricWriter writer;
  ASSERT_TRUE(writer.write(metric, [&](base::Bytes record, std::uint32_t) {
    const auto got = parse<pb::metrics::v1::ScopeMetrics>(record).metrics(0);
    EXPECT_TRUE(got.name() == text && got.description() == text && got.unit() == text);
    ASSERT_EQ(got.gauge().data_points_size(), 1);
    expect_all(got.gauge().data_points(0).attributes());
    expect_all(got.gauge().data_points(0).exemplars(0).filtered_attributes());
  }));
}

// A value replaced by one of any other length: in place where the sizes agree, else behind the buried one.
TEST_P(LengthBorders, OfValuesThatReplaceOneAnother) {
  otlp::SpanWriter writer;
  for (const std::size_t first : sizes) {
    writer.begin({.name = "n"}, unlimited);
    writer.set_attribute("stays", std::int64_t{1});
    writer.set_attribute("k", std::string_view(std::string(first, 'a')));
    writer.set_attribute(key(0), std::string_view(std::string(first, 'b')));
    writer.set_attribute("k", std::string_view(std::string(size(), 'c')));
    writer.set_attribute(key(0), std::string_view(std::string(size(), 'd')));
    const auto span = end(writer);
    ASSERT_EQ(span.attributes_size(), 3) << first;
    for (const auto& pair : span.attributes()) {
      if (pair.key() == "stays") continue;
      EXPECT_TRUE(pair.value().string_value() == std::string(size(), pair.key() == "k" ? 'c' : 'd')) << first;
    }
  }
}

TEST_P(LengthBorders, OfTheLimitOfAValue) {
  otlp::SpanLimits limits = unlimited;
  limits.attributes.value_length_max = size();
  otlp::SpanWriter writer;
  writer.begin({.name = "n"}, limits);
  const std::string longer(size() + 1, 't');
  writer.set_attribute("text", std::string_view(longer));
  writer.set_attribute("bytes", base::as_bytes(longer));
  std::string wide;
  for (std::size_t i = 0; i <= size(); ++i) wide += "\xC3\xA9";
  writer.set_attribute("wide", std::string_view(wide));
  const auto span = end(writer);
  ASSERT_EQ(span.attributes_size(), 3);
  EXPECT_TRUE(span.attributes(0).value().string_value() == longer.substr(1));
  EXPECT_TRUE(span.attributes(1).value().bytes_value() == longer.substr(1));
  EXPECT_TRUE(span.attributes(2).value().string_value() == wide.substr(2));
}

// Finds the text for which `make(text)` is encoded in exactly this size; a second, short text bridges the sizes that
// a growing length prefix leaves out.
template <class Make>
std::optional<std::pair<std::string, std::string>> texts_for(std::size_t size, Make make) {
  for (const std::size_t bridge : {0U, 1U, 2U}) {
    for (std::size_t length = size; length + 64 > size; --length) {
      const std::pair<std::string, std::string> texts(std::string(length, 't'), std::string(bridge, 'b'));
      if (make(texts.first, texts.second).ByteSizeLong() == size) return texts;
      if (length == 0) break;
    }
  }
  return std::nullopt;
}

TEST_P(LengthBorders, OfWholeEventsAndLinks) {
  using Span = pb::trace::v1::Span;
  const auto attributes = [](auto& message, const std::string& text) {
    auto& first = *message.add_attributes();
    first.set_key("text");
    first.mutable_value()->set_string_value(text);
    auto& second = *message.add_attributes();
    second.set_key("n");
    second.mutable_value()->set_int_value(7);
  };
  const auto make_event = [&](const std::string& text, const std::string& name) {
    Span::Event event;
    event.set_time_unix_nano(1);
    event.set_name(name);
    attributes(event, text);
    return event;
  };
  const auto make_link = [&](const std::string& text, const std::string& state) {
    Span::Link link;
    link.set_trace_id(std::string(16, '\0'));
    link.set_span_id(std::string(8, '\0'));
    link.set_trace_state(state);
    attributes(link, text);
    return link;
  };
  if (size() < 64) return;  // smaller than what stands in every one of them
  const auto for_event = texts_for(size(), make_event);
  const auto for_link = texts_for(size(), make_link);
  ASSERT_TRUE(for_event && for_link);
  otlp::SpanWriter writer;
  writer.begin({.name = "n"}, unlimited);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(writer.begin_event(for_event->second, time_at(1)));
    writer.set_event_attribute("text", std::string_view("replaced"));
    writer.set_event_attribute("text", std::string_view(for_event->first));
    writer.set_event_attribute("n", std::int64_t{7});
    writer.end_event();
    ASSERT_TRUE(writer.begin_link({.trace_state = for_link->second}));
    writer.set_link_attribute("text", std::string_view(for_link->first));
    writer.set_link_attribute("n", std::int64_t{7});
    writer.end_link();
  }
  const auto span = end(writer);
  ASSERT_EQ(span.events_size(), 2);
  ASSERT_EQ(span.links_size(), 2);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(span.events(i).SerializeAsString() ==
                make_event(for_event->first, for_event->second).SerializeAsString());
    EXPECT_TRUE(span.links(i).SerializeAsString() == make_link(for_link->first, for_link->second).SerializeAsString());
  }
}

TEST_P(LengthBorders, OfWholeAttributesArraysAndRecords) {
  const auto make_value = [](const std::string& text, const std::string& bridge) {
    pb::common::v1::AnyValue value;
    value.mutable_array_value()->add_values()->set_string_value(text);
    value.mutable_array_value()->add_values()->set_string_value(bridge);
    return value;
  };
  const auto make_array = [&](const std::string& text, const std::string& bridge) {
    return make_value(text, bridge).array_value();
  };
  const auto make_pair = [&](const std::string& text, const std::string& bridge) {
    pb::common::v1::KeyValue pair;
    pair.set_key("array");
    *pair.mutable_value() = make_value(text, bridge);
    return pair;
  };
  const auto make_record = [&](const std::string& text, const std::string& bridge) {
    pb::logs::v1::LogRecord record;
    *record.add_attributes() = make_pair(text, bridge);
    return record;
  };
  const auto check = [&](const char* what, const auto& texts) {
    ASSERT_TRUE(texts) << what;
    const std::string_view elements[] = {texts->first, texts->second};
    otlp::LogWriter writer;
    writer.begin({otlp::no_limit, otlp::no_limit});
    writer.set_attribute("array", otlp::TextArray::of(elements, 2));
    EXPECT_TRUE(end(writer).SerializeAsString() == make_record(texts->first, texts->second).SerializeAsString())
        << what;
  };
  if (size() < 64) return;  // smaller than what stands in every one of them
  check("ArrayValue", texts_for(size(), make_array));
  check("AnyValue", texts_for(size(), make_value));
  check("KeyValue", texts_for(size(), make_pair));
  check("LogRecord", texts_for(size(), make_record));
}

}  // namespace
