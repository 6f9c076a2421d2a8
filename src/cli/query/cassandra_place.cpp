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
constexpr base::Duration log_margin = std::chrono::minutes(1);  // between a span and the log records around it
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

bool has_signal(const SegmentEntry& entry, model::SignalSet signals) {
  if (!entry.sealed_at) return true;  // not told before
  return std::any_of(model::all_signals.begin(), model::all_signals.end(), [&](Signal signal) {
    return signals.contains(signal) && entry.summary.item_count[model::index_of(signal)] != 0;
  });
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
  if (wanted.signals.contains(Signal::traces) && !wanted.is_following) {
    const auto segments = (*from)->segments({wanted.since.value_or(clock_.wall_now() - rows_lag_max), wanted.until});
    return segments ? read_without_rows(**from, wanted, *segments, reader) : failure(segments.error());
  }
  if (wanted.is_following) {
    if (clock_.steady_now() < next_look_) return {};
    next_look_ = clock_.steady_now() + follow_interval;
  }
  auto segments = (*from)->segments({wanted.since, wanted.until});
  if (!segments) return failure(segments.error());
  Selection selection;
  for (SegmentEntry& each : *segments) {
    if (!has_signal(each, wanted.signals) || !has_service(each, wanted.service)) continue;
    selection.segments.push_back(std::move(each));
    selection.from.push_back(0);
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

Result<void> CassandraPlace::read_named(ParkedReader& from, const Wanted& wanted, Reader& reader) {
  const bool wants_logs = wanted.signals.contains(Signal::logs);
  Found found;
  if (wanted.signals.contains(Signal::traces)) {
    const auto rows = read_rows(from, wanted, reader);
    if (!rows) return failure(rows.error());
    if (wanted.is_indexed_only && !wants_logs) return {};
    found = *rows;
  }
  base::WallTime since = wanted.since.value_or(clock_.wall_now() - rows_lag_max);
  if (found.begin && wants_logs && !wanted.since) since = std::min(since, *found.begin - log_margin);
  const auto segments = from.segments({since, wanted.until});
  if (!segments) return failure(segments.error());
  if (wanted.signals.contains(Signal::traces)) {
    if (const auto done = read_without_rows(from, wanted, *segments, reader); !done) return done;
  }
  return wants_logs ? read_logs_of(from, wanted, found, *segments, reader) : Result<void>();
}

// Chunks behind the position up to which the rows of their segment are written.
Result<void> CassandraPlace::read_without_rows(ParkedReader& from, const Wanted& wanted, const Segments& segments,
                                               Reader& reader) {
  Wanted spans = wanted;
  spans.signals = model::SignalSet::only(Signal::traces);
  Selection selection;
  for (const SegmentEntry& each : segments) {
    if (has_all_rows(each) || !has_signal(each, spans.signals) || !has_service(each, wanted.service)) continue;
    selection.segments.push_back(each);
    selection.from.push_back(each.rows_position);
  }
  return read_chunks(from, spans, selection, reader);
}

// Log records lie in chunks only; those of a trace in chunks that were sealed around it.
Result<void> CassandraPlace::read_logs_of(ParkedReader& from, const Wanted& wanted, const Found& found,
                                          const Segments& segments, Reader& reader) {
  Wanted records = wanted;
  records.signals = model::SignalSet::only(Signal::logs);
  if (found.begin) records.since = std::max(records.since.value_or(*found.begin), *found.begin);
  Selection selection;
  if (found.end) selection.sealed_until = *found.end + log_margin;
  for (const SegmentEntry& each : segments) {
    const cassandra::SegmentSummary& summary = each.summary;
    if (!has_signal(each, records.signals)) continue;
    if (found.begin && summary.time_max && *summary.time_max < *found.begin - log_margin) continue;
    if (found.end && summary.time_min && *summary.time_min > *found.end + log_margin) continue;
    selection.segments.push_back(each);
    selection.from.push_back(0);
  }
  return read_chunks(from, records, selection, reader);
}

Result<void> CassandraPlace::read_chunks(ParkedReader& from, const Wanted& wanted, const Selection& selection,
                                         Reader& reader) {
  constexpr std::size_t at_once = 64;  // so that what was found may end the reading
  auto heads = from.chunk_heads(selection.segments);
  if (!heads) return failure(heads.error());
  std::erase_if(*heads, [&](const cassandra::ChunkHead& head) {
    return head.position < selection.from[head.segment] || !wanted.signals.contains(head.signal) ||
           is_before(wanted, head.sealed_at) || (selection.sealed_until && head.sealed_at > *selection.sealed_until) ||
           !reader.wants(head.id);
  });
  std::sort(heads->begin(), heads->end(),
            [](const cassandra::ChunkHead& a, const cassandra::ChunkHead& b) { return a.sealed_at > b.sealed_at; });
  for (std::size_t at = 0; at < heads->size(); at += at_once) {
    std::vector<cassandra::ChunkSpot> spots;
    for (std::size_t i = at; i < std::min(at + at_once, heads->size()); ++i) {
      const cassandra::ChunkHead& head = (*heads)[i];
      Wanted newer = wanted;
      const auto oldest = reader.oldest_wanted();
      if (oldest) newer.since = std::max(newer.since.value_or(*oldest), *oldest);
      if (is_before(newer, head.sealed_at)) continue;
      if (!reader.may_read(head.raw_size)) return {};
      spots.push_back({selection.segments[head.segment].head.name.id, head.position});
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
