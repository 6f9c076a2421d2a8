// Parking and rows on a real node: what is acknowledged is there, chunk and rows alike, as the Python driver reads it.
#include <opentelemetry/proto/trace/v1/trace.pb.h>

#include <set>

#include "cassandra/cassandra_sink.hpp"
#include "cassandra/row_writer.hpp"
#include "os/clock.hpp"
#include "otlp/reader.hpp"
#include "parking_fixture.hpp"
#include "requests.hpp"
#include "shared_node.hpp"
#include "support/wait.hpp"

namespace arca::cassandra {
namespace {

using model::Verdict;

class ParkingTest : public NodeTest {};

TEST_F(ParkingTest, what_is_acknowledged_is_there_chunk_and_rows_alike) {
  const SchemaSettings schema = new_keyspace();
  auto client = connected();
  ASSERT_TRUE(apply_schema(*client, schema, patience));
  auto store = CqlStore::create(*client, schema.keyspace);
  ASSERT_TRUE(store) << store.error().message();
  os::SystemClock clock;
  RowWriter rows(**store, clock, {});
  CassandraSinkOptions options;
  options.writer = model::WriterId{os::random_from_kernel()};
  options.host = "here";
  tests::Acks acks;
  CassandraSink sink(**store, &rows, clock, os::system_random(), options);
  constexpr std::uint64_t chunk_count = 20;
  constexpr std::size_t span_count = chunk_count * 5 * 8;
  for (std::uint64_t i = 1; i <= chunk_count; ++i) {
    ASSERT_TRUE(
        support::wait_until([&] { return sink.readiness(model::Signal::traces, clock.steady_now()).ready; }, patience));
    const auto request = tests::trace_request({.trace_count = 5, .spans_per_trace = 8, .first_trace = i * 5});
    sink.submit(tests::chunk_of(request, i, options.writer.value), acks.taker());
  }
  ASSERT_TRUE(support::wait_until(
      [&] {
        sink.tend(clock.steady_now());
        return acks.all().size() == chunk_count;
      },
      patience));
  EXPECT_EQ(acks.count(Verdict::parked), chunk_count);
  ASSERT_TRUE(sink.seal_all(clock.steady_now() + patience));
  ASSERT_TRUE(rows.drain(clock.steady_now() + patience)) << rows.status().last_error;
  EXPECT_EQ(rows.status().row_count, span_count);

  const auto table = [&](const std::string& name) { return schema.keyspace + "." + name; };
  std::size_t chunks = 0;
  for (const auto& segment : judged("SELECT chunks, rows_position, spans FROM " + table("overflow_segments"))) {
    EXPECT_EQ(segment.at("rows_position"), segment.at("chunks"));
    chunks += segment.at("chunks").get<std::size_t>();
  }
  EXPECT_EQ(chunks, chunk_count);
  EXPECT_EQ(judged("SELECT segment, position FROM " + table("overflow_chunks")).size(), chunk_count);
  const auto seen = judged("SELECT trace_id, span_id, service_name, trace_data FROM " + table("traces_overflow"));
  EXPECT_EQ(seen.size(), span_count);
  for (const auto& row : seen) {
    const auto hex = row.at("trace_data").get<std::string>();
    std::string bytes;
    for (std::size_t i = 2; i + 1 < hex.size(); i += 2)
      bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    opentelemetry::proto::trace::v1::TracesData data;
    ASSERT_TRUE(data.ParseFromString(bytes));
    ASSERT_EQ(data.resource_spans(0).scope_spans(0).spans_size(), 1);
    EXPECT_EQ(otlp::to_hex(base::as_bytes(data.resource_spans(0).scope_spans(0).spans(0).span_id())),
              row.at("span_id"));
  }
  EXPECT_GT(judged("SELECT service FROM " + table("overflow_traces")).size(), 0U);
}

}  // namespace
}  // namespace arca::cassandra
