// What a chunk costs on its way into Cassandra, without the driver: packed on the thread that parks it, summed up for
// the directory, and made into rows in the background. The spans have the shape of otlp_encode_bench.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "cassandra/request_facts.hpp"
#include "cassandra/row_maker.hpp"
#include "cassandra/store.hpp"
#include "os/random.hpp"
#include "otlp/span_writer.hpp"

namespace {

using namespace arca;
using namespace std::string_view_literals;

constexpr std::uint32_t span_count = 300;  // about 128 KiB
constexpr std::uint32_t spans_per_trace = 8;

std::string length_field(char tag, std::string_view body) {
  std::string field(1, tag);
  std::byte size[10];
  const std::byte* const end = base::write_varint(size, body.size());
  field.append(base::as_text({size, end}));
  return field.append(body);
}

std::string text_attribute(std::string_view key, std::string_view value) {
  return length_field('\x0A', length_field('\x0A', key) + length_field('\x12', length_field('\x0A', value)));
}

// One request of typical spans under one resource and one scope.
std::string make_request() {
  os::SeededRandom random(1);
  otlp::SpanWriter writer;
  const otlp::SpanLimits limits;
  std::string scope = length_field('\x0A', length_field('\x0A', "shop/checkout") + length_field('\x12', "1.4.2"));
  otlp::TraceId trace_id{};
  otlp::SpanId root_id{};
  for (std::uint32_t i = 0; i < span_count; ++i) {
    const bool is_root = i % spans_per_trace == 0;
    otlp::SpanStart begin;
    const std::uint64_t id = random.next();
    std::memcpy(begin.span_id.data(), &id, 8);
    if (is_root) {
      const std::uint64_t halves[2]{random.next(), random.next()};
      std::memcpy(trace_id.data(), halves, 16);
      root_id = begin.span_id;
    } else {
      begin.parent_span_id = root_id;
    }
    begin.trace_id = trace_id;
    begin.flags = otlp::span_flags(1, false);
    begin.kind = otlp::SpanKind::server;
    begin.start_time = base::WallTime(std::chrono::nanoseconds(1'790'000'000'123'456'789 + i * 1'234'567LL));
    begin.name = "GET /api/v1/users/{user_id}";
    writer.begin(begin, limits);
    const std::string path = "/api/v1/users/" + std::to_string(random.next() % 10'000) + "/orders";
    writer.set_attribute("http.request.method"sv, otlp::AttributeValue("GET"sv));
    writer.set_attribute("url.path"sv, otlp::AttributeValue(std::string_view(path)));
    writer.set_attribute("server.address"sv, otlp::AttributeValue("api.example.internal"sv));
    writer.set_attribute("user_agent.original"sv, otlp::AttributeValue("Mozilla/5.0 (X11; Linux)"sv));
    writer.set_attribute("http.route"sv, otlp::AttributeValue("/api/v1/users/{user_id}/orders"sv));
    writer.set_attribute("http.response.status_code"sv, otlp::AttributeValue(std::int64_t{200}));
    writer.set_attribute("server.port"sv, otlp::AttributeValue(std::int64_t{8443}));
    writer.set_attribute("network.cached"sv, otlp::AttributeValue(false));
    if (writer.begin_event("cache.lookup", begin.start_time)) {
      writer.set_event_attribute("cache.result", "miss"sv);
      writer.end_event();
    }
    writer.set_status(otlp::SpanStatus::ok, {});
    const auto took = std::chrono::microseconds(500 + random.next() % 5000);
    scope += base::as_text(writer.end(begin.start_time + took));
  }
  const std::string resource = text_attribute("service.name", "checkout") + text_attribute("host.name", "node-17") +
                               text_attribute("service.instance.id", "627cc493-f310-47de-96bd-71410b7dec09") +
                               text_attribute("telemetry.sdk.language", "cpp");
  return length_field('\x0A', length_field('\x0A', resource) + length_field('\x12', scope));
}

const std::string& request() {
  static const std::string bytes = make_request();
  return bytes;
}

model::Chunk chunk() {
  return {.id = {model::WriterId{1}, 1},
          .signal = model::Signal::traces,
          .item_count = span_count,
          .sealed_at = {},
          .payload = model::Payload::copy_of(base::as_bytes(request()))};
}

void tell_per_span(benchmark::State& state) {
  state.counters["spans/s"] = benchmark::Counter(span_count, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["ns/span"] =
      benchmark::Counter(span_count, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void pack_chunk(benchmark::State& state) {
  const model::Chunk one = chunk();
  std::size_t stored = 0;
  for (auto _ : state) {
    const auto packed = cassandra::pack(one);
    stored = packed->payload->size();
  }
  tell_per_span(state);
  state.counters["stored/raw"] = static_cast<double>(stored) / static_cast<double>(request().size());
}

void unpack_chunk(benchmark::State& state) {
  const auto packed = *cassandra::pack(chunk());
  for (auto _ : state) benchmark::DoNotOptimize(cassandra::unpack(packed));
  tell_per_span(state);
}

void facts_of_chunk(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(cassandra::facts_of(model::Signal::traces, base::as_bytes(request())));
  }
  tell_per_span(state);
}

void rows_of_chunk(benchmark::State& state) {
  cassandra::RowMaker maker;
  for (auto _ : state) {
    (void)maker.read(base::as_bytes(request()));
    while (auto batch = maker.next()) benchmark::DoNotOptimize(batch->rows.data());
    benchmark::DoNotOptimize(maker.entries());
    benchmark::DoNotOptimize(maker.names());
  }
  tell_per_span(state);
}

BENCHMARK(pack_chunk);
BENCHMARK(unpack_chunk);
BENCHMARK(facts_of_chunk);
BENCHMARK(rows_of_chunk);

}  // namespace

BENCHMARK_MAIN();
