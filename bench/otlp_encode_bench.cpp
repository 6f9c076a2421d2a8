// What one typical span costs to encode, beside the official protobuf classes. The shape is the project's yardstick:
// 8 attributes (5 texts, 2 integers, 1 bool), 1 event with 1 attribute, status Ok, resource and scope apart.
#include <benchmark/benchmark.h>
#include <opentelemetry/proto/trace/v1/trace.pb.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

#include "otlp/span_writer.hpp"

namespace {

using namespace arca;
using namespace std::string_view_literals;
namespace proto = opentelemetry::proto;

constexpr std::string_view span_name = "GET /api/v1/users/{user_id}";
constexpr base::WallTime start{std::chrono::nanoseconds(1'790'000'000'123'456'789)};
constexpr base::WallTime finish = start + std::chrono::milliseconds(3);
const otlp::TraceId trace_id{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
const otlp::SpanId span_id{1, 2, 3, 4, 5, 6, 7, 8};
const otlp::SpanId parent_id{8, 7, 6, 5, 4, 3, 2, 1};

// The same calls for both encoders.
template <class Set>
void set_attributes(Set set) {
  set("http.request.method"sv, otlp::AttributeValue("GET"sv));
  set("url.path"sv, otlp::AttributeValue("/api/v1/users/4711/orders"sv));
  set("server.address"sv, otlp::AttributeValue("api.example.internal"sv));
  set("user_agent.original"sv, otlp::AttributeValue("Mozilla/5.0 (X11; Linux)"sv));
  set("http.route"sv, otlp::AttributeValue("/api/v1/users/{user_id}/orders"sv));
  set("http.response.status_code"sv, otlp::AttributeValue(std::int64_t{200}));
  set("server.port"sv, otlp::AttributeValue(std::int64_t{8443}));
  set("network.cached"sv, otlp::AttributeValue(false));
}

base::Bytes encode(otlp::SpanWriter& writer, const otlp::SpanLimits& limits) {
  otlp::SpanStart begin;
  begin.trace_id = trace_id;
  begin.span_id = span_id;
  begin.parent_span_id = parent_id;
  begin.flags = otlp::span_flags(1, false);
  begin.kind = otlp::SpanKind::server;
  begin.start_time = start;
  begin.name = span_name;
  writer.begin(begin, limits);
  set_attributes([&](std::string_view key, const otlp::AttributeValue& value) { writer.set_attribute(key, value); });
  if (writer.begin_event("cache.lookup", start)) {
    writer.set_event_attribute("cache.result", "miss"sv);
    writer.end_event();
  }
  writer.set_status(otlp::SpanStatus::ok, {});
  return writer.end(finish);
}

void put_value(proto::common::v1::KeyValue& pair, std::string_view key, const otlp::AttributeValue& value) {
  pair.set_key(std::string(key));
  if (const auto* text = std::get_if<std::string_view>(&value))
    pair.mutable_value()->set_string_value(std::string(*text));
  if (const auto* number = std::get_if<std::int64_t>(&value)) pair.mutable_value()->set_int_value(*number);
  if (const auto* flag = std::get_if<bool>(&value)) pair.mutable_value()->set_bool_value(*flag);
}

void build(proto::trace::v1::Span& span) {
  span.set_trace_id(trace_id.data(), trace_id.size());
  span.set_span_id(span_id.data(), span_id.size());
  span.set_parent_span_id(parent_id.data(), parent_id.size());
  span.set_flags(otlp::span_flags(1, false));
  span.set_kind(proto::trace::v1::Span::SPAN_KIND_SERVER);
  span.set_start_time_unix_nano(otlp::unix_nanos(start));
  span.set_name(std::string(span_name));
  set_attributes(
      [&](std::string_view key, const otlp::AttributeValue& value) { put_value(*span.add_attributes(), key, value); });
  auto& event = *span.add_events();
  event.set_name("cache.lookup");
  event.set_time_unix_nano(otlp::unix_nanos(start));
  put_value(*event.add_attributes(), "cache.result", "miss"sv);
  span.mutable_status()->set_code(proto::trace::v1::Status::STATUS_CODE_OK);
  span.set_end_time_unix_nano(otlp::unix_nanos(finish));
}

void arca_span(benchmark::State& state) {
  otlp::SpanWriter writer;
  const otlp::SpanLimits limits;
  std::size_t size = 0;
  for (auto _ : state) {
    const base::Bytes record = encode(writer, limits);
    benchmark::DoNotOptimize(record.data());
    benchmark::ClobberMemory();
    size = record.size();
  }
  state.counters["bytes"] = static_cast<double>(size);
}

void protobuf_span(benchmark::State& state) {
  std::string bytes;
  for (auto _ : state) {
    proto::trace::v1::Span span;
    build(span);
    span.SerializeToString(&bytes);
    benchmark::DoNotOptimize(bytes.data());
  }
  state.counters["bytes"] = static_cast<double>(bytes.size() + 3);  // with tag and length in ScopeSpans
}

BENCHMARK(arca_span)->Repetitions(5)->ReportAggregatesOnly();
BENCHMARK(protobuf_span)->Repetitions(5)->ReportAggregatesOnly();

}  // namespace

int main(int argc, char** argv) {
  // A second thread, as every real process has one: single-threaded locks and allocations are cheaper.
  std::jthread second([](const std::stop_token& stop) {
    while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  });
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
