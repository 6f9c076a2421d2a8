#include "cli/agent/agent_text.hpp"

namespace arca::cli {

const CommandText& agent_text() {
  static const CommandText text{
      "agent",
      "watches this host, its processes, log files and HTTP endpoints, and loses nothing that it took in",
      "Runs until it is told to stop. What it sees leaves as OTLP under the names of the semantic conventions:\n\n"
      "  metrics  system.* and process.* from /proc, http.client.request.duration, arca.agent.*\n"
      "  logs     one record per line (or multi-line record) of the followed files\n"
      "  traces   one span per scrape with its parts, one client span per probe\n\n"
      "Where it goes is set by the OTEL_* and ARCA_* variables (see arca-docs(1)); without any, to a Collector on "
      "127.0.0.1:4317. While the Collector is away everything is kept on this host and delivered later.\n\n"
      "Log files are followed through rotation by rename, copytruncate and removal; a file that does not exist yet is "
      "read from its beginning when it appears. The positions are remembered in the state directory after the "
      "records were accepted, so a restart leaves nothing out and repeats at most the last second. Time and severity "
      "are "
      "recognised in ISO 8601, syslog (RFC 3164 and 5424), access logs, klog, epoch times and JSON lines; a trace id "
      "in the "
      "line correlates the record. What is not recognised stays in the body; nothing is cut away.\n\n"
      "Without --config and without flags it watches the host only. Flags add to what the configuration says. The "
      "configuration is YAML; examples/agent.yaml shows every key with its default, and an unknown key is refused "
      "with its line:\n\n"
      "  service_name   name in the resource (OTEL_SERVICE_NAME; default arca-agent)\n"
      "  drain_timeout  at the end, how long to try to deliver (default 5s)\n"
      "  host           enabled, interval, proc\n"
      "  processes      top, limit, select: a list of name, pid or cmdline (a regular expression)\n"
      "  logs           poll_interval, partial_timeout, files_max, record_bytes_max,\n"
      "                 files: a list of path (a shell pattern), start_at, first_line, attributes\n"
      "  probes         a list of name, url, method, interval, timeout, ca_file, headers\n\n"
      "SIGHUP reads the configuration again; one that is not valid is refused and the old one stays. SIGTERM and "
      "SIGINT "
      "stop: unfinished lines are handed on, positions remembered, and delivery tried until drain_timeout; what is "
      "left then is kept for the next start. A second signal ends it at once.",
      {{"Watches the host and sends to a Collector on this host", "arca agent"},
       {"Runs with a configuration", "arca agent --config /etc/arca/agent.yaml"},
       {"Checks a configuration and does nothing else", "arca agent --config agent.yaml --check"},
       {"Follows logs and the five busiest processes", "arca agent --log '/var/log/*.log' --top 5"},
       {"One scrape and one probe, then ends", "arca agent --once --probe http://127.0.0.1:8080/health"}},
      {{ExitCode::ok, "stopped by a signal, or --once or --check is done; everything is delivered, or kept"},
       {ExitCode::failure, "a file or thread could not be had"},
       {ExitCode::usage, "the command line or configuration is not valid; nothing was done"},
       {ExitCode::busy, "another agent follows logs with this state directory"},
       {ExitCode::incomplete, "stopped; some records are kept here and will be delivered later"}},
      {"arca-status(1)", "arca-recover(1)", "arca-sink(1)"}};
  return text;
}

}  // namespace arca::cli
