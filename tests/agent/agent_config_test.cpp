// What the agent may be told, and how it answers to mistakes.
#include "cli/agent/agent_config.hpp"

#include <gtest/gtest.h>

#include "cli/agent/http_url.hpp"

namespace arca::cli::agent {
namespace {

std::string refusal(const std::string& yaml) {
  const auto config = parse_agent_config(yaml, "agent.yaml");
  return config ? "accepted" : config.error().message();
}

void expect_refused(const std::string& yaml, const std::vector<std::string>& words) {
  const std::string message = refusal(yaml);
  for (const std::string& word : words) EXPECT_NE(message.find(word), std::string::npos) << message;
}

TEST(AgentConfig, AnEmptyDocumentWatchesTheHost) {
  const auto config = parse_agent_config("", "agent.yaml");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_TRUE(config->host);
  EXPECT_EQ(config->scrape_interval, milliseconds(10'000));
}

TEST(AgentConfig, EveryKeyIsRead) {
  const auto config = parse_agent_config(
      "service_name: watcher\ndrain_timeout: 3s\n"
      "host: {enabled: true, interval: 500ms, proc: /host/proc}\n"
      "processes:\n  top: 5\n  limit: 9\n  select:\n  - name: nginx\n  - pid: 1\n  - cmdline: 'java.*kafka'\n"
      "logs:\n  poll_interval: 100ms\n  partial_timeout: 2s\n  files_max: 7\n  record_bytes_max: 4096\n  files:\n"
      "  - path: /var/log/*.log\n    start_at: beginning\n    first_line: '\\d{4}-'\n    attributes: {team: shop}\n"
      "probes:\n- name: front\n  url: http://127.0.0.1:80/health\n  method: HEAD\n  interval: 1s\n  timeout: 200ms\n"
      "  ca_file: /etc/ca.pem\n  headers: {X-Key: abc}\n",
      "agent.yaml");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->service_name, "watcher");
  EXPECT_EQ(config->proc_root, "/host/proc");
  EXPECT_EQ(config->processes.size(), 3u);
  EXPECT_EQ(config->processes_max, 9);
  EXPECT_TRUE(config->logs.at(0).from_beginning);
  EXPECT_EQ(config->logs.at(0).attributes.at(0).second, "shop");
  EXPECT_EQ(config->probes.at(0).timeout, milliseconds(200));
  EXPECT_EQ(config->probes.at(0).headers.at(0).first, "X-Key");
}

TEST(AgentConfig, AnUnknownKeyIsRefusedWithItsLineAndWhatIsAllowed) {
  expect_refused("host:\n  enabled: true\n  intervall: 1s\n", {"agent.yaml:3", "host.intervall", "interval, proc"});
  expect_refused("tracing: true\n", {"agent.yaml:1", "tracing", "service_name", "probes"});
  expect_refused("logs:\n  files:\n  - path: /x\n    paths: /y\n", {"agent.yaml:4", "logs.files[].paths"});
}

TEST(AgentConfig, WrongValuesAreRefusedWithTheirLineAndTheRange) {
  expect_refused("host: {interval: 1}\n", {"agent.yaml:1", "host.interval", "\"1\"", "100ms"});
  expect_refused("host: {enabled: yes}\n", {"true or false"});
  expect_refused("host: [1]\n", {"mapping"});
  expect_refused("processes: {top: 1000}\n", {"0 to 256"});
  expect_refused("processes: {top: [1]}\n", {"a collection"});
  expect_refused("processes: {select: [{name: a, pid: 1}]}\n", {"exactly one"});
  expect_refused("processes: {select: [{cmdline: '('}]}\n", {"regular expression"});
  expect_refused("logs: {files: [{start_at: end}]}\n", {"needs a path"});
  expect_refused("logs: {files: [{path: /x, start_at: middle}]}\n", {"beginning, end"});
  expect_refused("logs: {files: [{path: /x, first_line: '['}]}\n", {"regular expression"});
  expect_refused("probes: [{url: 'ftp://x'}]\n", {"neither http nor https"});
  expect_refused("probes: [{name: x}]\n", {"needs a url"});
  expect_refused("host: {enabled: false}\n", {"nothing to watch"});
  expect_refused("host: {interval: 1s, interval: 2s}\n", {"twice"});
  expect_refused("a: [\n", {"not YAML"});
}

TEST(AgentConfig, TheExampleIsValidAndShowsEveryKey) {
  const std::string path =
      std::string(__FILE__).substr(0, std::string(__FILE__).rfind("/tests/")) + "/examples/agent.yaml";
  const auto config = load_agent_config(path);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->drain_timeout, AgentConfig().drain_timeout);
  EXPECT_EQ(config->scrape_interval, AgentConfig().scrape_interval);
  EXPECT_EQ(config->processes.size(), 3u);
  EXPECT_EQ(config->logs.size(), 1u);
  EXPECT_EQ(config->record_bytes_max, AgentConfig().record_bytes_max);
  EXPECT_EQ(config->probes.at(0).timeout, ProbeConfig().timeout);
}

TEST(AgentConfig, MoreProbesThanTheLimitAreRefused) {
  std::string yaml = "probes:\n";
  for (std::size_t i = 0; i <= probes_max; ++i) yaml += "- url: http://localhost/\n";
  expect_refused(yaml, {"at most 64"});
}

TEST(HttpUrl, PartsAreFound) {
  const auto url = parse_http_url("https://example.org:8443/a/b?c=d");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "example.org");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a/b?c=d");
  EXPECT_EQ(parse_http_url("http://[::1]:90")->host, "::1");
  EXPECT_EQ(parse_http_url("http://[::1]")->port, 80);
  EXPECT_EQ(parse_http_url("https://x?q")->target, "/?q");
}

TEST(HttpUrl, WhatNoRequestCanUseIsRefused) {
  for (const char* text :
       {"", "x", "http://", "http://:80/", "http://a:b/", "http://a:0/", "http://a:70000/", "http://u:p@a/",
        "http://a/#f", "http://a b/", "http://[::1", "http://[::1]x", "http://::1/", "file:///x"}) {
    EXPECT_FALSE(parse_http_url(text)) << text;
  }
}

}  // namespace
}  // namespace arca::cli::agent
