// The rows of a chunk, judged by the official protobuf classes.
#include "cassandra/row_maker.hpp"

#include <gtest/gtest.h>
#include <opentelemetry/proto/trace/v1/trace.pb.h>

#include <map>
#include <random>
#include <set>

#include "otlp/reader.hpp"
#include "otlp/utf8.hpp"
#include "requests.hpp"

namespace {

using namespace arca;
using cassandra::rows_of;
namespace proto = opentelemetry::proto;

std::string hex(const std::string& id) { return otlp::to_hex(base::as_bytes(id)); }

struct Expected {
  proto::trace::v1::TracesData data;
  std::string service;
  std::string operation;
  std::uint64_t start = 0;
};
// What each span alone should be, by (trace id, span id).
std::map<std::pair<std::string, std::string>, Expected> expected_of(const tests::TraceRequest& request) {
  std::map<std::pair<std::string, std::string>, Expected> all;
  for (const auto& resource : request.resource_spans()) {
    for (const auto& scope : resource.scope_spans()) {
      for (const auto& span : scope.spans()) {
        Expected& one = all[{hex(span.trace_id()), hex(span.span_id())}];
        auto& alone = *one.data.add_resource_spans();
        if (resource.has_resource()) *alone.mutable_resource() = resource.resource();
        alone.set_schema_url(resource.schema_url());
        auto& spans = *alone.add_scope_spans();
        if (scope.has_scope()) *spans.mutable_scope() = scope.scope();
        spans.set_schema_url(scope.schema_url());
        *spans.add_spans() = span;
        for (const auto& attribute : resource.resource().attributes())
          if (attribute.key() == "service.name") one.service = attribute.value().string_value();
        one.operation = span.name();
        one.start = span.start_time_unix_nano();
      }
    }
  }
  return all;
}

cassandra::ChunkRows rows_from(const tests::TraceRequest& request) {
  const std::string bytes = request.SerializeAsString();
  auto rows = rows_of(base::as_bytes(bytes));
  EXPECT_TRUE(rows) << rows.error().message();
  return std::move(*rows);  // the bytes are gone: rows must not need them
}

void expect_equal(const tests::TraceRequest& request) {
  const auto rows = rows_from(request);
  auto expected = expected_of(request);
  for (const auto& trace : rows.traces) {
    EXPECT_LE(trace.rows.size(), cassandra::batch_rows_max);
    for (const auto& row : trace.rows) {
      const auto found = expected.find({trace.trace_id, std::string(row.span_id)});
      ASSERT_NE(found, expected.end());
      proto::trace::v1::TracesData data;
      ASSERT_TRUE(data.ParseFromArray(row.trace_data.data(), static_cast<int>(row.trace_data.size())));
      EXPECT_EQ(data.SerializeAsString(), found->second.data.SerializeAsString());
      EXPECT_EQ(row.service, found->second.service.empty() ? "unknown_service" : found->second.service);
      EXPECT_EQ(row.operation, found->second.operation);
      EXPECT_EQ(row.start.time_since_epoch().count(), static_cast<std::int64_t>(found->second.start));
      expected.erase(found);
    }
  }
  EXPECT_TRUE(expected.empty()) << expected.size() << " spans have no row";
}

TEST(RowMaker, every_span_has_one_row_that_is_a_whole_document_of_it_alone) {
  expect_equal(tests::trace_request());
  expect_equal(tests::trace_request({.trace_count = 40, .spans_per_trace = 9, .text_size = 300}));
}

TEST(RowMaker, resources_without_names_scopes_and_urls_are_rows_too) {
  tests::TraceRequest request = tests::trace_request();
  request.mutable_resource_spans(0)->clear_resource();
  request.mutable_resource_spans(1)->clear_schema_url();
  request.mutable_resource_spans(1)->mutable_scope_spans(0)->clear_scope();
  request.add_resource_spans();
  expect_equal(request);
}

TEST(RowMaker, spans_without_proper_ids_are_counted_and_left_to_the_chunk) {
  tests::TraceRequest request = tests::trace_request({.trace_count = 1, .spans_per_trace = 4});
  auto& spans = *request.mutable_resource_spans(0)->mutable_scope_spans(0)->mutable_spans();
  spans.Mutable(0)->clear_trace_id();
  auto& other = *request.mutable_resource_spans(1)->mutable_scope_spans(0)->mutable_spans();
  other.Mutable(0)->set_span_id(std::string(8, '\0'));
  const auto rows = rows_from(request);
  EXPECT_EQ(rows.skipped_item_count, 2U);
  ASSERT_EQ(rows.traces.size(), 1U);
  EXPECT_EQ(rows.traces[0].rows.size(), 2U);
}

TEST(RowMaker, a_huge_trace_is_divided_into_batches_of_bounded_size) {
  const auto request =
      tests::trace_request({.trace_count = 2, .spans_per_trace = 1000, .text_size = 900, .resource_text_size = 500});
  const auto rows = rows_from(request);
  std::size_t row_count = 0;
  for (const auto& batch : rows.traces) {
    std::size_t bytes = 0;
    for (const auto& row : batch.rows) bytes += row.trace_data.size();
    EXPECT_LE(bytes, cassandra::batch_bytes_max);
    EXPECT_LE(batch.rows.size(), cassandra::batch_rows_max);
    row_count += batch.rows.size();
  }
  EXPECT_EQ(row_count, 2000U);
  expect_equal(request);
}

TEST(RowMaker, a_span_larger_than_a_batch_is_a_batch) {
  const auto rows = rows_from(tests::trace_request({.trace_count = 1, .spans_per_trace = 3, .text_size = 100'000}));
  ASSERT_EQ(rows.traces.size(), 3U);
  for (const auto& batch : rows.traces) EXPECT_EQ(batch.rows.size(), 1U);
}

TEST(RowMaker, a_large_resource_does_not_multiply_in_memory) {
  const auto request = tests::trace_request({.trace_count = 1, .spans_per_trace = 2000, .resource_text_size = 200'000});
  const std::string bytes = request.SerializeAsString();
  cassandra::RowMaker maker;
  ASSERT_TRUE(maker.read(base::as_bytes(bytes)));
  std::size_t count = 0;
  while (const auto batch = maker.next()) {
    ASSERT_EQ(batch->rows.size(), 1U);  // 400 MB over all, one at a time
    ++count;
  }
  EXPECT_EQ(count, 2000U);
}

TEST(RowMaker, an_entry_says_what_a_trace_is_in_one_service) {
  const auto rows = rows_from(tests::trace_request({.trace_count = 2, .spans_per_trace = 4}));
  ASSERT_EQ(rows.entries.size(), 2U);
  for (const auto& partition : rows.entries) {
    EXPECT_EQ(partition.bucket, cassandra::bucket_of(base::WallTime(std::chrono::nanoseconds(tests::first_start))));
    ASSERT_EQ(partition.entries.size(), 2U);
    const auto& entry = partition.entries[0];
    EXPECT_EQ(entry.trace_id, hex(tests::trace_id_of(1)));
    EXPECT_EQ(entry.span_count, 2U);
    EXPECT_EQ(entry.duration, std::chrono::nanoseconds(502'000));  // two spans, 2 us apart
    const bool has_root = partition.service == "service-0";
    EXPECT_EQ(entry.operation, has_root ? "GET /" : "step-1");
    EXPECT_EQ(entry.error_count, has_root ? 0U : 1U);
    EXPECT_EQ(entry.start.time_since_epoch().count(),
              static_cast<std::int64_t>(tests::first_start + (has_root ? 0 : 1000)));
  }
}

TEST(RowMaker, entries_of_one_partition_are_divided_too) {
  const auto rows = rows_from(tests::trace_request({.trace_count = 250, .spans_per_trace = 1}));
  std::size_t count = 0;
  for (const auto& partition : rows.entries) {
    EXPECT_LE(partition.entries.size(), cassandra::batch_rows_max);
    count += partition.entries.size();
  }
  EXPECT_EQ(count, 250U);
}

TEST(RowMaker, names_are_those_that_occur) {
  const auto rows = rows_from(tests::trace_request({.trace_count = 3, .spans_per_trace = 6}));
  ASSERT_EQ(rows.names.size(), 2U);
  EXPECT_EQ(rows.names[0].first, "service-0");
  EXPECT_EQ(rows.names[0].second, (std::vector<std::string>{"GET /", "step-2", "step-4"}));
}

TEST(RowMaker, texts_that_are_no_utf8_are_mended_for_columns_and_kept_in_the_data) {
  tests::TraceRequest request = tests::trace_request({.trace_count = 1, .spans_per_trace = 1});
  std::string bytes = request.SerializeAsString();
  for (const std::string_view text : {"GET /", "service-0"}) bytes[bytes.find(text) + 1] = '\xFF';
  const auto rows = rows_of(base::as_bytes(bytes));
  ASSERT_TRUE(rows);
  const auto& row = rows->traces.at(0).rows.at(0);
  EXPECT_TRUE(otlp::is_utf8(row.service));
  EXPECT_TRUE(otlp::is_utf8(row.operation));
  EXPECT_NE(base::as_text(row.trace_data).find("G\xFFT /"), std::string_view::npos);
  EXPECT_TRUE(otlp::is_utf8(rows->names.at(0).second.at(0)));
}

TEST(RowMaker, texts_that_are_part_of_a_key_are_shortened) {
  tests::TraceRequest request = tests::trace_request({.trace_count = 1, .spans_per_trace = 1});
  request.mutable_resource_spans(0)->mutable_resource()->mutable_attributes(1)->mutable_value()->set_string_value(
      std::string(100'000, 's'));
  request.mutable_resource_spans(0)->mutable_scope_spans(0)->mutable_spans(0)->set_name(std::string(100'000, 'n'));
  const auto rows = rows_from(request);
  EXPECT_EQ(rows.entries.at(0).service.size(), 1024U);
  EXPECT_EQ(rows.entries.at(0).entries.at(0).operation.size(), 1024U);
  EXPECT_EQ(rows.names.at(0).second.at(0).size(), 1024U);
}

TEST(RowMaker, damage_is_an_error_and_never_a_read_outside) {
  const std::string good = tests::trace_request().SerializeAsString();
  for (std::size_t size = 0; size < good.size(); ++size) {
    const std::vector<char> exact(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));  // ASan sees its end
    const auto rows = rows_of(base::as_bytes({exact.data(), exact.size()}));
    EXPECT_TRUE(rows || rows.error().code() == ErrorCode::corrupt);
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<char> bad(good.begin(), good.end());
    for (int flips = 0; flips < 3; ++flips) bad[random() % bad.size()] = static_cast<char>(random());
    (void)rows_of(base::as_bytes({bad.data(), bad.size()}));
  }
  EXPECT_FALSE(rows_of(base::as_bytes("no request at all")));
}

}  // namespace
