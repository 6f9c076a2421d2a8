// The crash harness with a real Cassandra behind it: writers that park, recoverers that are killed, stopped and started
// side by side. Used by tests/crash/cassandra_*_test.cpp.
#pragma once

#include <filesystem>

#include "crash/crash_harness.hpp"
#include "support/cassandra.hpp"
#include "support/fault_table.hpp"

namespace arca::crash {

// One `arca recover` under way.
struct Recoverer {
  std::unique_ptr<OracleFile> oracle;
  std::unique_ptr<support::Process> process;
  std::string log_path;

  [[nodiscard]] std::uint64_t passings() const { return (*oracle)->point_count.load(); }
  [[nodiscard]] std::string log() const {
    std::ifstream file(log_path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

// Not thread-safe: one test thread.
class CassandraHarness {
 public:
  // The Collector is away until it is told to behave.
  CassandraHarness() : harness_({}, true) {
    auto node = support::Cassandra::shared_node();
    if (!node) throw std::runtime_error(node.error().message());
    node_ = *node;
    auto keyspace = node_->make_keyspace(1);
    if (!keyspace) throw std::runtime_error(keyspace.error().message());
    keyspace_ = *keyspace;
    points_ = node_->contact_points().front() + ":" + std::to_string(node_->port());
  }

  Harness& base() noexcept { return harness_; }
  support::Cassandra& node() noexcept { return *node_; }
  [[nodiscard]] const std::string& keyspace() const noexcept { return keyspace_; }

  // A writer with both tiers; `points`: where it thinks that Cassandra is.
  [[nodiscard]] Trial trial(const std::string& points = {}) const {
    Trial made;
    made.pause_every = 5;  // no more than Cassandra takes on a busy machine
    made.more = {"--cassandra", points.empty() ? points_ : points, "--keyspace", keyspace_};
    if (chunk_ttl_s_ > 0) made.more.insert(made.more.end(), {"--chunk-ttl", std::to_string(chunk_ttl_s_)});
    return made;
  }
  // One that dies when all that it records is acknowledged by Cassandra.
  [[nodiscard]] Trial parking_trial(std::uint64_t records) const {
    Trial made = trial();
    made.records = records;
    made.until = [all = made.threads * records](const Promises& told) { return told.parked.load() >= all; };
    return made;
  }

  // Of the chunks of all writers and recoverers from now on.
  void set_chunk_ttl(int seconds) { chunk_ttl_s_ = seconds; }

  // Starts `arca recover`. It acts at the n-th passing of the point: "kill" or "stop"; point "none": never.
  Recoverer start_recoverer(const std::string& point = "none", std::uint64_t nth = 1, const std::string& how = "kill",
                            const std::string& state = {}) {
    const std::string name = "r" + std::to_string(recoverer_count_++);
    Recoverer made;
    made.log_path = harness_.directory() / name + ".log";
    const std::string oracle = harness_.directory() / name + ".oracle";
    made.oracle = std::make_unique<OracleFile>(oracle);
    support::ProcessOptions options;
    options.output_path = made.log_path;
    options.environment = {{"ARCA_CASSANDRA_CONTACT_POINTS", points_},
                           {"ARCA_CASSANDRA_KEYSPACE", keyspace_},
                           {"ARCA_CASSANDRA_REPLICATION_FACTOR", "1"},
                           {"ARCA_CASSANDRA_SCAN_INTERVAL", "200ms"},
                           {"ARCA_CASSANDRA_REQUEST_TIMEOUT", "5s"}};
    if (chunk_ttl_s_ > 0) options.environment["ARCA_CASSANDRA_CHUNK_TTL"] = std::to_string(chunk_ttl_s_) + "s";
    auto process = support::Process::start(
        {std::string(ARCA_CRASH_PROGRAMS) + "/crash_recoverer", oracle, point, std::to_string(nth), how, "recover",
         "--state", state.empty() ? harness_.state() : state, "--endpoint", "http://" + harness_.sink().endpoint()},
        options);
    if (!process) throw std::runtime_error(process.error().message());
    made.process = std::move(*process);
    return made;
  }
  // Runs one until it is dead at its point.
  void kill_recoverer_at(const std::string& point, std::uint64_t nth = 1) {
    Recoverer one = start_recoverer(point, nth);
    const auto ended = one.process->wait(point_deadline);
    EXPECT_TRUE(ended && ended->signal == SIGKILL) << point << " was not reached " << nth << " times: " << one.log();
  }
  // Runs one to its end, which says that nothing is left; with 1 if the Collector refused some of it for good.
  void recover(int exit_code = 0) { expect_end(start_recoverer(), exit_code); }
  void recover_from(const std::string& state) { expect_end(start_recoverer("none", 1, "kill", state)); }
  static void expect_end(const Recoverer& one, int exit_code = 0) {
    const auto ended = one.process->wait(point_deadline);
    EXPECT_TRUE(ended && *ended == support::ExitStatus{.code = exit_code})
        << "arca recover did not end as it should: " << one.log();
  }

  // The disk and the memory of the host go, with all that lay there.
  void lose_host() {
    std::error_code ignored;
    for (const auto& writer : std::filesystem::directory_iterator(harness_.state() + "/writers", ignored)) {
      const auto pool = std::filesystem::read_symlink(writer.path() / "pool", ignored);
      if (!ignored) std::filesystem::remove(pool, ignored);
    }
    std::filesystem::remove_all(harness_.state(), ignored);
    ASSERT_FALSE(std::filesystem::exists(harness_.state()));
  }

  nlohmann::json rows(const std::string& columns, const std::string& table) {
    auto found =
        node_->cql("SELECT " + columns + " FROM " + keyspace_ + "." + table, {.timeout = std::chrono::seconds(60)});
    EXPECT_TRUE(found) << found.error().message();
    return found ? *found : nlohmann::json::array();
  }

 private:
  Harness harness_;
  support::Cassandra* node_ = nullptr;
  std::string keyspace_, points_;
  std::uint64_t recoverer_count_ = 0;
  int chunk_ttl_s_ = 0;  // 0: the default
};

inline void report(const std::string& fault, const Tally& tally, std::uint64_t allowed = 0) {
  support::report_fault({fault, tally.accepted, tally.accepted - tally.missing, tally.duplicates, allowed});
}

}  // namespace arca::crash
