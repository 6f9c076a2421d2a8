// What parking costs the lane that parks, chunk by chunk and without a server: packing, and reading what the directory
// wants to know. A chunk is 256 KiB of the suite's typical traces (ten spans each, 8 attributes, 1 event with 2).
#include <benchmark/benchmark.h>
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb.h>

#include <cstdio>
#include <random>
#include <string>

#include "cassandra/request_facts.hpp"
#include "cassandra/store.hpp"

namespace {

using namespace arca;
namespace proto = opentelemetry::proto;

template <class Owner>
proto::common::v1::AnyValue& value(Owner& owner, const char* key) {
  auto& pair = *owner.add_attributes();
  pair.set_key(key);
  return *pair.mutable_value();
}

void fill(proto::trace::v1::Span& span, std::mt19937_64& random, const std::string& trace_id, std::uint64_t sequence) {
  const std::uint64_t id = random();
  const std::uint64_t i = sequence % 64;
  const std::uint64_t start = 1'790'000'000'000'000'000ULL + sequence * 2'500 + random() % 997;
  span.set_trace_id(trace_id);
  span.set_span_id(std::string(reinterpret_cast<const char*>(&id), sizeof id));
  span.set_parent_span_id(span.span_id());
  span.set_flags(0x101);
  span.set_kind(proto::trace::v1::Span::SPAN_KIND_SERVER);
  span.set_start_time_unix_nano(start);
  span.set_end_time_unix_nano(start + 300 + random() % 512);
  span.set_name("GET /customers/{id}/orders");
  value(span, "http.request.method").set_string_value("GET");
  value(span, "url.path").set_string_value("/api/v1/customers/" + std::to_string(10007 * i) + "/orders/" + std::to_string(i));
  value(span, "client.address").set_string_value("10.21." + std::to_string(i * 3) + "." + std::to_string(255 - i));
  value(span, "user_agent.original").set_string_value("Mozilla/5.0 (X11; Linux x86_64) shop/" + std::to_string(i));
  value(span, "http.route").set_string_value("/customers/{id}/orders");
  value(span, "http.response.status_code").set_int_value(static_cast<std::int64_t>(200 + i % 4));
  value(span, "bench.seq").set_int_value(static_cast<std::int64_t>(sequence));
  value(span, "cache.hit").set_bool_value((i & 1U) != 0);
  auto& event = *span.add_events();
  event.set_name("cache.lookup");
  event.set_time_unix_nano(start + 200);
  value(event, "cache.key").set_string_value("10.21.9." + std::to_string(i));
  value(event, "cache.size").set_int_value(static_cast<std::int64_t>(sequence % 1000));
  span.mutable_status()->set_code(proto::trace::v1::Status::STATUS_CODE_OK);
}

const model::Chunk& typical_chunk() {
  static const model::Chunk chunk = [] {
    proto::collector::trace::v1::ExportTraceServiceRequest request;
    auto& group = *request.add_resource_spans();
    value(*group.mutable_resource(), "service.name").set_string_value("bench");
    auto& scope = *group.add_scope_spans();
    scope.mutable_scope()->set_name("bench");
    std::mt19937_64 random(4711);
    std::string trace_id(16, '\0');
    std::uint32_t count = 0;
    for (std::size_t size = 0; size < (250U << 10U); ++count) {
      if (count % 10 == 0)
        for (char& c : trace_id) c = static_cast<char>(random());
      fill(*scope.add_spans(), random, trace_id, count);
      size += scope.spans(static_cast<int>(count)).ByteSizeLong() + 4;
    }
    const std::string text = request.SerializeAsString();
    return model::Chunk{{{1}, 1}, model::Signal::traces, count, base::WallTime(std::chrono::seconds(1'790'000'000)),
                        model::Payload::copy_of(std::as_bytes(std::span(text)))};
  }();
  return chunk;
}

void per_span(benchmark::State& state) {
  state.counters["per span"] = benchmark::Counter(static_cast<double>(typical_chunk().item_count),
                                                 benchmark::Counter::kIsIterationInvariantRate |
                                                     benchmark::Counter::kInvert);
}

void pack(benchmark::State& state) {
  std::size_t stored = 0;
  for (auto _ : state) stored = cassandra::pack(typical_chunk())->payload->size();
  state.counters["percent of raw"] = 100.0 * static_cast<double>(stored) / static_cast<double>(typical_chunk().payload.size());
  per_span(state);
}
BENCHMARK(pack);

void unpack(benchmark::State& state) {
  const auto stored = cassandra::pack(typical_chunk());
  for (auto _ : state) benchmark::DoNotOptimize(cassandra::unpack(*stored));
  per_span(state);
}
BENCHMARK(unpack);

void facts(benchmark::State& state) {
  const auto raw = typical_chunk().payload.flatten();
  for (auto _ : state) benchmark::DoNotOptimize(cassandra::facts_of(model::Signal::traces, raw));
  per_span(state);
}
BENCHMARK(facts);

}  // namespace

BENCHMARK_MAIN();
