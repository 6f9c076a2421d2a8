// QueryRun: answers one query. Private to query_run.cpp, trace_run.cpp and follow.cpp.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "cli/query/query.hpp"
#include "cli/query/records.hpp"
#include "cli/query/trace_list.hpp"
#include "cli/stop_signal.hpp"

namespace arca::cli::query {

// Not thread-safe.
class QueryRun {
 public:
  QueryRun(const Query& query, TelemetryStore& store, os::Clock& clock, Console& console, const Screen& screen)
      : query_(query), store_(store), clock_(clock), console_(console), screen_(screen) {}

  int run();

 private:
  // Each prints what it finds and returns how much that was.
  std::size_t run_names();
  std::size_t run_traces();
  std::size_t run_trace();
  std::size_t run_logs();
  std::size_t run_metrics();
  std::size_t follow_traces(TraceList& first);

  // Reads all places into the list; those with an index give only the traces that may match.
  void search_traces(TraceList& list, const Take& take);
  // Reads what places with an index have of the traces that are shown.
  void complete(TraceList& list, const Take& take);
  void print_traces(const TraceList& list, const std::vector<const TraceSummary*>& traces, bool with_headings);
  void print_traces_as_json(const std::vector<const TraceSummary*>& traces);
  void print_request(model::Signal signal, const std::vector<const Record*>& records);
  // Calls `look` again and again until told to stop. Everything that one look says about damage is said once.
  template <class Look>
  void follow(Look look) {
    StopSignal signals;
    while (!signals.wait(look_interval)) {
      store_.renew_budget();
      look();
      tell_report();
    }
  }
  void note_more(std::size_t shown, std::uint64_t found, std::string_view what);
  void note_left_out(std::uint64_t count, std::string_view what);
  void tell_report();
  int exit_code(std::size_t found) const;

  static constexpr base::Duration look_interval = std::chrono::milliseconds(200);

  const Query& query_;
  TelemetryStore& store_;
  os::Clock& clock_;
  Console& console_;
  const Screen& screen_;
  std::size_t damage_told_ = 0;
};

}  // namespace arca::cli::query
