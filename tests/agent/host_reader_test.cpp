// HostReader over a directory that looks like /proc, and over the real one.
#include "cli/agent/host_reader.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "cli/agent/host_metrics.hpp"
#include "support/temporary_directory.hpp"

namespace arca::cli::agent {
namespace {

class HostReaderTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = root() + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void process(int pid, const std::string& name, int ticks, const std::string& cmdline = "") {
    const std::string id = std::to_string(pid);
    write(id + "/stat",
          id + " (" + name + ") S 1 1 1 0 -1 0 10 0 2 0 " + std::to_string(ticks) + " 0 0 0 20 0 4 0 100 1000 50 1\n");
    write(id + "/cmdline", cmdline);
  }
  HostSnapshot scrape(HostReader& reader) {
    HostSnapshot snapshot = reader.read_host();
    reader.read_processes(snapshot);
    return snapshot;
  }
  std::vector<std::int64_t> pids(const HostSnapshot& snapshot) {
    std::vector<std::int64_t> found;
    for (const Process& one : snapshot.processes) found.push_back(one.stat.pid);
    return found;
  }
  std::string root() const { return directory_.path(); }
  HostReaderOptions options() const {
    HostReaderOptions chosen;
    chosen.proc_root = root();
    return chosen;
  }
  support::TemporaryDirectory directory_;
};

TEST_F(HostReaderTest, SelectsByNameByPidAndByCommandLine) {
  process(1, "init", 5);
  process(20, "nginx", 5);
  process(30, "java", 5, "java -jar kafka.jar");
  process(40, "other", 5);
  HostReaderOptions chosen = options();
  chosen.selectors = {{"nginx", {}, {}}, {{}, 1, {}}, {{}, {}, std::regex("kafka")}};
  HostReader reader(chosen);
  EXPECT_EQ(pids(scrape(reader)), (std::vector<std::int64_t>{1, 20, 30}));
}

TEST_F(HostReaderTest, TopTakesThoseThatWereBusySinceTheLastScrape) {
  process(1, "old", 1000);
  process(2, "young", 10);
  process(3, "middle", 500);
  HostReaderOptions chosen = options();
  chosen.top_count = 1;
  HostReader reader(chosen);
  EXPECT_EQ(pids(scrape(reader)), (std::vector<std::int64_t>{1}));
  process(2, "young", 60);
  EXPECT_EQ(pids(scrape(reader)), (std::vector<std::int64_t>{2})) << "50 ticks since, the others none";
}

TEST_F(HostReaderTest, NeverReportsMoreProcessesThanTheLimit) {
  for (int pid = 1; pid <= 50; ++pid) process(pid, "worker", pid);
  HostReaderOptions chosen = options();
  chosen.selectors = {{"worker", {}, {}}};
  chosen.processes_max = 7;
  HostReader reader(chosen);
  EXPECT_EQ(scrape(reader).processes.size(), 7u);
}

TEST_F(HostReaderTest, WhatCannotBeReadIsNamedAndTheRestStillComes) {
  write("meminfo", "MemTotal: 100 kB\n");
  HostReader reader(options());
  const HostSnapshot snapshot = scrape(reader);
  EXPECT_TRUE(snapshot.memory);
  EXPECT_FALSE(snapshot.stat);
  EXPECT_FALSE(snapshot.unreadable.empty());
  EXPECT_NE(snapshot.unreadable.front().find(root() + "/stat"), std::string::npos);
}

TEST_F(HostReaderTest, RubbishInEveryFileGivesAnEmptySnapshot) {
  for (const char* name : {"stat", "meminfo", "vmstat", "uptime", "diskstats", "net/dev", "self/mounts", "7/stat"}) {
    write(name, std::string("\0\xff(((:::\n\n 1 2\ncpu\n", 19));
  }
  HostReader reader(options());
  const HostSnapshot snapshot = scrape(reader);
  EXPECT_FALSE(snapshot.stat || snapshot.memory || snapshot.paging || snapshot.uptime_seconds);
  EXPECT_TRUE(snapshot.processes.empty());
}

// Counts what the metric table gives.
class CountingObserver final : public PointObserver {
 public:
  void count(std::uint64_t, const Attributes&) override { ++counts; }
  void real(double value, const Attributes&) override {
    ++reals;
    sum += value;
  }
  int counts = 0, reals = 0;
  double sum = 0;
};

TEST(HostMetricTable, EveryMetricHasPointsOfItsDeclaredTypeOnThisHost) {
  HostReaderOptions options;
  options.selectors = {{{}, ::getpid(), {}}};
  HostReader reader(options);
  reader.read_host();
  HostSnapshot snapshot = reader.read_host();
  reader.read_processes(snapshot);
  snapshot.filesystems.push_back({{"/dev/x", "/x", "ext4", false}, {100, 50, 40}});  // a container may have none
  snapshot.disks.emplace_back();
  snapshot.memory->swap_total = std::max<std::uint64_t>(snapshot.memory->swap_total, 1);
  snapshot.stat_before->all.idle = 0;  // some time has passed
  for (const auto table : {host_metric_table(), process_metric_table()}) {
    for (const MetricDescription& metric : table) {
      CountingObserver observer;
      metric.observe(snapshot, observer);
      EXPECT_GT(observer.counts + observer.reals, 0) << metric.name;
      EXPECT_EQ(observer.counts == 0, !metric.whole_numbers) << metric.name;
    }
  }
}

TEST(HostMetricTable, UtilizationOfTheProcessorsAddsUpToOne) {
  HostSnapshot snapshot;
  snapshot.stat = procfs::parse_stat("cpu 20 10 10 50 5 2 3 0\n");
  snapshot.stat_before = procfs::parse_stat("cpu 10 5 5 20 5 1 1 0\n");
  for (const MetricDescription& metric : host_metric_table()) {
    if (std::string_view(metric.name) != "system.cpu.utilization") continue;
    CountingObserver observer;
    metric.observe(snapshot, observer);
    EXPECT_EQ(observer.reals, 7);
    EXPECT_DOUBLE_EQ(observer.sum, 1);
  }
}

TEST(HostMetricTable, AnEmptySnapshotGivesNoPoints) {
  const HostSnapshot empty;
  for (const MetricDescription& metric : host_metric_table()) {
    CountingObserver observer;
    metric.observe(empty, observer);
    const bool counts_states = std::string_view(metric.name) == "system.process.count";
    EXPECT_EQ(observer.counts + observer.reals, counts_states ? 4 : 0) << metric.name;
  }
}

}  // namespace
}  // namespace arca::cli::agent
