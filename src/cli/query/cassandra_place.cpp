#include "cli/query/cassandra_place.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "cli/query/filter.hpp"
#include "cli/query/trace_search.hpp"
#include "cli/units.hpp"
#include "otlp/reader.hpp"

namespace arca::cli::query {

namespace {

using cassandra::ParkedReader;
using cassandra::SegmentEntry;
using model::Signal;

// Between a span, the log records around it, and the sealing of their chunk, which is done every second.
constexpr base::Duration log_margin = std::chrono::seconds(15);
constexpr base::Duration follow_interval = std::chrono::seconds(1);

constexpr base::Duration clock_margin = std::chrono::minutes(5);  // between hosts

bool has_signal(const SegmentEntry& entry, Signal signal) {
  return !entry.sealed_at || entry.summary.item_count[model::index_of(signal)] != 0;  // not told before
}

bool has_service(const SegmentEntry& entry, const std::string& service) {
  const auto& known = entry.summary.services;
  return service.empty() || known.empty() || std::find(known.begin(), known.end(), service) != known.end();
}

// Gives a chunk as it is stored. Nothing if what is looked for is not in it; else its request, as it was given.
std::optional<std::vector<std::byte>> give(const cassandra::StoredChunk& stored, Place place, const Wanted& wanted,
                                           Reader& reader) {
  const auto chunk = cassandra::unpack(stored);
  if (!chunk) {
    reader.damage(std::string(to_string(place)) + ": chunk " + model::to_string(stored.id) + ": " +
                  chunk.error().message());
    return std::nullopt;
  }
  std::vector<std::byte> request = chunk->payload.flatten();
  if (!may_hold(wanted, request)) return std::nullopt;
  reader.take({place, chunk->signal, request, chunk->id});
  return request;
}

}  // namespace

// Which of some traces were met, and when their spans were.
class CassandraPlace::SpanTimes final : public otlp::RequestVisitor {
 public:
  explicit SpanTimes(const std::vector<TraceId>& traces) : wanted_(traces.begin(), traces.end()) {}

  void visit(base::Bytes request) { (void)otlp::visit_request(Signal::traces, request, *this); }  // take() tells damage
  void on_span(const otlp::SpanView& span) override {
    TraceId id{};
    if (span.trace_id.size() != id.size()) return;
    std::copy(span.trace_id.begin(), span.trace_id.end(), id.begin());
    if (!wanted_.contains(id)) return;
    met_.insert(id);
    begin_ = std::min(begin_.value_or(to_wall_time(span.start_time)), to_wall_time(span.start_time));
    end_ = std::max(end_.value_or(to_wall_time(span.end_time)), to_wall_time(span.end_time));
  }

  [[nodiscard]] bool met_all() const noexcept { return met_.size() == wanted_.size(); }
  [[nodiscard]] std::optional<base::WallTime> begin() const noexcept { return begin_; }
  [[nodiscard]] std::optional<base::WallTime> end() const noexcept { return end_; }

