// The tables, as docs/cassandra.md explains them. Columns that were given a meaning keep it for ever.
#include <fmt/format.h>

#include <algorithm>

#include "cassandra/schema.hpp"

namespace arca::cassandra {
namespace {

// Chunks and rows of one time lie together and end together; whole files are then dropped without reading them. About
// thirty windows for a TTL.
std::string by_time(std::chrono::seconds ttl) {
  const auto hours = std::max<std::int64_t>(1, ttl.count() / 3600 / 28);
  return fmt::format(
      "compaction = {{'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'HOURS', "
      "'compaction_window_size': {}}}",
      hours);
}

std::string replication(const SchemaSettings& settings) {
  if (settings.replication_factor.find(':') == std::string::npos) {
    return fmt::format("{{'class': '{}', 'replication_factor': {}}}", settings.replication_class,
                       settings.replication_factor);
  }
  std::string map = fmt::format("{{'class': '{}'", settings.replication_class);
  std::size_t begin = 0;
  while (begin < settings.replication_factor.size()) {
    const std::size_t end = std::min(settings.replication_factor.find(',', begin), settings.replication_factor.size());
    const std::string item = settings.replication_factor.substr(begin, end - begin);
    const std::size_t colon = item.find(':');
    map += fmt::format(", '{}': {}", item.substr(0, colon), item.substr(colon + 1));
    begin = end + 1;
  }
  return map + "}";
}

// Several starters make this table at the same time, before anything exists by which they could take turns. The server
// would give it as many identities; so it gets one that all of them know.
Uuid lease_table_id(const std::string& keyspace) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  const auto add = [&hash](std::string_view text) {
    for (const char letter : text) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001B3ULL;
    return hash;
  };
  Uuid id;
  add("arca recovery_leases ");
  base::store(id.bytes.data(), add(keyspace));
  base::store(id.bytes.data() + 8, add(" id"));
  id.bytes[6] = (id.bytes[6] & std::byte{0x0F}) | std::byte{0x80};  // version 8: made by a rule of ours
  id.bytes[8] = (id.bytes[8] & std::byte{0x3F}) | std::byte{0x80};
  return id;
}

// gc_grace above the time for which hints are kept; nothing is ever deleted, so it costs nothing.
constexpr const char* kept = "gc_grace_seconds = 86400";
constexpr const char* no_read_repair = "read_repair = 'NONE'";  // it would mix old data into new files

// Look-up by service and time, and the names that occur: of kind 'service', of the service ''; of kind 'operation', of
// its service.
void add_index(const SchemaSettings& settings, std::vector<std::string>& all) {
  const std::string& space = settings.keyspace;
  all.push_back(fmt::format(
      "CREATE TABLE IF NOT EXISTS {}.overflow_traces (service text, bucket timestamp, shard smallint, start_ns bigint, "
      "trace_id text, duration_ns bigint, operation text, spans int, errors int, "
      "PRIMARY KEY ((service, bucket, shard), start_ns, trace_id)) WITH CLUSTERING ORDER BY (start_ns DESC, trace_id "
      "ASC) "
      "AND default_time_to_live = {} AND {} AND {} AND {}",
      space, settings.row_ttl.count(), by_time(settings.row_ttl), kept, no_read_repair));
  all.push_back(
      fmt::format("CREATE TABLE IF NOT EXISTS {}.overflow_names (kind text, service text, name text, "
                  "PRIMARY KEY ((kind, service), name)) WITH default_time_to_live = {} AND {}",
                  space, settings.row_ttl.count(), kept));
}

}  // namespace

