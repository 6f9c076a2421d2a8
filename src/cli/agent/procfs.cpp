#include "cli/agent/procfs.hpp"

#include <algorithm>
#include <utility>

#include "cli/agent/text.hpp"

namespace arca::cli::agent::procfs {
namespace {

constexpr std::uint64_t sector_bytes = 512;  // whatever the device says of itself

// Counts in a row, as far as they go; a kernel older than a column leaves it at zero.
template <std::size_t count>
std::size_t read_counts(std::string_view rest, std::uint64_t (&counts)[count]) {
  std::size_t found = 0;
  while (found < count) {
    const auto value = next_count(rest);
    if (!value) break;
    counts[found++] = *value;
  }
  return found;
}

struct NamedCount {
  std::string_view name;
  std::uint64_t* target;
};

// Fills in the counts of lines like "name: 12 kB" or "name 12"; returns how many were found.
template <std::size_t count>
std::size_t read_named(std::string_view text, const NamedCount (&wanted)[count], std::uint64_t factor) {
  std::size_t found = 0;
  while (const auto line = next_line(text)) {
    std::string_view rest = *line;
    std::string_view name = next_field(rest);
    if (name.ends_with(':')) name.remove_suffix(1);
    for (const NamedCount& one : wanted) {
      if (one.name != name) continue;
      if (const auto value = next_count(rest)) {
        *one.target = *value * factor;
        ++found;
      }
    }
  }
  return found;
}

std::optional<CpuTimes> parse_cpu(std::string_view name, std::string_view rest) {
  CpuTimes times;
  if (name.size() > 3) {
    const auto number = to_number<int>(name.substr(3));
    if (!number) return std::nullopt;
    times.logical_number = *number;
  }
  std::uint64_t counts[8] = {};
  if (read_counts(rest, counts) < 4) return std::nullopt;
  times.user = counts[0];
  times.nice = counts[1];
  times.system = counts[2];
  times.idle = counts[3];
  times.iowait = counts[4];
  times.interrupt = counts[5] + counts[6];  // hard and soft: the conventions have one word for both
  times.steal = counts[7];
  return times;
}

// In /proc/mounts a blank in a path is written \040.
std::string unescape_octal(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      if (const auto code = to_number<unsigned>(text.substr(i + 1, 3), 8); code && *code < 256) {
        plain += static_cast<char>(*code);
        i += 3;
        continue;
      }
    }
    plain += text[i];
  }
  return plain;
}

}  // namespace

std::optional<Stat> parse_stat(std::string_view text) {
  Stat stat;
  bool has_total = false;
  while (const auto line = next_line(text)) {
    std::string_view rest = *line;
    const std::string_view name = next_field(rest);
    if (name.starts_with("cpu")) {
      const auto times = parse_cpu(name, rest);
      if (!times) continue;
      if (times->logical_number < 0) {
        stat.all = *times;
        has_total = true;
      } else {
        stat.cpus.push_back(*times);
      }
    } else if (name == "btime") {
      stat.boot_time_seconds = next_count(rest).value_or(0);
    } else if (name == "processes") {
      stat.processes_created = next_count(rest).value_or(0);
    }
  }
  if (!has_total) return std::nullopt;
  return stat;
}

std::optional<Memory> parse_meminfo(std::string_view text) {
  Memory memory;
  const NamedCount wanted[] = {{"MemTotal", &memory.total},
                               {"MemFree", &memory.free},
                               {"MemAvailable", &memory.available},
                               {"Buffers", &memory.buffers},
                               {"Cached", &memory.cached},
                               {"Shmem", &memory.shared},
                               {"SReclaimable", &memory.slab_reclaimable},
                               {"SUnreclaim", &memory.slab_unreclaimable},
                               {"SwapTotal", &memory.swap_total},
                               {"SwapFree", &memory.swap_free}};
  read_named(text, wanted, 1024);
  if (memory.total == 0) return std::nullopt;
  return memory;
}

std::optional<Paging> parse_vmstat(std::string_view text) {
  Paging paging;
  const NamedCount wanted[] = {{"pgfault", &paging.faults},
                               {"pgmajfault", &paging.faults_major},
                               {"pswpin", &paging.pages_in},
                               {"pswpout", &paging.pages_out}};
  if (read_named(text, wanted, 1) == 0) return std::nullopt;
  return paging;
}

