#include "cli/query/query_text.hpp"

namespace arca::cli::query {

const CommandText& query_text() {
  static const CommandText text{
      "query",
      "shows the traces, log records and metrics that were saved and not yet delivered",
      "Looks through everything that Arca keeps: the pools and journals of a state directory, of processes that live "
      "and "
      "of those that died, the quarantine, and Cassandra when one is configured. It never writes and takes no lock, so "
      "it may run at any time beside anything. What lies in several places is shown once. What has been delivered is "
      "at "
      "the Collector's back end, and no longer here, but for Cassandra, which keeps it until its TTL.\n\n"
      "  services     the services, with the number of their spans, log records and data points\n"
      "  operations   the span names of each service\n"
      "  traces       the newest traces of which one span fulfils all conditions\n"
      "  trace ID     one trace as a waterfall: its spans as a tree beside bars in time, with their errors (✗),\n"
      "               events (•), links (↗) and log records (▪). A traceparent header will do for the id\n"
      "  logs         the newest log records that fulfil all conditions, in the order of time\n"
      "  metrics      the time series that fulfil all conditions, each with its newest value\n\n"
      "Times are UTC. A time is a length of time before now (15m, 2h, 7d), a time of today (12:00), a date "
      "(2026-01-31), "
      "or both (2026-01-31T12:00:00Z, also with an offset such as +02:00).\n\n"
      "With --json each line is one OTLP export request in OTLP JSON, as the Collector's file exporter writes it: of "
      "traces one trace a line, of logs and metrics one record or metric a line. services and operations are plain "
      "objects.\n\n"
      "With --follow the command goes on showing what is new until SIGINT or SIGTERM, also what is delivered while it "
      "still stands in the pool. A trace is shown once nothing has come to it for a second; with --json each span "
      "comes "
      "by itself.\n\n"
      "In Cassandra spans are found by their rows, and in chunks where rows are not yet written. Rows end before "
      "chunks "
      "do: older spans are found by the id of their trace, and with --since. Log records of a trace are looked for "
      "around its spans, and everywhere if there are none; with --since everywhere from then on.\n\n"
      "Log records and metrics that are equal to the last byte are shown once. Colour appears on a terminal only, and "
      "never with NO_COLOR set.",
      {{"What there is", "arca query services"},
       {"Slow checkouts of the last hour",
        "arca query traces --service shop --operation 'GET /checkout' --since 1h --min-duration 200ms"},
       {"Traces that failed for one customer", "arca query traces --status error --attribute customer.id=42"},
       {"One of them, with everything that happened in it", "arca query trace 4bf92f3577b34da6a3ce929d0e0e4736"},
       {"What went wrong today, and goes wrong from now on", "arca query logs --severity error --since 00:00 --follow"},
       {"What the Collector rejected, as OTLP JSON", "arca query logs --from quarantine --json --limit 100000"}},
      {{ExitCode::ok, "found, and all of it could be read"},
       {ExitCode::failure, "something cannot be read; the rest is shown"},
       {ExitCode::usage, ""},
       {ExitCode::not_reachable, "Cassandra cannot be reached; what lies elsewhere is shown"},
       {ExitCode::incomplete,
        "--scan-limit was reached, and what was found by then is shown; or nothing was found in what was looked at"},
       {ExitCode::nothing_found, ""}},
      {"arca-status(1)", "arca-inspect(1)", "arca-recover(1)"}};
  return text;
}

}  // namespace arca::cli::query