std::vector<std::string> schema_statements(const SchemaSettings& settings) {
  const std::string& space = settings.keyspace;
  const auto chunk_ttl = settings.chunk_ttl.count();
  const auto directory_ttl = chunk_ttl + 86'400;
  std::vector<std::string> all;
  all.push_back(fmt::format("CREATE KEYSPACE IF NOT EXISTS {} WITH replication = {} AND durable_writes = true", space,
                            replication(settings)));
  // As the specification has it: a row for each span, to be looked up by trace.
  all.push_back(
      fmt::format("CREATE TABLE IF NOT EXISTS {}.traces_overflow (trace_id text, span_id text, timestamp timestamp, "
                  "service_name text, operation_name text, trace_data blob, PRIMARY KEY (trace_id, span_id)) "
                  "WITH default_time_to_live = {} AND {} AND {} AND {} "
                  "AND compression = {{'class': 'LZ4Compressor', 'chunk_length_in_kb': 16}}",
                  space, settings.row_ttl.count(), by_time(settings.row_ttl), kept, no_read_repair));
  // The chunks: one partition for each segment. They are compressed already.
  all.push_back(fmt::format(
      "CREATE TABLE IF NOT EXISTS {}.overflow_chunks (segment uuid, position int, writer bigint, sequence bigint, "
      "signal tinyint, items int, sealed_at_ns bigint, codec tinyint, raw_size int, checksum int, payload blob, "
      "PRIMARY KEY (segment, position)) WITH CLUSTERING ORDER BY (position ASC) "
      "AND default_time_to_live = {} AND {} AND {} AND {} "
      "AND compression = {{'class': 'NoopCompressor', 'chunk_length_in_kb': 64}}",
      space, chunk_ttl, by_time(settings.chunk_ttl), kept, no_read_repair));
  // The directory. Each datacenter has one of its own: what a local quorum has acknowledged is read for sure only
  // there. Which buckets of a shard have segments: what recovery reads first.
  all.push_back(
      fmt::format("CREATE TABLE IF NOT EXISTS {}.overflow_buckets (datacenter text, shard smallint, bucket timestamp, "
                  "PRIMARY KEY ((datacenter, shard), bucket)) WITH default_time_to_live = {} AND {}",
                  space, directory_ttl, kept));
  // The columns up to rows_position are the writer's, the replay columns the recoverer's.
  all.push_back(
      fmt::format("CREATE TABLE IF NOT EXISTS {}.overflow_segments (datacenter text, bucket timestamp, shard smallint, "
                  "segment uuid, "
                  "writer bigint, host text, purpose tinyint, opened_at timestamp, sealed_at timestamp, chunks int, "
                  "spans bigint, points bigint, log_records bigint, raw_bytes bigint, stored_bytes bigint, "
                  "time_min timestamp, time_max timestamp, services frozen<set<text>>, rows_position int, "
                  "replay_position int, replayed_at timestamp, quarantined_spans bigint, quarantined_points bigint, "
                  "quarantined_log_records bigint, replayed_spans bigint, replayed_points bigint, "
                  "replayed_log_records bigint, gaps text, missing bigint, moved_bucket timestamp, moved_to uuid, "
                  "uncounted text, PRIMARY KEY ((datacenter, bucket, shard), segment)) "
                  "WITH default_time_to_live = {} AND {}",
                  space, directory_ttl, kept));
  // Who recovers which shard (and, as shard -1 of no datacenter, who makes the tables); only ever written by
  // conditional statements. The owner's column ends by a TTL of its own, the epoch never.
  all.push_back(fmt::format(
      "CREATE TABLE IF NOT EXISTS {}.recovery_leases (datacenter text, shard smallint, owner uuid, epoch bigint, "
      "PRIMARY KEY ((datacenter, shard))) WITH id = {} AND gc_grace_seconds = 3600",
      space, to_string(lease_table_id(space))));
  // What the Collector rejects for good. A Collector that rejects everything must not fill one partition for a day.
  all.push_back(fmt::format(
      "CREATE TABLE IF NOT EXISTS {}.quarantine (hour timestamp, shard smallint, writer bigint, sequence bigint, at "
      "timestamp, "
      "reason text, refused int, signal tinyint, items int, sealed_at_ns bigint, codec tinyint, raw_size int, "
      "checksum int, payload blob, PRIMARY KEY ((hour, shard), writer, sequence)) "
      "WITH default_time_to_live = {} AND {} AND {}",
      space, chunk_ttl, by_time(settings.chunk_ttl), kept));
  add_index(settings, all);
  // How far `arca recover --scan-rows` has come.
  all.push_back(
      fmt::format("CREATE TABLE IF NOT EXISTS {}.row_scans (scan text, range int, last_token bigint, rows bigint, "
                  "done_at timestamp, "
                  "PRIMARY KEY ((scan), range)) WITH default_time_to_live = {} AND {}",
                  space, directory_ttl, kept));
  return all;
}

}  // namespace arca::cassandra
