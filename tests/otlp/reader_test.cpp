// The reader meets rubbish: it never reads outside, never crashes, and says so.
#include "otlp/reader.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "otlp/json.hpp"
#include "otlp/request_split.hpp"
#include "otlp/span_writer.hpp"

namespace {

using namespace arca;
using model::Signal;

base::WallTime at(std::int64_t nanos) { return base::WallTime(std::chrono::nanoseconds(nanos)); }

void append_field(std::vector<std::byte>& to, int tag, const std::vector<std::byte>& body) {
  std::byte head[11]{};
  head[0] = static_cast<std::byte>(tag);
  const std::byte* end = base::write_varint(head + 1, body.size());
  to.insert(to.end(), static_cast<const std::byte*>(head), end);
  to.insert(to.end(), body.begin(), body.end());
}

// A request with two spans that use everything.
std::vector<std::byte> sample_request() {
  std::vector<std::byte> scope;
  otlp::SpanWriter writer;
  for (const char* name : {"first", "second"}) {
    otlp::SpanStart start;
    start.trace_id = {0xAB, 0xCD};
    start.span_id = {1, 2, 3, 4, 5, 6, 7, 8};
    start.parent_span_id = {9};
    start.trace_state = "a=b";
    start.flags = otlp::span_flags(1, true);
    start.kind = otlp::SpanKind::client;
    start.start_time = at(10);
    start.name = name;
    writer.begin(start, {});
    const std::int64_t numbers[] = {1, -2};
    writer.set_attribute("text", std::string_view("va\"lue\n"));
    writer.set_attribute("numbers", std::span<const std::int64_t>(numbers));
    writer.set_attribute("real", 1.5);
    writer.set_attribute("flag", true);
    writer.set_attribute("raw", base::as_bytes("\xFF\x01"));
    EXPECT_TRUE(writer.begin_event("event", at(11)));
    writer.set_event_attribute("k", std::int64_t{1});
    writer.end_event();
    EXPECT_TRUE(writer.begin_link({{1}, {2}, "c=d", 0x101}));
    writer.end_link();
    writer.set_status(otlp::SpanStatus::error, "broken");
    const base::Bytes record = writer.end(at(20));
    scope.insert(scope.end(), record.begin(), record.end());
  }
  std::vector<std::byte> resource;
  append_field(resource, 0x12, scope);
  std::vector<std::byte> request;
  append_field(request, 0x0A, resource);
  return request;
}

class Collecting : public otlp::RequestVisitor {
 public:
  void on_resource(const otlp::ResourceView& resource) override { seen += resource.attributes.all().size(); }
  void on_scope(const otlp::ScopeView& scope) override { seen += scope.attributes.all().size(); }
  void on_span(const otlp::SpanView& span) override {
    spans.push_back(span);
    for (const auto& pair : span.attributes.all()) touch(pair.value, 0);
    for (const auto& event : span.events()) seen += event.attributes.all().size();
    for (const auto& link : span.links()) seen += link.attributes.all().size();
  }
  void on_log(const otlp::LogView& log) override { touch(log.body, 0); }
  void on_metric(const otlp::MetricView& metric) override {
    for (const auto& point : metric.points()) seen += point.attributes.all().size();
  }
  std::vector<otlp::SpanView> spans;
  std::size_t seen = 0;

