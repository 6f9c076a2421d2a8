// The queries for traces: the list, the waterfall, and the list that goes on.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "cli/query/query_run.hpp"
#include "cli/query/waterfall.hpp"
#include "cli/terminal_text.hpp"

namespace arca::cli::query {

namespace {

constexpr model::SignalSet only_traces = model::SignalSet::only(model::Signal::traces);
constexpr std::size_t indexed_traces_max = 20'000;   // that one search reads from places with an index
constexpr std::size_t spans_of_trace_max = 100'000;  // of one trace as JSON

std::string services_text(const TraceList& list, const TraceSummary& trace) {
  std::string text = printable(list.name(trace.root_service));
  for (const std::uint32_t service : trace.services) {
    if (service != trace.root_service) text += ", " + printable(list.name(service));
  }
  return text;
}

// The spans of --follow --json: each that fulfils the conditions, once.
class SpanStream final : public RecordVisitor {
 public:
  explicit SpanStream(const Filter& filter) : filter_(filter) {}

  void on_span(const otlp::SpanView& span) override {
    if (!filter_.takes(owner(), span)) return;
    const std::uint64_t key = hash_of(span.span_id) ^ (hash_of(span.trace_id) << 1U);
    if (seen_.size() == seen_max) seen_.clear();
    if (seen_.insert(key).second) kept_.push_back(keep(span.message));
  }
  std::vector<Record> take_all() { return std::exchange(kept_, {}); }