std::vector<Disk> parse_diskstats(std::string_view text) {
  std::vector<Disk> disks;
  while (const auto line = next_line(text)) {
    std::string_view rest = *line;
    if (!next_count(rest) || !next_count(rest)) continue;  // major and minor number
    const std::string_view name = next_field(rest);
    std::uint64_t counts[11] = {};
    if (name.empty() || read_counts(rest, counts) < 10) continue;
    if (counts[0] == 0 && counts[4] == 0) continue;
    Disk disk;
    disk.name = std::string(name);
    disk.reads = counts[0];
    disk.reads_merged = counts[1];
    disk.bytes_read = counts[2] * sector_bytes;
    disk.read_ms = counts[3];
    disk.writes = counts[4];
    disk.writes_merged = counts[5];
    disk.bytes_written = counts[6] * sector_bytes;
    disk.write_ms = counts[7];
    disk.io_ms = counts[9];
    disks.push_back(std::move(disk));
  }
  return disks;
}

std::vector<NetworkInterface> parse_net_dev(std::string_view text) {
  std::vector<NetworkInterface> interfaces;
  while (const auto line = next_line(text)) {
    const std::size_t colon = line->rfind(':');  // an alias has a colon in its name: eth0:1
    if (colon == std::string_view::npos) continue;
    std::string_view name_rest = line->substr(0, colon);
    std::uint64_t counts[16] = {};
    if (read_counts(line->substr(colon + 1), counts) < 12) continue;
    NetworkInterface one;
    one.name = std::string(next_field(name_rest));
    one.bytes_received = counts[0];
    one.packets_received = counts[1];
    one.errors_received = counts[2];
    one.dropped_received = counts[3];
    one.bytes_sent = counts[8];
    one.packets_sent = counts[9];
    one.errors_sent = counts[10];
    one.dropped_sent = counts[11];
    if (!one.name.empty()) interfaces.push_back(std::move(one));
  }
  return interfaces;
}

std::vector<Mount> parse_mounts(std::string_view text) {
  std::vector<Mount> mounts;
  while (const auto line = next_line(text)) {
    std::string_view rest = *line;
    Mount mount;
    mount.device = unescape_octal(next_field(rest));
    mount.mountpoint = unescape_octal(next_field(rest));
    mount.type = std::string(next_field(rest));
    const std::string_view options = next_field(rest);
    mount.read_only = options == "ro" || options.starts_with("ro,");
    if (!options.empty()) mounts.push_back(std::move(mount));
  }
  return mounts;
}

std::optional<double> parse_uptime(std::string_view text) {
  const auto line = next_line(text);
  if (!line) return std::nullopt;
  std::string_view rest = *line;
  return to_real(next_field(rest));
}

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  // The name stands in brackets and may itself contain brackets: the last closing one counts.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  std::string_view before = text.substr(0, open);
  const auto pid = to_number<std::int64_t>(next_field(before));
  std::string_view rest = text.substr(close + 1);
  const std::string_view state = next_field(rest);
  if (!pid || state.size() != 1) return std::nullopt;
  // Fields 4 to 24 of proc(5); some may be negative (tty_pgrp, priority), so they are taken as text first.
  std::string_view fields[21];
  for (std::string_view& field : fields) field = next_field(rest);
  while (!fields[20].empty() && !is_digit(fields[20].back())) fields[20].remove_suffix(1);
  const auto count = [&](std::size_t number) { return to_number<std::uint64_t>(fields[number - 4]); };
  if (!count(14) || !count(15) || !count(22)) return std::nullopt;
  ProcessStat stat;
  stat.pid = *pid;
  stat.name = std::string(text.substr(open + 1, close - open - 1));
  stat.state = state[0];
  stat.faults_minor = count(10).value_or(0);
  stat.faults_major = count(12).value_or(0);
  stat.user_ticks = *count(14);
  stat.system_ticks = *count(15);
  stat.threads = count(20).value_or(0);
  stat.start_ticks = *count(22);
  stat.virtual_bytes = count(23).value_or(0);
  stat.resident_pages = count(24).value_or(0);
  return stat;
}

std::optional<ContextSwitches> parse_process_status(std::string_view text) {
  ContextSwitches switches;
  const NamedCount wanted[] = {{"voluntary_ctxt_switches", &switches.voluntary},
                               {"nonvoluntary_ctxt_switches", &switches.involuntary}};
  if (read_named(text, wanted, 1) == 0) return std::nullopt;
  return switches;
}

std::optional<ProcessIo> parse_process_io(std::string_view text) {
  ProcessIo io;
  const NamedCount wanted[] = {{"read_bytes", &io.bytes_read}, {"write_bytes", &io.bytes_written}};
  if (read_named(text, wanted, 1) == 0) return std::nullopt;
  return io;
}

std::string parse_cmdline(std::string_view text) {
  std::string line(text);
  while (!line.empty() && line.back() == '\0') line.pop_back();
  std::replace(line.begin(), line.end(), '\0', ' ');
  return line;
}

}  // namespace arca::cli::agent::procfs
