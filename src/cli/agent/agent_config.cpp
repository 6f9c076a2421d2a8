#include "cli/agent/agent_config.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <regex>

#include "cli/agent/http_url.hpp"
#include "cli/agent/observed_files.hpp"
#include "cli/agent/yaml_reader.hpp"

namespace arca::cli::agent {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::size_t choices_max = 64;
constexpr std::size_t config_bytes_max = 1 << 20;

Result<void> read_process_choice(const YamlReader& reader, const YAML::Node& item, AgentConfig& config) {
  ProcessChoice choice;
  std::int64_t pid = 0;
  auto read = reader.read_mapping(item, "processes.select[]",
                                  {{"name", reader.text(choice.name)},
                                   {"pid", reader.number(pid, 1, INT32_MAX)},
                                   {"cmdline", reader.text(choice.cmdline)}});
  if (!read) return read;
  if (pid != 0) choice.pid = pid;
  if (choice.name.has_value() + choice.pid.has_value() + choice.cmdline.has_value() != 1) {
    return reader.refuse(item, "processes.select[] needs exactly one of name, pid, cmdline");
  }
  config.processes.push_back(std::move(choice));
  return {};
}

Result<void> read_log_file(const YamlReader& reader, const YAML::Node& item, AgentConfig& config) {
  LogFileConfig file;
  std::string start_at = "end";
  auto read = reader.read_mapping(item, "logs.files[]",
                                  {{"path", reader.text(file.path)},
                                   {"start_at", reader.one_of(start_at, {"beginning", "end"})},
                                   {"first_line", reader.text(file.first_line)},
                                   {"attributes", reader.pairs(file.attributes)}});
  if (!read) return read;
  if (file.path.empty()) return reader.refuse(item, "logs.files[] needs a path");
  file.from_beginning = start_at == "beginning";
  config.logs.push_back(std::move(file));
  return {};
}

Result<void> read_probe(const YamlReader& reader, const YAML::Node& item, AgentConfig& config) {
  ProbeConfig probe;
  auto read = reader.read_mapping(item, "probes[]",
                                  {{"name", reader.text(probe.name)},
                                   {"url", reader.text(probe.url)},
                                   {"method", reader.one_of(probe.method, {"GET", "HEAD", "OPTIONS", "POST"})},
                                   {"interval", reader.duration(probe.interval, milliseconds(100), hours(24))},
                                   {"timeout", reader.duration(probe.timeout, milliseconds(10), seconds(300))},
                                   {"ca_file", reader.text(probe.ca_file)},
                                   {"headers", reader.pairs(probe.headers)}});
  if (!read) return read;
  if (probe.url.empty()) return reader.refuse(item, "probes[] needs a url");
  config.probes.push_back(std::move(probe));
  return {};
}

// One function per section, so that the keys stand together as the example shows them.
Result<void> read_host(const YamlReader& reader, const YAML::Node& node, AgentConfig& config) {
  return reader.read_mapping(node, "host",
                             {{"enabled", reader.boolean(config.host)},
                              {"interval", reader.duration(config.scrape_interval, milliseconds(100), hours(24))},
                              {"proc", reader.text(config.proc_root)}});
}

Result<void> read_processes(const YamlReader& reader, const YAML::Node& node, AgentConfig& config) {
  const auto select = [&](const YAML::Node& list, const std::string& key) {
    return reader.read_list(list, key, choices_max,
                            [&](const YAML::Node& item) { return read_process_choice(reader, item, config); });
  };
  return reader.read_mapping(node, "processes",
                             {{"top", reader.number(config.processes_top, 0, 256)},
                              {"limit", reader.number(config.processes_max, 1, 1024)},
                              {"select", select}});
}

Result<void> read_logs(const YamlReader& reader, const YAML::Node& node, AgentConfig& config) {
  const auto files = [&](const YAML::Node& list, const std::string& key) {
    return reader.read_list(list, key, log_sources_max,
                            [&](const YAML::Node& item) { return read_log_file(reader, item, config); });
  };
  return reader.read_mapping(
      node, "logs",
      {{"poll_interval", reader.duration(config.poll_interval, milliseconds(10), seconds(60))},
       {"partial_timeout", reader.duration(config.partial_timeout, milliseconds(10), seconds(3600))},
       {"files_max", reader.number(config.files_max, 1, 4096)},
       {"record_bytes_max", reader.number(config.record_bytes_max, 256, 1 << 20)},
       {"files", files}});
}

Result<void> check_regex(const std::string& what, const std::string& pattern) {
  try {
    const std::regex compiled(pattern);
  } catch (const std::regex_error& error) {
    return failure(ErrorCode::invalid_config, what + ": \"" + pattern + "\" is no regular expression: " + error.what());
  }
  return {};
}

}  // namespace

Result<AgentConfig> parse_agent_config(std::string_view yaml, const std::string& name) {
  AgentConfig config;
  const YamlReader reader(name);
  try {
    const YAML::Node document = YAML::Load(std::string(yaml));
    const auto section = [&](auto read) {
      return
          [&reader, &config, read](const YAML::Node& node, const std::string&) { return read(reader, node, config); };
    };
    const auto probes = [&](const YAML::Node& list, const std::string& key) {
      return reader.read_list(list, key, probes_max,
                              [&](const YAML::Node& item) { return read_probe(reader, item, config); });
    };
    const auto read =
        reader.read_mapping(document, "",
                            {{"service_name", reader.text(config.service_name)},
                             {"drain_timeout", reader.duration(config.drain_timeout, milliseconds(100), seconds(300))},
                             {"host", section(read_host)},
                             {"processes", section(read_processes)},
                             {"logs", section(read_logs)},
                             {"probes", probes}});
    if (!read) return failure(read.error());
  } catch (const YAML::Exception& error) {
    const std::string place = error.mark.line >= 0 ? ":" + std::to_string(error.mark.line + 1) : "";
    return failure(ErrorCode::invalid_config, name + place + ": not YAML: " + error.msg);
  }
  if (auto checked = check_agent_config(config); !checked) return failure(checked.error().with_context(name));
  return config;
}

Result<AgentConfig> load_agent_config(const std::string& path) {
  const auto text = read_small_file(path, config_bytes_max);
  if (!text) return failure(text.error());
  return parse_agent_config(*text, path);
}

Result<void> check_agent_config(const AgentConfig& config) {
  for (const ProcessChoice& choice : config.processes) {
    if (!choice.cmdline) continue;
    if (auto checked = check_regex("processes.select[].cmdline", *choice.cmdline); !checked) return checked;
  }
  for (const LogFileConfig& file : config.logs) {
    if (file.first_line.empty()) continue;
    if (auto checked = check_regex("logs.files[].first_line", file.first_line); !checked) return checked;
  }
  if (config.logs.size() > log_sources_max || config.probes.size() > probes_max) {
    return failure(ErrorCode::invalid_config, "at most " + std::to_string(log_sources_max) + " log paths and " +
                                                  std::to_string(probes_max) + " probes are allowed");
  }
  for (const ProbeConfig& probe : config.probes)
    if (auto url = parse_http_url(probe.url); !url) return failure(url.error().with_context("probes[].url"));
  if (!config.host && config.processes.empty() && config.processes_top == 0 && config.logs.empty() &&
      config.probes.empty()) {
    return failure(ErrorCode::invalid_config,
                   "nothing to watch: host, processes, logs and probes are all off or empty");
  }
  return {};
}

}  // namespace arca::cli::agent
