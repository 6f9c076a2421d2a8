#include "cli/query/cassandra_place.hpp"

#include <algorithm>
#include <set>

#include "cli/query/filter.hpp"
#include "cli/query/trace_search.hpp"
#include "otlp/reader.hpp"

namespace arca::cli::query {

namespace {

using cassandra::ParkedReader;
using cassandra::SegmentEntry;
using model::Signal;

// How far back segments are looked for whose rows are not complete, when no time is asked for: rows follow within
// seconds, and after a crash with the next recovery.
constexpr base::Duration rows_lag_max = std::chrono::hours(1);
// Between a span, the log records around it, and the sealing of their chunk, which is done every second.
constexpr base::Duration log_margin = std::chrono::seconds(15);
constexpr base::Duration follow_interval = std::chrono::seconds(1);

// The times of the spans in some rows.
class SpanTimes final : public otlp::RequestVisitor {
 public:
  void on_span(const otlp::SpanView& span) override {
    begin = std::min(begin.value_or(to_wall_time(span.start_time)), to_wall_time(span.start_time));
    end = std::max(end.value_or(to_wall_time(span.end_time)), to_wall_time(span.end_time));
  }
  std::optional<base::WallTime> begin, end;
};

bool has_signal(const SegmentEntry& entry, Signal signal) {
  return !entry.sealed_at || entry.summary.item_count[model::index_of(signal)] != 0;  // not told before
}

bool has_service(const SegmentEntry& entry, const std::string& service) {
  const auto& known = entry.summary.services;
  return service.empty() || known.empty() || std::find(known.begin(), known.end(), service) != known.end();
}

bool has_all_rows(const SegmentEntry& entry) {
  return entry.sealed_at && entry.rows_position >= entry.summary.chunk_count;
}

// Gives a chunk as it is stored.
void give(const cassandra::StoredChunk& stored, Place place, const Wanted& wanted, Reader& reader) {
  const auto chunk = cassandra::unpack(stored);
  if (!chunk) {
    return reader.damage(std::string(to_string(place)) + ": chunk " + model::to_string(stored.id) + ": " +
                         chunk.error().message());
  }
  const std::vector<std::byte> request = chunk->payload.flatten();
  if (may_hold(wanted, request)) reader.take({place, chunk->signal, request, chunk->id});
}

}  // namespace

Result<ParkedReader*> CassandraAccess::reader() {
  if (failure_) return failure(*failure_);
  if (!reader_) {
    if (const auto done = connect(); !done) {
      failure_ = done.error();
      return failure(done.error());
    }
  }
  return reader_.get();
}

Result<void> CassandraAccess::connect() {
  auto client = cassandra::CqlClient::open(options_.connection);
  if (!client) return failure(client.error());
  client_ = std::move(*client);
  const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(options_.timeout);
  if (const auto reached = client_->wait_connected(timeout); !reached) return failure(reached.error());
  auto store = cassandra::CqlStore::create(*client_, options_.keyspace);
  if (!store) return failure(store.error());
  store_ = std::move(*store);
  const std::string datacenter = client_->status().datacenter;
  if (datacenter.empty()) return failure(ErrorCode::unavailable, "the connection is lost");
  store_->set_datacenter(datacenter);
  ParkedReader::Options options;
  options.keyspace = options_.keyspace;
  options.timeout = options_.timeout;
  options.lookback = options_.row_ttl + std::chrono::hours(1);
  auto reader = ParkedReader::create(*client_, *store_, clock_, std::move(options));
  if (!reader) return failure(reader.error());
  reader_ = std::move(*reader);
  return {};
}

Result<void> CassandraPlace::read(const Wanted& wanted, Reader& reader) {
  const auto from = access_->reader();
  if (!from) return failure(from.error());
  if (!wanted.traces.empty()) return read_named(**from, wanted, reader);
  const bool has_rows = wanted.signals.contains(Signal::traces) && !wanted.is_following;
  if (wanted.is_following) {
    if (clock_.steady_now() < next_look_) return {};
    next_look_ = clock_.steady_now() + follow_interval;
  }
  std::optional<base::WallTime> since = wanted.since;
  if (has_rows && !since) since = clock_.wall_now() - rows_lag_max;
  auto segments = (*from)->segments({since, wanted.until});
  if (!segments) return failure(segments.error());
  Selection selection;
  for (SegmentEntry& each : *segments) {
    if (!has_service(each, wanted.service)) continue;
    Part part;
    for (const Signal signal : model::all_signals) {
      if (!wanted.signals.contains(signal) || !has_signal(each, signal)) continue;
      const bool is_known = has_rows && signal == Signal::traces;
      if (is_known && has_all_rows(each)) continue;
      part.from[model::index_of(signal)] = is_known ? each.rows_position : 0;
    }
    part.segment = std::move(each);
    selection.parts.push_back(std::move(part));
  }
  return read_chunks(**from, wanted, selection, reader);
}

Result<CassandraPlace::Found> CassandraPlace::read_rows(ParkedReader& from, const Wanted& wanted, Reader& reader) {
  std::vector<std::string> ids;
  for (const TraceId& id : wanted.traces) ids.push_back(otlp::to_hex(id));
  SpanTimes times;
  const auto done = from.read_traces(ids, [&](base::Bytes row) {
    if (!reader.may_read(row.size())) return false;
    if (wanted.traces.size() == 1) (void)otlp::visit_request(Signal::traces, row, times);  // damage is told by take()
    reader.take({Place::cassandra, Signal::traces, row, std::nullopt});
    return true;
  });
  if (!done) return failure(done.error());
  return Found{times.begin, times.end};
}

// The rows, chunks whose rows are not yet written, and log records, which lie in chunks only: those of a trace in
// chunks that were sealed around it.
Result<void> CassandraPlace::read_named(ParkedReader& from, const Wanted& wanted, Reader& reader) {
  const bool wants_spans = wanted.signals.contains(Signal::traces);
  const bool wants_logs = wanted.signals.contains(Signal::logs);
  Found found;
  if (wants_spans) {
    const auto rows = read_rows(from, wanted, reader);
    if (!rows) return failure(rows.error());
    if (wanted.is_indexed_only && !wants_logs) return {};
    found = *rows;
  }
  base::WallTime since = wanted.since.value_or(clock_.wall_now() - rows_lag_max);
  Selection selection;
  if (found.begin) selection.logs_sealed_from = *found.begin - log_margin;
  if (found.end) selection.logs_sealed_until = *found.end + log_margin;
  if (wants_logs && !wanted.since) since = std::min(since, selection.logs_sealed_from.value_or(since));
  auto segments = from.segments({since, wanted.until});
  if (!segments) return failure(segments.error());
  for (SegmentEntry& each : *segments) {
    const cassandra::SegmentSummary& summary = each.summary;
    const bool is_earlier = found.begin && summary.time_max && *summary.time_max < *selection.logs_sealed_from;
    const bool is_later = found.end && summary.time_min && *summary.time_min > *selection.logs_sealed_until;
    Part part;
    if (wants_spans && !has_all_rows(each) && has_signal(each, Signal::traces)) {
      part.from[model::index_of(Signal::traces)] = each.rows_position;
    }
    if (wants_logs && !is_earlier && !is_later && has_signal(each, Signal::logs)) {
      part.from[model::index_of(Signal::logs)] = 0;
    }
    part.segment = std::move(each);
    selection.parts.push_back(std::move(part));
  }
  return read_chunks(from, wanted, selection, reader);
}

Result<void> CassandraPlace::read_chunks(ParkedReader& from, const Wanted& wanted, const Selection& selection,
                                         Reader& reader) {
  constexpr std::size_t at_once = 64;  // so that what was found may end the reading
  std::vector<cassandra::ChunkSpot> spots;
  std::vector<const Part*> parts;
  for (const Part& each : selection.parts) {
    const std::int32_t first = *std::min_element(each.from.begin(), each.from.end());
    if (first == Part::nothing) continue;
    spots.push_back({each.segment.head.name.id, first});
    parts.push_back(&each);
  }
  auto heads = from.chunk_heads(spots);
  if (!heads) return failure(heads.error());
  std::erase_if(*heads, [&](const cassandra::ChunkHead& head) {
    if (!wanted.signals.contains(head.signal) || is_before(wanted, head.sealed_at)) return true;
    if (head.position < parts[head.segment]->from[model::index_of(head.signal)]) return true;
    if (head.signal == Signal::logs) {
      if (selection.logs_sealed_from && head.sealed_at < *selection.logs_sealed_from) return true;
      if (selection.logs_sealed_until && head.sealed_at > *selection.logs_sealed_until) return true;
    }
    return !reader.wants(head.id);
  });
  std::sort(heads->begin(), heads->end(),
            [](const cassandra::ChunkHead& a, const cassandra::ChunkHead& b) { return a.sealed_at > b.sealed_at; });
  for (std::size_t at = 0; at < heads->size(); at += at_once) {
    spots.clear();
    for (std::size_t i = at; i < std::min(at + at_once, heads->size()); ++i) {
      const cassandra::ChunkHead& head = (*heads)[i];
      Wanted newer = wanted;
      const auto oldest = reader.oldest_wanted();
      if (oldest) newer.since = std::max(newer.since.value_or(*oldest), *oldest);
      if (is_before(newer, head.sealed_at)) continue;
      if (!reader.may_read(head.raw_size)) return {};
      spots.push_back({parts[head.segment]->segment.head.name.id, head.position});
    }
    const auto done = from.read_chunks(spots, [&](const cassandra::StoredChunk& stored) {
      give(stored, Place::cassandra, wanted, reader);
      return true;
    });
    if (!done) return done;
  }
  return {};
}

Result<std::vector<NamePair>> CassandraPlace::names(const std::string& service, Reader&) {
  const auto from = access_->reader();
  if (!from) return failure(from.error());
  std::vector<NamePair> all;
  std::set<std::string> services;
  const auto of_rows = (*from)->services();
  if (!of_rows) return failure(of_rows.error());
  services.insert(of_rows->begin(), of_rows->end());
  // Services that only write logs or metrics have no rows: the directory knows them.
  const auto segments = (*from)->segments({});
  if (!segments) return failure(segments.error());
  for (const SegmentEntry& each : *segments)
    services.insert(each.summary.services.begin(), each.summary.services.end());
  all.reserve(services.size());
  for (const std::string& each : services) all.push_back({each, ""});
  auto operations = (*from)->operations(service);
  if (!operations) return failure(operations.error());
  for (auto& [name, operation] : *operations) all.push_back({std::move(name), std::move(operation)});
  return all;
}

Result<std::vector<TraceId>> CassandraPlace::find_traces(const Wanted& wanted, std::size_t limit, Reader&,
                                                         std::optional<base::WallTime>& more_before) {
  const auto from = access_->reader();
  if (!from) return failure(from.error());
  cassandra::IndexQuery query;
  if (!wanted.service.empty()) {
    query.services = {wanted.service};
  } else {
    auto services = (*from)->services();
    if (!services) return failure(services.error());
    query.services = std::move(*services);
  }
  query.range = {wanted.since, wanted.until};
  query.duration_min = wanted.duration_min;
  query.errors_only = wanted.errors_only;
  query.limit = limit;
  const auto found = (*from)->find_traces(query);
  if (!found) return failure(found.error());
  more_before = found->more_before;
  std::vector<TraceId> ids;
  for (const cassandra::IndexedTrace& each : found->traces) {
    if (const auto id = parse_trace_id(each.trace_id)) ids.push_back(*id);
  }
  return ids;
}

Result<void> CassandraQuarantinePlace::read(const Wanted& wanted, Reader& reader) {
  const auto from = access_->reader();
  if (!from) return failure(from.error());
  return (*from)->read_quarantine({wanted.since, wanted.until},
                                  [&](const cassandra::StoredChunk& stored, const std::string&) {
                                    if (!wanted.signals.contains(stored.signal) || !reader.wants(stored.id))
                                      return true;
                                    if (!reader.may_read(stored.raw_size)) return false;
                                    give(stored, Place::quarantine, wanted, reader);
                                    return true;
                                  });
}

}  // namespace arca::cli::query