 private:
  const std::set<TraceId> wanted_;
  std::set<TraceId> met_;
  std::optional<base::WallTime> begin_, end_;
};

struct CassandraPlace::LogSegment {
  cassandra::Uuid id;
  std::optional<base::WallTime> time_min, time_max;
};

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

bool CassandraPlace::rows_have_ended(const SegmentEntry& entry) const {
  return entry.head.opened_at + access_->row_ttl() <= clock_.wall_now() + clock_margin;
}

std::int32_t CassandraPlace::first_without_rows(const SegmentEntry& entry, bool with_ended) const {
  if (rows_have_ended(entry)) return with_ended ? 0 : Part::nothing;
  const bool has_all = entry.sealed_at && entry.rows_position >= entry.summary.chunk_count;
  return has_all ? Part::nothing : entry.rows_position;
}

// The index tells of spans that have rows.
Result<void> CassandraPlace::read(const Wanted& wanted, Reader& reader) {
  const auto from = access_->reader();
  if (!from) return failure(from.error());
  if (wanted.is_following) {
    if (clock_.steady_now() < next_look_) return {};
    next_look_ = clock_.steady_now() + follow_interval;
  } else if (!wanted.traces.empty()) {
    return read_named(**from, wanted, reader);
  }
  Selection selection;
  bool are_left_out = false;
  const auto listed = (*from)->segments({wanted.since, wanted.until}, [&](const SegmentEntry& entry) {
    if (!has_service(entry, wanted.service)) return;
    Part part{.segment = entry.head.name.id};
    for (const Signal signal : model::all_signals) {
      if (!wanted.signals.contains(signal) || !has_signal(entry, signal)) continue;
      const bool is_indexed = signal == Signal::traces && !wanted.is_following;
      part.from[model::index_of(signal)] = is_indexed ? first_without_rows(entry, wanted.since.has_value()) : 0;
      are_left_out = are_left_out || (is_indexed && !wanted.since && rows_have_ended(entry));
    }
    selection.parts.push_back(part);
  });
  if (!listed) return listed;
  if (are_left_out) {
    reader.left_out(fmt::format("cassandra: what is older than {} has no rows any more; --since looks for it too",
                                format_duration(access_->row_ttl())));
  }
  const auto done = read_chunks(**from, wanted, selection, reader);
  return done ? Result<void>() : failure(done.error());
}

Result<void> CassandraPlace::read_rows(ParkedReader& from, const Wanted& wanted, Reader& reader, SpanTimes& times) {
  std::vector<std::string> ids;
  for (const TraceId& id : wanted.traces) ids.push_back(otlp::to_hex(id));
  return from.read_traces(ids, [&](base::Bytes row) {
    if (!reader.may_read(row.size())) return false;
    times.visit(row);
    if (wanted.signals.contains(Signal::traces)) {
      reader.take({Place::cassandra, Signal::traces, row, std::nullopt});
    }
    return true;
  });
}

// The rows, which also tell where the log records lie; then chunks whose spans have no rows, however old they are.
Result<void> CassandraPlace::read_named(ParkedReader& from, const Wanted& wanted, Reader& reader) {
  const bool wants_spans = wanted.signals.contains(Signal::traces);
  const bool wants_logs = wanted.signals.contains(Signal::logs);
  SpanTimes times(wanted.traces);
  if (const auto done = read_rows(from, wanted, reader, times); !done) return done;
  if (wanted.is_indexed_only && !wants_logs) return {};
  Selection spans;
  std::vector<LogSegment> with_logs;
  const auto listed = from.segments({wanted.since, wanted.until}, [&](const SegmentEntry& entry) {
    if (wants_spans && has_signal(entry, Signal::traces)) {
      Part& part = spans.parts.emplace_back(Part{.segment = entry.head.name.id});
      part.from[model::index_of(Signal::traces)] = first_without_rows(entry, !times.met_all());
    }
    if (wants_logs && has_signal(entry, Signal::logs)) {
      with_logs.push_back({entry.head.name.id, entry.summary.time_min, entry.summary.time_max});
    }
  });
  if (!listed) return listed;
  if (const auto done = read_chunks(from, wanted, spans, reader, &times); !done) return failure(done.error());
  if (!wants_logs) return {};
  return read_logs(from, wanted, reader, times, with_logs);
}

// Log records lie in chunks only. Those of a trace are looked for in what was sealed around its spans, else everywhere.
Result<void> CassandraPlace::read_logs(ParkedReader& from, const Wanted& wanted, Reader& reader, const SpanTimes& times,
                                       const std::vector<LogSegment>& segments) {
  const auto part_of = [](const LogSegment& segment) {
    Part part{.segment = segment.id};
    part.from[model::index_of(Signal::logs)] = 0;
    return part;
  };
  if (times.begin() && !wanted.since && !wanted.until) {
    Selection around{
        .parts = {}, .sealed_from = *times.begin() - log_margin, .sealed_until = *times.end() + log_margin};
    for (const LogSegment& each : segments) {
      const bool is_earlier = each.time_max && *each.time_max < *around.sealed_from;
      const bool is_later = each.time_min && *each.time_min > *around.sealed_until;
      if (!is_earlier && !is_later) around.parts.push_back(part_of(each));
    }
    const auto count = read_chunks(from, wanted, around, reader);
    if (!count) return failure(count.error());
    if (wanted.signals.contains(Signal::traces)) return {};  // the trace is found
    if (*count != 0) {
      reader.note("cassandra: log records were looked for around the spans of their trace; --since looks further");
      return {};
    }
  }
  Selection all;
  for (const LogSegment& each : segments) all.parts.push_back(part_of(each));
  const auto done = read_chunks(from, wanted, all, reader);
  return done ? Result<void>() : failure(done.error());
}

Result<std::size_t> CassandraPlace::read_chunks(ParkedReader& from, const Wanted& wanted, const Selection& selection,
                                                Reader& reader, SpanTimes* times) {
  constexpr std::size_t at_once = 64;  // so that what was found may end the reading
  std::vector<cassandra::ChunkSpot> spots;
  std::vector<const Part*> parts;
  for (const Part& each : selection.parts) {
    const std::int32_t first = *std::min_element(each.from.begin(), each.from.end());
    if (first == Part::nothing) continue;
    spots.push_back({each.segment, first});
    parts.push_back(&each);
  }
  auto heads = from.chunk_heads(spots);
  if (!heads) return failure(heads.error());
  std::erase_if(*heads, [&](const cassandra::ChunkHead& head) {
    if (!wanted.signals.contains(head.signal) || is_before(wanted, head.sealed_at)) return true;
    if (head.position < parts[head.segment]->from[model::index_of(head.signal)]) return true;
    if (selection.sealed_from && head.sealed_at < *selection.sealed_from) return true;
    if (selection.sealed_until && head.sealed_at > *selection.sealed_until) return true;
    return !reader.wants(head.id);
  });
  std::sort(heads->begin(), heads->end(),
            [](const cassandra::ChunkHead& a, const cassandra::ChunkHead& b) { return a.sealed_at > b.sealed_at; });
  std::size_t count = 0;
  for (std::size_t at = 0; at < heads->size(); at += at_once) {
    spots.clear();
    for (std::size_t i = at; i < std::min(at + at_once, heads->size()); ++i) {
      const cassandra::ChunkHead& head = (*heads)[i];
      Wanted newer = wanted;
      const auto oldest = reader.oldest_wanted();
      if (oldest) newer.since = std::max(newer.since.value_or(*oldest), *oldest);
      if (is_before(newer, head.sealed_at)) continue;
      if (!reader.may_read(head.raw_size)) return count;
      spots.push_back({parts[head.segment]->segment, head.position});
    }
    const auto done = from.read_chunks(spots, [&](const cassandra::StoredChunk& stored) {
      const auto request = give(stored, Place::cassandra, wanted, reader);
      if (request) ++count;
      if (request && times != nullptr) times->visit(*request);
      return true;
    });
    if (!done) return failure(done.error());
  }
  return count;
}

// Names of rows have no times. The directory has them, and tells of services that only write logs or metrics too, but
// not what is in a segment that is still open, nor of operations.
Result<void> CassandraPlace::names(const Wanted& wanted, bool operations, const TakeName& take, Reader& reader) {
  const auto from = access_->reader();
  if (!from) return failure(from.error());
  const bool has_range = wanted.since || wanted.until;
  std::set<std::string> services;
  bool is_more = true;
  bool are_all_told = true;
  if (has_range || !operations) {
    const auto listed = (*from)->segments({wanted.since, wanted.until}, [&](const SegmentEntry& entry) {
      are_all_told = are_all_told && !entry.summary.services.empty();
      for (const std::string& service : entry.summary.services) {
        if (!services.insert(service).second || operations || !is_more) continue;
        is_more = take({service, ""});
      }
    });
    if (!listed) return listed;
  }
  if (has_range && (operations || !are_all_told)) {
    reader.note(fmt::format("cassandra: some {} are told without their times", operations ? "operations" : "services"));
  }
  const auto take_name = [&](std::string_view service, std::string_view operation) {
    if (has_range && are_all_told && !services.contains(std::string(service))) return true;
    return take({std::string(service), std::string(operation)});
  };
  if (operations) return (*from)->operations(wanted.service, take_name);
  if (!is_more || (has_range && are_all_told)) return {};
  return (*from)->services(take_name);
}

Result<std::vector<TraceId>> CassandraPlace::find_traces(const Wanted& wanted, std::size_t limit, Reader&,
                                                         std::optional<base::WallTime>& more_before) {
  const auto from = access_->reader();
  if (!from) return failure(from.error());
  cassandra::IndexQuery query;
  if (!wanted.service.empty()) {
    query.services = {wanted.service};
  } else {
    const auto done = (*from)->services([&](std::string_view service, std::string_view) {
      query.services.emplace_back(service);
      return true;
    });
    if (!done) return failure(done.error());
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
