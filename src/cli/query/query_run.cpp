#include "cli/query/query_run.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/query/log_list.hpp"
#include "cli/query/metric_list.hpp"
#include "cli/query/name_list.hpp"
#include "cli/units.hpp"
#include "otlp/json.hpp"

namespace arca::cli::query {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t follow_records_max = 100'000;  // of one look

Json places_as_json(PlaceSet places) {
  Json list = Json::array();
  for (const Place place : all_places) {
    if (places.contains(place)) list.push_back(to_string(place));
  }
  return list;
}

std::string as_line(const Json& object) { return object.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

int run_query(const Query& query, TelemetryStore& store, os::Clock& clock, Console& console, const Screen& screen) {
  return QueryRun(query, store, clock, console, screen).run();
}

int QueryRun::run() {
  std::size_t found = 0;
  switch (query_.subject) {
    case Subject::services:
    case Subject::operations:
      found = run_names();
      break;
    case Subject::traces:
      found = run_traces();
      break;
    case Subject::trace:
      found = run_trace();
      break;
    case Subject::logs:
      found = run_logs();
      break;
    case Subject::metrics:
      found = run_metrics();
      break;
  }
  tell_report();
  return exit_code(found);
}

std::size_t QueryRun::run_names() {
  const bool operations = query_.subject == Subject::operations;
  NameList list(query_.filter, operations);
  const Wanted wanted =
      query_.filter.wanted(operations ? model::SignalSet::only(model::Signal::traces) : model::SignalSet::all());
  const Take take = [&](const Piece& piece) { return list.visit(piece); };
  store_.read(wanted, {.indexed = false}, take);
  store_.names(wanted, operations, [&](const NamePair& name) { return list.add(name, Place::cassandra); });
  if (list.overflowed()) console_.note(fmt::format("more than {} names: the rest is left out", NameList::names_max));
  if (!query_.json) {
    if (!list.all().empty()) console_.print(list.table(query_.limit).text(screen_));
    note_more(std::min(query_.limit, list.all().size()), list.all().size(), to_string(query_.subject));
    return list.all().size();
  }
  std::size_t left = query_.limit;
  for (const auto& [key, counts] : list.all()) {
    if (left-- == 0) break;
    Json object = {{"service", key.first}};
    if (operations) object["operation"] = key.second;
    object["spans"] = counts.spans;
    object["errors"] = counts.errors;
    if (!operations) object["logRecords"] = counts.logs;
    if (!operations) object["dataPoints"] = counts.points;
    object["places"] = places_as_json(counts.places);
    console_.print(as_line(object));
  }
  return list.all().size();
}

std::size_t QueryRun::run_logs() {
  LogList list(query_.filter, query_.limit);
  Wanted wanted = query_.filter.wanted(model::SignalSet::only(model::Signal::logs));
  wanted.is_following = query_.follow;
  std::size_t found = 0;
  const auto look = [&] {
    TelemetryStore::Options options;
    if (!query_.follow) options.oldest_wanted = [&] { return list.oldest_wanted(); };
    store_.read(wanted, options, [&](const Piece& piece) { return list.visit(piece); });
    for (const LogRecord& log : list.take_all()) {
      ++found;
      if (query_.json) {
        print_request(model::Signal::logs, {&log.record});
      } else {
        console_.print(log_line(log, screen_, !query_.filter.trace));
      }
    }
  };
  look();
  if (!query_.follow) {
    note_more(found, list.match_count(), "log records");
    return found;
  }
  list.set_limit(follow_records_max);
  list.take_left_out();  // --limit did
  follow([&] {
    look();
    note_left_out(list.take_left_out(), "log records");
  });
  return found;
}

std::size_t QueryRun::run_metrics() {
  MetricList list(query_.filter, query_.json, query_.limit);
  Wanted wanted = query_.filter.wanted(model::SignalSet::only(model::Signal::metrics));
  wanted.is_following = query_.follow;
  std::size_t found = 0;
  bool is_first = true;
  const auto look = [&] {
    store_.read(wanted, [&](const Piece& piece) { return list.visit(piece); });
    if (query_.json) {
      for (const Record& record : list.take_records()) {
        ++found;
        print_request(model::Signal::metrics, {&record});
      }
      return;
    }
    const Table table = is_first ? list.table(query_.limit, screen_) : list.take_changes(screen_);
    if (is_first) list.take_changes(screen_);
    found = list.series_count();
    if (!table.empty()) console_.print(table.text(screen_, is_first));
    is_first = false;
  };
  look();
  if (!query_.follow) {
    if (!query_.json) note_more(std::min(query_.limit, found), found, "time series");
    if (list.overflowed()) console_.note("too many time series: the rest is left out");
    return found;
  }
  list.set_limit(follow_records_max);
  list.take_left_out();  // --limit did
  follow([&] {
    look();
    note_left_out(list.take_left_out(), "metrics");
  });
  return found;
}

void QueryRun::print_request(model::Signal signal, const std::vector<const Record*>& records) {
  if (records.empty()) return;
  const auto text = otlp::to_json(signal, make_request(records));
  if (text) return console_.print(*text);
  console_.note("a record cannot be printed: " + text.error().message());
}

void QueryRun::note_more(std::size_t shown, std::uint64_t found, std::string_view what) {
  if (query_.json) return;
  if (store_.has_index() && query_.subject != Subject::metrics && shown == query_.limit) {
    console_.note(fmt::format("there may be more {}; --limit shows more", what));
    return;
  }
  if (found <= shown) return;
  console_.note(fmt::format("{} of {} {} shown; --limit shows more", shown, format_count(found), what));
}

void QueryRun::note_left_out(std::uint64_t count, std::string_view what) {
  if (count == 0) return;
  console_.note(fmt::format("{} {} are left out: more came at once than is kept", format_count(count), what));
}

void QueryRun::tell_report() {
  const ReadReport& report = store_.report();
  for (; damage_told_ < report.damage.size(); ++damage_told_) console_.note(report.damage[damage_told_]);
  for (const std::string& note : report.notes) console_.note(note);
  store_.clear_notes();
}

int QueryRun::exit_code(std::size_t found) const {
  const ReadReport& report = store_.report();
  if (report.damage_count > report.damage.size()) {
    console_.note(fmt::format("and {} more that cannot be read", report.damage_count - report.damage.size()));
  }
  if (report.cut) {
    console_.note(
        fmt::format("stopped after {}: not everything was looked through; --since narrows the search, "
                    "--scan-limit lets it go on",
                    format_bytes(report.bytes)));
  }
  if (report.unreachable) return to_int(ExitCode::not_reachable);
  if (report.damage_count != 0) return to_int(ExitCode::failure);
  if (report.cut) return to_int(ExitCode::incomplete);
  if (found != 0) return to_int(ExitCode::ok);
  if (report.left_out) return to_int(ExitCode::incomplete);
  if (!query_.follow) console_.note("nothing was found");
  return to_int(query_.follow ? ExitCode::ok : ExitCode::nothing_found);
}

}  // namespace arca::cli::query
