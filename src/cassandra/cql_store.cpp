#include "cassandra/cql_store.hpp"

#include <fmt/format.h>

#include "cassandra/cql_store_state.hpp"
#include "cassandra/store_call.hpp"
#include "cassandra/store_columns.hpp"

namespace arca::cassandra {
namespace {

// Text of a statement with {0} for the keyspace and {1}, {2} for the columns that several statements share.
std::string text_of(std::string_view pattern, const std::string& keyspace) {
  return fmt::format(fmt::runtime(pattern), keyspace, chunk_columns, segment_columns);
}

constexpr std::string_view put_bucket_text =
    "INSERT INTO {0}.overflow_buckets (datacenter, shard, bucket) VALUES (?, ?, ?)";
constexpr std::string_view put_segment_text =
    "INSERT INTO {0}.overflow_segments (datacenter, bucket, shard, segment, writer, host, purpose, opened_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view put_chunk_text =
    "INSERT INTO {0}.overflow_chunks (segment, position, {1}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view seal_segment_text =
    "UPDATE {0}.overflow_segments SET sealed_at = ?, chunks = ?, spans = ?, points = ?, log_records = ?, raw_bytes = "
    "?, "
    "stored_bytes = ?, time_min = ?, time_max = ?, services = ?, uncounted = ? WHERE datacenter = ? AND bucket = ? AND "
    "shard = ? AND "
    "segment = ?";

constexpr std::string_view put_row_text =
    "INSERT INTO {0}.traces_overflow (trace_id, span_id, timestamp, service_name, operation_name, trace_data) "
    "VALUES (?, ?, ?, ?, ?, ?)";
constexpr std::string_view put_entry_text =
    "INSERT INTO {0}.overflow_traces (service, bucket, shard, start_ns, trace_id, duration_ns, operation, spans, "
    "errors) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr std::string_view put_name_text = "INSERT INTO {0}.overflow_names (kind, service, name) VALUES (?, ?, ?)";
constexpr std::string_view mark_rows_text =
    "UPDATE {0}.overflow_segments SET rows_position = ? WHERE datacenter = ? AND bucket = ? AND shard = ? AND segment "
    "= ?";

constexpr std::string_view list_buckets_text =
    "SELECT bucket FROM {0}.overflow_buckets WHERE datacenter = ? AND shard = ?";
constexpr std::string_view list_segments_text =
    "SELECT {2} FROM {0}.overflow_segments WHERE datacenter = ? AND bucket = ? AND shard = ?";
constexpr std::string_view read_segment_text =
    "SELECT {2} FROM {0}.overflow_segments WHERE datacenter = ? AND bucket = ? AND shard = ? AND segment = ?";
constexpr std::string_view read_chunks_text =
    "SELECT position, {1} FROM {0}.overflow_chunks WHERE segment = ? AND position >= ? LIMIT ?";
constexpr std::string_view mark_replayed_text =
    "UPDATE {0}.overflow_segments SET replay_position = ?, replayed_at = ?, quarantined_spans = ?, "
    "quarantined_points = ?, quarantined_log_records = ?, replayed_spans = ?, replayed_points = ?, "
    "replayed_log_records = ?, gaps = ?, missing = ?, moved_bucket = ?, moved_to = ? WHERE datacenter = ? AND bucket = "
    "? AND shard = ? AND segment = ?";
constexpr std::string_view put_quarantined_text =
    "INSERT INTO {0}.quarantine (hour, shard, at, reason, refused, {1}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
    "?)";

}  // namespace

CqlStore::CqlStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
CqlStore::~CqlStore() = default;

Result<std::unique_ptr<CqlStore>> CqlStore::create(Cql& cql, const std::string& keyspace) {
  State::Statements made;
  const std::pair<Statement*, std::string_view> all[] = {
      {&made.put_bucket, put_bucket_text},
      {&made.put_segment, put_segment_text},
      {&made.put_chunk, put_chunk_text},
      {&made.seal_segment, seal_segment_text},
      {&made.put_row, put_row_text},
      {&made.put_entry, put_entry_text},
      {&made.put_name, put_name_text},
      {&made.mark_rows, mark_rows_text},
      {&made.list_buckets, list_buckets_text},
      {&made.list_segments, list_segments_text},
      {&made.read_segment, read_segment_text},
      {&made.read_chunks, read_chunks_text},
      {&made.mark_replayed, mark_replayed_text},
      {&made.put_quarantined, put_quarantined_text},
  };
  for (const auto& [target, pattern] : all) {
    auto statement = cql.statement(text_of(pattern, keyspace), StatementKind::idempotent);
    if (!statement) return failure(statement.error());
    *target = *statement;
  }
  auto leases = LeaseTable::create(cql, keyspace, Consistency::local_quorum);
  if (!leases) return failure(leases.error());
  return std::unique_ptr<CqlStore>(new CqlStore(std::make_unique<State>(cql, made, std::move(*leases))));
}

void CqlStore::set_datacenter(const std::string& name) { state_->set_datacenter(name); }

void CqlStore::open_segment(const SegmentHead& head, StoreDone done) noexcept {
  // Both must be there before a chunk is: recovery finds the bucket first, in it the segment, in it the chunks.
  const auto make_bucket = [&] {
    Request request;
    request.statement = state_->statements.put_bucket;
    request.timestamp_us = write_time(head.opened_at);
    request.values.text(state_->datacenter()).smallint(head.name.shard).timestamp(head.name.bucket);
    return request;
  };
  const auto make_segment = [&] {
    Request request;
    request.statement = state_->statements.put_segment;
    request.timestamp_us = write_time(head.opened_at);
    state_->add_key(request.values, head.name);
    request.values.bigint(signed_of(head.writer.value))
        .text(head.host)
        .tinyint(static_cast<std::int8_t>(head.purpose))
        .timestamp(head.opened_at);
    return request;
  };
  attempt_with(std::move(done), [&](const Kept<StoreDone>& kept) {
    const auto both = std::make_shared<Joined>(2, kept);
    const auto arrive = [both](StoreStatus status) { both->arrive(std::move(status)); };
    StoreDone of_bucket = arrive;
    StoreDone of_segment = arrive;
    send_request(state_->cql, make_bucket, std::move(of_bucket));
    send_request(state_->cql, make_segment, std::move(of_segment));
  });
}

void CqlStore::put_chunk(const SegmentName& segment, const StoredChunk& chunk, std::int64_t timestamp_us,
                         StoreDone done) noexcept {
  const auto make = [&] {
    Request request;
    request.statement = state_->statements.put_chunk;
    request.timestamp_us = timestamp_us;
    request.values.uuid(segment.id).integer(chunk.position);
    add_chunk_id(request.values, chunk);
    add_chunk_body(request.values, chunk);
    return request;
  };
  send_request(state_->cql, make, std::move(done));
}

void CqlStore::seal_segment(const SegmentName& segment, base::WallTime at, const SegmentSummary& summary,
                            StoreDone done) noexcept {
  const auto make = [&] {
    Request request;
    request.statement = state_->statements.seal_segment;
    request.timestamp_us = write_time(at);
    Values& values = request.values;
    values.timestamp(at).integer(summary.chunk_count);
    add_item_counts(values, summary.item_count);
    values.bigint(signed_of(summary.raw_bytes)).bigint(signed_of(summary.stored_bytes));
    summary.time_min ? values.timestamp(*summary.time_min) : values.unset();
    summary.time_max ? values.timestamp(*summary.time_max) : values.unset();
    summary.services.empty() ? values.unset() : values.text_set(summary.services);
    summary.uncounted.empty() ? values.unset() : values.text(to_text(summary.uncounted));
    state_->add_key(values, segment);
    return request;
  };
  send_request(state_->cql, make, std::move(done));
}

bool CqlStore::has_window(std::uint64_t bytes) const noexcept { return state_->cql.has_window(bytes); }

}  // namespace arca::cassandra
