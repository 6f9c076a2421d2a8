// What the agent watches: the YAML file and the flags of `arca agent`, checked as a whole. A key that nobody
// knows, a wrong type or a value out of range is refused with the line and what is allowed. Used by AgentCommand.
// Where telemetry goes is not its business: the front door reads OTEL_* and ARCA_* for that.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arca/result.hpp"

namespace arca::cli::agent {

using std::chrono::milliseconds;

struct ProcessChoice {  // exactly one is set
  std::optional<std::string> name;
  std::optional<std::int64_t> pid;
  std::optional<std::string> cmdline;  // regular expression
};

struct LogFileConfig {
  std::string path;
  bool from_beginning = false;
  std::string first_line;  // regular expression; empty: every line is a record
  std::vector<std::pair<std::string, std::string>> attributes;
};

struct ProbeConfig {
  std::string name;  // empty: the URL
  std::string url;
  std::string method = "GET";
  milliseconds interval{10'000};
  milliseconds timeout{5'000};
  std::string ca_file;  // empty: the system's
  std::vector<std::pair<std::string, std::string>> headers;
};

struct AgentConfig {
  std::optional<std::string> service_name;
  milliseconds drain_timeout{5'000};

  bool host = true;
  milliseconds scrape_interval{10'000};
  std::string proc_root = "/proc";

  std::vector<ProcessChoice> processes;
  std::int64_t processes_top = 0;
  std::int64_t processes_max = 32;

  std::vector<LogFileConfig> logs;
  milliseconds poll_interval{250};
  milliseconds partial_timeout{5'000};
  std::int64_t files_max = 128;
  std::int64_t record_bytes_max = 64 * 1024;

  std::vector<ProbeConfig> probes;
};

constexpr std::size_t log_sources_max = 64;
constexpr std::size_t probes_max = 64;

// `name` stands in messages before the line number.
Result<AgentConfig> parse_agent_config(std::string_view yaml, const std::string& name);
Result<AgentConfig> load_agent_config(const std::string& path);
// What holds for flags and file alike: limits of numbers, regular expressions and URLs that parse.
Result<void> check_agent_config(const AgentConfig& config);

}  // namespace arca::cli::agent