 private:
  void touch(const otlp::ValueView& value, int depth) {
    if (depth > 20) return;
    if (const auto* text = std::get_if<std::string_view>(&value)) seen += std::string(*text).size();
    if (const auto* values = std::get_if<otlp::ValuesView>(&value)) {
      for (const auto& element : otlp::all_of(*values)) touch(element, depth + 1);
    }
    if (const auto* pairs = std::get_if<otlp::AttributesView>(&value)) {
      for (const auto& pair : pairs->all()) touch(pair.value, depth + 1);
    }
  }
};

TEST(Reader, EveryFieldOfASpanIsSeen) {
  const auto request = sample_request();
  Collecting visitor;
  ASSERT_TRUE(otlp::visit_request(Signal::traces, request, visitor));
  ASSERT_EQ(visitor.spans.size(), 2U);
  const otlp::SpanView& span = visitor.spans[0];
  EXPECT_EQ(otlp::to_hex(span.trace_id), "abcd0000000000000000000000000000");
  EXPECT_EQ(otlp::to_hex(span.span_id), "0102030405060708");
  EXPECT_EQ(otlp::to_hex(span.parent_span_id), "0900000000000000");
  EXPECT_EQ(span.name, "first");
  EXPECT_EQ(span.trace_state, "a=b");
  EXPECT_EQ(span.kind, 3U);
  EXPECT_EQ(span.flags, 0x301U);
  EXPECT_EQ(span.start_time, 10U);
  EXPECT_EQ(span.end_time, 20U);
  EXPECT_EQ(span.status_code, 2U);
  EXPECT_EQ(span.status_message, "broken");
  const auto attributes = span.attributes.all();
  ASSERT_EQ(attributes.size(), 5U);
  EXPECT_EQ(std::get<std::string_view>(attributes[0].value), "va\"lue\n");
  EXPECT_EQ(std::get<std::int64_t>(otlp::all_of(std::get<otlp::ValuesView>(attributes[1].value))[1]), -2);
  EXPECT_EQ(std::get<double>(attributes[2].value), 1.5);
  EXPECT_EQ(std::get<bool>(attributes[3].value), true);
  EXPECT_EQ(std::get<base::Bytes>(attributes[4].value).size(), 2U);
  ASSERT_EQ(span.events().size(), 1U);
  EXPECT_EQ(span.events()[0].name, "event");
  EXPECT_EQ(span.events()[0].time, 11U);
  ASSERT_EQ(span.links().size(), 1U);
  EXPECT_EQ(span.links()[0].trace_state, "c=d");
  EXPECT_EQ(span.links()[0].flags, 0x101U);
}

TEST(Reader, JsonEscapesAndEncodesAsOtlpWants) {
  const auto json = otlp::to_json(Signal::traces, sample_request()).value();
  for (const std::string_view part :
       {R"("traceId":"abcd0000000000000000000000000000")", R"({"stringValue":"va\"lue\u000a"})",
        R"({"arrayValue":{"values":[{"intValue":"1"},{"intValue":"-2"}]}})", R"({"doubleValue":1.5})",
        R"({"boolValue":true})", R"({"bytesValue":"/wE="})", R"("status":{"message":"broken","code":2})"}) {
    EXPECT_NE(json.find(part), std::string::npos) << part << "\n" << json;
  }
}

TEST(Reader, AnEmptyRequestHoldsNothing) {
  EXPECT_EQ(otlp::count_items(Signal::logs, {}).value(), 0U);
  EXPECT_EQ(otlp::to_json(Signal::logs, {}).value(), "{}");
  EXPECT_FALSE(otlp::split_request(Signal::logs, {}).has_value());
}

// A request cut anywhere but at its end is damaged, and called so.
TEST(Reader, ACutRequestIsCorrupt) {
  const auto request = sample_request();
  for (std::size_t size = 1; size < request.size(); ++size) {
    const base::Bytes cut = base::Bytes(request).first(size);
    Collecting visitor;
    EXPECT_FALSE(otlp::visit_request(Signal::traces, cut, visitor)) << size;
    EXPECT_EQ(otlp::count_items(Signal::traces, cut).error().code(), ErrorCode::corrupt);
    EXPECT_FALSE(otlp::to_json(Signal::traces, cut));
  }
}

TEST(Reader, ValuesNestedWithoutEndDoNotExhaustTheStack) {
  std::vector<std::byte> value;
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> array;
    append_field(array, 0x0A, value);
    value.clear();
    append_field(value, 0x2A, array);
    if (value.size() > 200'000) break;
  }
  std::vector<std::byte> log;
  append_field(log, 0x2A, value);
  std::vector<std::byte> scope;
  append_field(scope, 0x12, log);
  std::vector<std::byte> resource;
  append_field(resource, 0x12, scope);
  std::vector<std::byte> request;
  append_field(request, 0x0A, resource);
  EXPECT_TRUE(otlp::to_json(Signal::logs, request));
  Collecting visitor;
  EXPECT_TRUE(otlp::visit_request(Signal::logs, request, visitor));
}

TEST(Reader, RubbishNeverLeavesItsBytes) {
  const auto request = sample_request();
  std::mt19937 random(42);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> damaged = request;  // its own allocation, so that the sanitizer sees a step outside
    for (unsigned j = random() % 4 + 1; j > 0; --j)
      damaged[random() % damaged.size()] = static_cast<std::byte>(random());
    damaged.resize(damaged.size() - random() % 3);
    damaged.shrink_to_fit();
    for (const Signal signal : model::all_signals) {
      Collecting visitor;
      static_cast<void>(otlp::visit_request(signal, damaged, visitor));
      static_cast<void>(otlp::to_json(signal, damaged));
      const auto count = otlp::count_items(signal, damaged);
      const auto halves = otlp::split_request(signal, damaged);
      if (!halves) continue;
      EXPECT_EQ(halves->first.item_count + halves->second.item_count, count.value());
      EXPECT_EQ(otlp::count_items(signal, halves->first.request).value_or(0), halves->first.item_count);
      EXPECT_EQ(otlp::count_items(signal, halves->second.request).value_or(0), halves->second.item_count);
    }
  }
}

}  // namespace
