// Reads this host and its processes from /proc into one HostSnapshot. Used by the scrape loop of the agent;
// the root of /proc is an argument, so tests give it a directory with samples.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "cli/agent/observed_files.hpp"
#include "cli/agent/procfs.hpp"

namespace arca::cli::agent {

struct Filesystem {
  procfs::Mount mount;
  FilesystemSpace space;
};

struct Process {
  procfs::ProcessStat stat;
  std::optional<procfs::ContextSwitches> switches;
  std::optional<procfs::ProcessIo> io;            // readable by the owner and root only
  std::optional<std::uint64_t> descriptor_count;  // likewise
};

// What one scrape saw. Parts that could not be read are empty; `unreadable` names them.
struct HostSnapshot {
  std::optional<procfs::Stat> stat, stat_before;  // before: at the previous scrape, for utilization
  std::optional<procfs::Memory> memory;
  std::optional<procfs::Paging> paging;
  std::optional<double> uptime_seconds;
  std::vector<procfs::Disk> disks;
  std::vector<procfs::NetworkInterface> interfaces;
  std::vector<Filesystem> filesystems;
  std::map<char, std::uint64_t> process_states;  // all processes of the host, by the kernel's letter
  std::vector<Process> processes;                // the selected ones
  std::vector<std::string> unreadable;
  double ticks_per_second = 100;
  std::uint64_t page_bytes = 4096;
};

// Chooses processes: exactly one of the three is set.
struct ProcessSelector {
  std::optional<std::string> name;
  std::optional<std::int64_t> pid;
  std::optional<std::regex> cmdline;
};

struct HostReaderOptions {
  std::string proc_root = "/proc";
  bool read_host = true;
  std::vector<ProcessSelector> selectors;
  std::size_t top_count = 0;       // besides the selected: those with the most CPU time since the last scrape
  std::size_t processes_max = 32;  // reported at once, selected and top together
};

// Not thread-safe: one scrape at a time.
class HostReader {
 public:
  explicit HostReader(HostReaderOptions options) : options_(std::move(options)) {}

  // Two halves, so that each can have its span. read_processes adds to the snapshot of read_host.
  HostSnapshot read_host();
  void read_processes(HostSnapshot& snapshot);

 private:
  std::optional<std::string> read(const std::string& name, HostSnapshot& snapshot, std::size_t bytes_max = 1 << 20);
  [[nodiscard]] bool is_selected(const procfs::ProcessStat& stat) const;
  void read_details(Process& process) const;

  const HostReaderOptions options_;
  std::optional<procfs::Stat> stat_before_;
  std::map<std::int64_t, std::uint64_t> cpu_ticks_before_;  // by pid
};

}  // namespace arca::cli::agent
