// The files of /proc as pure functions over their text. Used by HostReader; tests feed them samples of real
// machines and rubbish. A line that does not parse is left out; a file without its essential line gives nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace arca::cli::agent::procfs {

// Time in clock ticks (sysconf _SC_CLK_TCK) per mode of the semantic conventions. The kernel counts the time
// of guests in user and nice as well, so guests do not appear again.
struct CpuTimes {
  int logical_number = -1;  // -1: all processors together
  std::uint64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, interrupt = 0, steal = 0;
  [[nodiscard]] std::uint64_t total() const { return user + nice + system + idle + iowait + interrupt + steal; }
};

struct Stat {
  CpuTimes all;
  std::vector<CpuTimes> cpus;
  std::uint64_t boot_time_seconds = 0;  // since 1970
  std::uint64_t processes_created = 0;
};
std::optional<Stat> parse_stat(std::string_view text);

// Bytes.
struct Memory {
  std::uint64_t total = 0, free = 0, available = 0, buffers = 0, cached = 0, shared = 0;
  std::uint64_t slab_reclaimable = 0, slab_unreclaimable = 0, swap_total = 0, swap_free = 0;
  [[nodiscard]] std::uint64_t used() const {
    const std::uint64_t rest = free + buffers + cached + slab_reclaimable;
    return total > rest ? total - rest : 0;
  }
};
std::optional<Memory> parse_meminfo(std::string_view text);

struct Paging {
  std::uint64_t faults = 0;  // minor and major together, as the kernel counts them
  std::uint64_t faults_major = 0;
  std::uint64_t pages_in = 0, pages_out = 0;  // by swapping
  [[nodiscard]] std::uint64_t faults_minor() const { return faults > faults_major ? faults - faults_major : 0; }
};
std::optional<Paging> parse_vmstat(std::string_view text);

struct Disk {
  std::string name;
  std::uint64_t reads = 0, reads_merged = 0, bytes_read = 0, read_ms = 0;
  std::uint64_t writes = 0, writes_merged = 0, bytes_written = 0, write_ms = 0;
  std::uint64_t io_ms = 0;
};
// Leaves out devices that never did anything (loop and ram devices, mostly).
std::vector<Disk> parse_diskstats(std::string_view text);

struct NetworkInterface {
  std::string name;
  std::uint64_t bytes_received = 0, packets_received = 0, errors_received = 0, dropped_received = 0;
  std::uint64_t bytes_sent = 0, packets_sent = 0, errors_sent = 0, dropped_sent = 0;
};
std::vector<NetworkInterface> parse_net_dev(std::string_view text);

struct Mount {
  std::string device, mountpoint, type;
  bool read_only = false;
};
std::vector<Mount> parse_mounts(std::string_view text);

std::optional<double> parse_uptime(std::string_view text);  // seconds

struct ProcessStat {
  std::int64_t pid = 0;
  std::string name;  // the kernel's short name; may hold any byte, brackets and blanks too
  char state = '?';
  std::uint64_t faults_minor = 0, faults_major = 0;
  std::uint64_t user_ticks = 0, system_ticks = 0, start_ticks = 0;  // the start counts from boot
  std::uint64_t threads = 0, virtual_bytes = 0, resident_pages = 0;
};
std::optional<ProcessStat> parse_process_stat(std::string_view text);

struct ContextSwitches {
  std::uint64_t voluntary = 0, involuntary = 0;
};
std::optional<ContextSwitches> parse_process_status(std::string_view text);

struct ProcessIo {
  std::uint64_t bytes_read = 0, bytes_written = 0;  // that reached the disk
};
std::optional<ProcessIo> parse_process_io(std::string_view text);

// The arguments with blanks between them instead of zero bytes.
std::string parse_cmdline(std::string_view text);

}  // namespace arca::cli::agent::procfs
