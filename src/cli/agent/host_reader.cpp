#include "cli/agent/host_reader.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "cli/agent/text.hpp"

namespace arca::cli::agent {
namespace {

constexpr std::size_t pids_max = 32768;          // looked at in one scrape
constexpr std::size_t descriptors_max = 65536;   // counted for one process
constexpr std::size_t cmdline_bytes_max = 2048;  // std::regex recurses once per character

// Filesystems that hold somebody's data on this host. Others (network ones) may hang the caller for minutes.
constexpr std::array<std::string_view, 9> local_types = {"ext2", "ext3", "ext4", "xfs",    "btrfs",
                                                         "zfs",  "f2fs", "vfat", "overlay"};

}  // namespace

std::optional<std::string> HostReader::read(const std::string& name, HostSnapshot& snapshot, std::size_t bytes_max) {
  auto text = read_small_file(options_.proc_root + "/" + name, bytes_max);
  if (text) return std::move(*text);
  snapshot.unreadable.push_back(text.error().message());
  return std::nullopt;
}

HostSnapshot HostReader::read_host() {
  HostSnapshot snapshot;
  if (const long ticks = ::sysconf(_SC_CLK_TCK); ticks > 0) snapshot.ticks_per_second = static_cast<double>(ticks);
  if (const long bytes = ::sysconf(_SC_PAGESIZE); bytes > 0) snapshot.page_bytes = static_cast<std::uint64_t>(bytes);
  // The boot time in it is needed for the processes too.
  if (const auto text = read("stat", snapshot)) snapshot.stat = procfs::parse_stat(*text);
  if (!options_.read_host) return snapshot;
  snapshot.stat_before = std::exchange(stat_before_, snapshot.stat);
  if (const auto text = read("meminfo", snapshot)) snapshot.memory = procfs::parse_meminfo(*text);
  if (const auto text = read("vmstat", snapshot)) snapshot.paging = procfs::parse_vmstat(*text);
  if (const auto text = read("uptime", snapshot)) snapshot.uptime_seconds = procfs::parse_uptime(*text);
  if (const auto text = read("diskstats", snapshot)) snapshot.disks = procfs::parse_diskstats(*text);
  if (const auto text = read("net/dev", snapshot)) snapshot.interfaces = procfs::parse_net_dev(*text);
  if (const auto text = read("self/mounts", snapshot)) {
    std::set<std::string> devices;  // a device mounted twice is one filesystem
    for (procfs::Mount& mount : procfs::parse_mounts(*text)) {
      if (std::find(local_types.begin(), local_types.end(), mount.type) == local_types.end()) continue;
      if (mount.type != "overlay" && !devices.insert(mount.device).second) continue;
      if (const auto space = filesystem_space(mount.mountpoint)) {
        snapshot.filesystems.push_back({std::move(mount), *space});
      }
    }
  }
  return snapshot;
}

void HostReader::read_processes(HostSnapshot& snapshot) {
  const auto names = list_names(options_.proc_root, pids_max);
  if (!names) {
    snapshot.unreadable.push_back(names.error().message());
    return;
  }
  std::vector<Process> chosen, others;
  std::map<std::int64_t, std::uint64_t> cpu_ticks;
  for (const std::string& name : *names) {
    if (!is_digit(name[0])) continue;
    // A process that ended since the directory was read is no failure.
    const auto text = read_small_file(options_.proc_root + "/" + name + "/stat", 4096);
    auto stat = text ? procfs::parse_process_stat(*text) : std::nullopt;
    if (!stat) continue;
    ++snapshot.process_states[stat->state];
    cpu_ticks[stat->pid] = stat->user_ticks + stat->system_ticks;
    const bool selected = is_selected(*stat);
    if (!selected && options_.top_count == 0) continue;
    (selected ? chosen : others).push_back({std::move(*stat), {}, {}, {}});
  }
  const auto busy_ticks = [&](const Process& process) {
    const auto before = cpu_ticks_before_.find(process.stat.pid);
    const std::uint64_t now = process.stat.user_ticks + process.stat.system_ticks;
    return before == cpu_ticks_before_.end() || before->second > now ? now : now - before->second;
  };
  std::sort(others.begin(), others.end(), [&](const Process& left, const Process& right) {
    const auto left_ticks = busy_ticks(left), right_ticks = busy_ticks(right);
    return left_ticks != right_ticks ? left_ticks > right_ticks : left.stat.pid < right.stat.pid;
  });
  others.resize(std::min(others.size(), options_.top_count));
  std::move(others.begin(), others.end(), std::back_inserter(chosen));
  if (chosen.size() > options_.processes_max) chosen.resize(options_.processes_max);
  for (Process& process : chosen) read_details(process);
  snapshot.processes = std::move(chosen);
  cpu_ticks_before_ = std::move(cpu_ticks);
}

bool HostReader::is_selected(const procfs::ProcessStat& stat) const {
  std::optional<std::string> cmdline;  // read once, and only when somebody asks for it
  for (const ProcessSelector& selector : options_.selectors) {
    if (selector.name && *selector.name == stat.name) return true;
    if (selector.pid && *selector.pid == stat.pid) return true;
    if (!selector.cmdline) continue;
    if (!cmdline) {
      const std::string path = options_.proc_root + "/" + std::to_string(stat.pid) + "/cmdline";
      cmdline = procfs::parse_cmdline(read_small_file(path, cmdline_bytes_max).value_or(std::string()));
    }
    if (std::regex_search(*cmdline, *selector.cmdline)) return true;
  }
  return false;
}

void HostReader::read_details(Process& process) const {
  const std::string directory = options_.proc_root + "/" + std::to_string(process.stat.pid);
  if (const auto text = read_small_file(directory + "/status", 16384)) {
    process.switches = procfs::parse_process_status(*text);
  }
  if (const auto text = read_small_file(directory + "/io", 4096)) process.io = procfs::parse_process_io(*text);
  if (const auto names = list_names(directory + "/fd", descriptors_max)) process.descriptor_count = names->size();
}

}  // namespace arca::cli::agent