 private:
  const Filter& filter_;
  std::unordered_set<std::uint64_t> seen_;
  std::vector<Record> kept_;
};

}  // namespace

std::size_t QueryRun::run_traces() {
  TraceList list(query_.filter);
  SpanStream stream(query_.filter);
  const bool streams = query_.follow && query_.json;
  const Take take = [&](const Piece& piece) -> Result<void> {
    if (streams) {
      if (const auto done = stream.visit(piece); !done) return done;
    }
    return list.visit(piece);
  };
  search_traces(list, take);
  const auto traces = list.newest(query_.limit);
  if (query_.json) {
    print_traces_as_json(traces);
  } else if (!traces.empty()) {
    print_traces(list, traces, true);
  }
  if (list.overflowed()) {
    console_.note(
        fmt::format("more than {} traces: the rest is left out; --since narrows the search", TraceList::traces_max));
  }
  if (!query_.follow) {
    note_more(traces.size(), list.match_count(), "traces");
    return traces.size();
  }
  if (!streams) return follow_traces(list);
  std::size_t found = traces.size();
  stream.take_all();  // they were printed with their traces, or were too many
  Wanted wanted = query_.filter.wanted(only_traces);
  if (!wanted.since) wanted.since = clock_.wall_now();
  wanted.is_following = true;
  follow([&] {
    store_.read(wanted, [&](const Piece& piece) { return stream.visit(piece); });
    const std::vector<Record> records = stream.take_all();
    std::vector<const Record*> pointers;
    pointers.reserve(records.size());
    for (const Record& record : records) pointers.push_back(&record);
    found += records.size();
    print_request(model::Signal::traces, pointers);
  });
  return found;
}

// A trace is shown once nothing has come to it for a moment: a line cannot be taken back.
std::size_t QueryRun::follow_traces(TraceList& first) {
  constexpr int quiet_looks = 5;  // a second
  TraceList list(query_.filter);
  std::unordered_map<std::string, int> waiting;  // trace ids, and for how many looks they have been quiet
  std::size_t found = first.match_count();
  Wanted wanted = query_.filter.wanted(only_traces);
  if (!wanted.since) wanted.since = clock_.wall_now();
  wanted.is_following = true;
  follow([&] {
    store_.read(wanted, [&](const Piece& piece) { return list.visit(piece); });
    for (const TraceId& id : list.take_changed()) {
      if (!first.contains(id)) waiting[std::string(base::as_text(id))] = 0;
    }
    std::vector<const TraceSummary*> ready;
    for (auto at = waiting.begin(); at != waiting.end();) {
      if (++at->second <= quiet_looks) {
        ++at;
        continue;
      }
      TraceId id{};
      std::copy_n(base::as_bytes(at->first).begin(), id.size(), id.begin());
      const TraceSummary* const trace = list.find(id);
      if (trace != nullptr && trace->is_match) ready.push_back(trace);
      at = waiting.erase(at);
    }
    std::sort(ready.begin(), ready.end(),
              [](const TraceSummary* a, const TraceSummary* b) { return a->start < b->start; });
    found += ready.size();
    if (!ready.empty()) print_traces(list, ready, false);
    if (list.overflowed()) list = TraceList(query_.filter);
  });
  return found;
}

void QueryRun::search_traces(TraceList& list, const Take& take) {
  Wanted wanted = query_.filter.wanted(only_traces);
  store_.read(wanted, take);  // of places with an index what it does not know
  if (!store_.has_index()) return;
  std::size_t asked = 0;
  std::size_t batch = std::max<std::size_t>(query_.limit, 20);
  while (asked < indexed_traces_max) {
    std::optional<base::WallTime> more_before;
    std::vector<TraceId> ids = store_.find_traces(wanted, batch, more_before);
    asked += ids.size();
    std::erase_if(ids, [&](const TraceId& id) { return list.is_complete(id); });
    if (!ids.empty()) {
      Wanted rows = wanted;
      rows.traces = ids;
      rows.is_indexed_only = true;
      store_.read(rows, {.unindexed = false}, take);
      for (const TraceId& id : ids) list.set_complete(id);
    }
    // Enough, if no older trace can push one of these out.
    const auto newest = list.newest(query_.limit);
    const bool is_enough =
        newest.size() == query_.limit && (!more_before || to_wall_time(newest.back()->start) >= *more_before);
    if (is_enough || !more_before || (wanted.until && *more_before >= *wanted.until)) break;
    wanted.until = more_before;
    batch = std::min<std::size_t>(2 * batch, 1000);
  }
  if (asked >= indexed_traces_max) {
    console_.note(fmt::format("looked at the newest {} traces in Cassandra; --until goes on from there", asked));
  }
  complete(list, take);
}

void QueryRun::complete(TraceList& list, const Take& take) {
  Wanted rest;
  rest.signals = only_traces;
  rest.is_indexed_only = true;
  for (const TraceSummary* trace : list.newest(query_.limit)) {
    if (!list.is_complete(trace->id)) rest.traces.push_back(trace->id);
  }
  if (!rest.traces.empty()) store_.read(rest, {.unindexed = false}, take);
}

void QueryRun::print_traces(const TraceList& list, const std::vector<const TraceSummary*>& traces, bool with_headings) {
  Table table({{"TRACE", Table::always, true},
               {"START (UTC)", 3, true},
               {"DURATION", 5, true},
               {"SPANS", 1},
               {"ERRORS", 4},
               {"SERVICES", 2},
               {"ROOT", Table::always},
               {"IN", 0}});
  for (const TraceSummary* trace : traces) {
    const base::Duration duration = to_wall_time(trace->end) - to_wall_time(trace->start);
    const std::string root = printable(list.name(trace->root_operation));
    table.add({{otlp::to_hex(trace->id), false, true, Colour::strong},
               {format_time(to_wall_time(trace->start), screen_), false, true, Colour::faint},
               {format_span_duration(std::max(duration, base::Duration::zero())), true},
               {std::to_string(trace->span_count), true},
               {std::to_string(trace->error_count), true, trace->error_count != 0, Colour::bad},
               {services_text(list, *trace), false, true, Colour::service},
               {trace->has_root ? root : "(" + root + ")"},
               {to_string(trace->places), false, true, Colour::faint}});
  }
  console_.print(table.text(screen_, with_headings));
}

void QueryRun::print_traces_as_json(const std::vector<const TraceSummary*>& traces) {
  if (traces.empty()) return;
  Wanted wanted;
  wanted.signals = only_traces;
  for (const TraceSummary* trace : traces) wanted.traces.push_back(trace->id);
  TraceRecords records(wanted.traces, spans_of_trace_max);
  store_.renew_budget();
  store_.read(wanted, {.repeats = true}, [&](const Piece& piece) { return records.visit(piece); });
  for (const TraceId& id : wanted.traces) {
    std::vector<const Record*> pointers;
    for (const SpanRecord& span : records.trace(id).spans) pointers.push_back(&span.record);
    print_request(model::Signal::traces, pointers);
  }
}

std::size_t QueryRun::run_trace() {
  Wanted wanted;
  wanted.signals = only_traces;
  wanted.signals.insert(model::Signal::logs);
  wanted.traces = {*query_.filter.trace};
  TraceRecords records(wanted.traces, query_.json ? std::max(query_.limit, spans_of_trace_max) : query_.limit);
  store_.read(wanted, {.repeats = true}, [&](const Piece& piece) { return records.visit(piece); });
  const TraceRecords::Trace& trace = records.trace(*query_.filter.trace);
  if (trace.spans.empty() && trace.logs.empty()) return 0;
  if (!query_.json) {
    console_.print(draw_waterfall(*query_.filter.trace, trace, screen_, {query_.details}));
  } else {
    std::vector<const Record*> spans;
    for (const SpanRecord& each : trace.spans) spans.push_back(&each.record);
    print_request(model::Signal::traces, spans);
    std::vector<const Record*> logs;
    for (const LogRecord& each : trace.logs) logs.push_back(&each.record);
    print_request(model::Signal::logs, logs);
  }
  return trace.spans.size() + trace.logs.size();
}

}  // namespace arca::cli::query
