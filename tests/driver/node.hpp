// A real Cassandra for the tests of the driver, by tools/cassandra. It ends with the test program.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace arca::driver {

// Not thread-safe: one test thread. Stops and removes the cluster in its destructor.
class Node {
 public:
  // `options`: of `tools/cassandra start`, such as --tls.
  explicit Node(const std::vector<std::string>& options = {}, int size = 1) {
    std::vector<std::string> command{ARCA_CASSANDRA_TOOL, "start", std::to_string(size), "--owner",
                                     std::to_string(::getpid())};
    command.insert(command.end(), options.begin(), options.end());
    auto said = support::run_command(command);
    if (!said) throw std::runtime_error("tools/cassandra start: " + said.error().message());
    // One line of JSON on standard output; what is said on standard error stands before it.
    described_ = nlohmann::json::parse(
        said->substr(said->rfind("\n{") == std::string::npos ? said->find('{') : said->rfind("\n{")));
  }
  ~Node() { (void)support::run_command({ARCA_CASSANDRA_TOOL, "stop", "--dir", directory(), "--now", "--remove"}); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // "address:port,..."
  [[nodiscard]] std::string contact_points() const {
    std::string points;
    for (const auto& one : described_["contact_points"]) {
      points +=
          (points.empty() ? "" : ",") + one.get<std::string>() + ":" + std::to_string(described_["port"].get<int>());
    }
    return points;
  }
  [[nodiscard]] std::string directory() const { return described_["directory"].get<std::string>(); }
  [[nodiscard]] std::string certificate(const std::string& name) const { return directory() + "/tls/" + name; }
  [[nodiscard]] const nlohmann::json& described() const { return described_; }

  void kill(const std::string& node = "1") { command("kill", node); }
  void pause(const std::string& node = "1") { command("pause", node); }
  void resume(const std::string& node = "1") { command("resume", node); }
  void restart(const std::string& node = "1") { command("restart", node); }

 private:
  void command(const std::string& name, const std::string& node) {
    auto said = support::run_command({ARCA_CASSANDRA_TOOL, name, "--dir", directory(), node});
    if (!said) throw std::runtime_error("tools/cassandra " + name + ": " + said.error().message());
  }
  nlohmann::json described_;
};

}  // namespace arca::driver
