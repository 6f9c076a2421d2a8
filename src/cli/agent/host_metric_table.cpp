#include <string>
#include <string_view>

#include "cli/agent/host_metrics.hpp"

namespace arca::cli::agent {
namespace {

using Observer = PointObserver;
namespace nostd = opentelemetry::nostd;

// Attribute values are views: the snapshot that they point into outlives the observation.
nostd::string_view view(std::string_view text) { return {text.data(), text.size()}; }

using CpuColumn = std::pair<const char*, std::uint64_t procfs::CpuTimes::*>;
constexpr CpuColumn cpu_columns[] = {{"user", &procfs::CpuTimes::user},     {"nice", &procfs::CpuTimes::nice},
                                     {"system", &procfs::CpuTimes::system}, {"idle", &procfs::CpuTimes::idle},
                                     {"iowait", &procfs::CpuTimes::iowait}, {"interrupt", &procfs::CpuTimes::interrupt},
                                     {"steal", &procfs::CpuTimes::steal}};

void observe_cpu_time(const HostSnapshot& host, Observer& observer) {
  if (!host.stat) return;
  for (const procfs::CpuTimes& cpu : host.stat->cpus) {
    const auto number = static_cast<std::int64_t>(cpu.logical_number);
    for (const auto& [mode, column] : cpu_columns) {
      const double spent = static_cast<double>(cpu.*column) / host.ticks_per_second;
      observer.real(spent, {{"cpu.mode", mode}, {"cpu.logical_number", number}});
    }
  }
}

// Over the time between two scrapes and all processors together; the first scrape has none.
void observe_cpu_utilization(const HostSnapshot& host, Observer& observer) {
  if (!host.stat || !host.stat_before) return;
  const procfs::CpuTimes& now = host.stat->all;
  const procfs::CpuTimes& before = host.stat_before->all;
  if (now.total() <= before.total()) return;
  const auto total = static_cast<double>(now.total() - before.total());
  for (const auto& [mode, column] : cpu_columns) {
    // The kernel's iowait may run backwards.
    const std::uint64_t ticks = now.*column > before.*column ? now.*column - before.*column : 0;
    observer.real(static_cast<double>(ticks) / total, {{"cpu.mode", mode}});
  }
}

void observe_cpu_count(const HostSnapshot& host, Observer& observer) {
  if (host.stat) observer.count(host.stat->cpus.size(), {});
}

void observe_uptime(const HostSnapshot& host, Observer& observer) {
  if (host.uptime_seconds) observer.real(*host.uptime_seconds, {});
}

template <class Take>
void for_memory_states(const HostSnapshot& host, Take take) {
  if (!host.memory) return;
  take("used", host.memory->used());
  take("free", host.memory->free);
  take("buffers", host.memory->buffers);
  take("cached", host.memory->cached + host.memory->slab_reclaimable);
}

void observe_memory_usage(const HostSnapshot& host, Observer& observer) {
  for_memory_states(host, [&](const char* state, std::uint64_t bytes) {
    observer.count(bytes, {{"system.memory.state", state}});
  });
}

void observe_memory_utilization(const HostSnapshot& host, Observer& observer) {
  for_memory_states(host, [&](const char* state, std::uint64_t bytes) {
    const double share = static_cast<double>(bytes) / static_cast<double>(host.memory->total);
    observer.real(share, {{"system.memory.state", state}});
  });
}

template <std::uint64_t procfs::Memory::*column>
void observe_memory(const HostSnapshot& host, Observer& observer) {
  if (host.memory) observer.count(host.memory.value().*column, {});
}

void observe_slab(const HostSnapshot& host, Observer& observer) {
  if (!host.memory) return;
  observer.count(host.memory->slab_reclaimable, {{"system.memory.linux.slab.state", "reclaimable"}});
  observer.count(host.memory->slab_unreclaimable, {{"system.memory.linux.slab.state", "unreclaimable"}});
}

void observe_paging_usage(const HostSnapshot& host, Observer& observer) {
  if (!host.memory || host.memory->swap_total < host.memory->swap_free) return;
  observer.count(host.memory->swap_total - host.memory->swap_free, {{"system.paging.state", "used"}});
  observer.count(host.memory->swap_free, {{"system.paging.state", "free"}});
}

void observe_paging_utilization(const HostSnapshot& host, Observer& observer) {
  if (!host.memory || host.memory->swap_total == 0) return;
  const double free = static_cast<double>(host.memory->swap_free) / static_cast<double>(host.memory->swap_total);
  observer.real(1 - free, {{"system.paging.state", "used"}});
  observer.real(free, {{"system.paging.state", "free"}});
}

void observe_paging_faults(const HostSnapshot& host, Observer& observer) {
  if (!host.paging) return;
  observer.count(host.paging->faults_minor(), {{"system.paging.fault.type", "minor"}});
  observer.count(host.paging->faults_major, {{"system.paging.fault.type", "major"}});
}

void observe_paging_operations(const HostSnapshot& host, Observer& observer) {
  if (!host.paging) return;
  observer.count(host.paging->pages_in, {{"system.paging.direction", "in"}, {"system.paging.fault.type", "major"}});
  observer.count(host.paging->pages_out, {{"system.paging.direction", "out"}, {"system.paging.fault.type", "major"}});
}

template <std::uint64_t procfs::Disk::*read, std::uint64_t procfs::Disk::*write>
void observe_disk(const HostSnapshot& host, Observer& observer) {
  for (const procfs::Disk& disk : host.disks) {
    observer.count(disk.*read, {{"system.device", view(disk.name)}, {"disk.io.direction", "read"}});
    observer.count(disk.*write, {{"system.device", view(disk.name)}, {"disk.io.direction", "write"}});
  }
}

double in_seconds(std::uint64_t milliseconds) { return static_cast<double>(milliseconds) / 1000; }

void observe_disk_io_time(const HostSnapshot& host, Observer& observer) {
  for (const procfs::Disk& disk : host.disks)
    observer.real(in_seconds(disk.io_ms), {{"system.device", view(disk.name)}});
}

void observe_disk_operation_time(const HostSnapshot& host, Observer& observer) {
  for (const procfs::Disk& disk : host.disks) {
    observer.real(in_seconds(disk.read_ms), {{"system.device", view(disk.name)}, {"disk.io.direction", "read"}});
    observer.real(in_seconds(disk.write_ms), {{"system.device", view(disk.name)}, {"disk.io.direction", "write"}});
  }
}

// The conventions call the interface network.interface.name, but system.device for packet counts.
template <std::uint64_t procfs::NetworkInterface::*received, std::uint64_t procfs::NetworkInterface::*sent>
void observe_network(const HostSnapshot& host, Observer& observer, const char* name_key) {
  for (const procfs::NetworkInterface& one : host.interfaces) {
    observer.count(one.*received, {{name_key, view(one.name)}, {"network.io.direction", "receive"}});
    observer.count(one.*sent, {{name_key, view(one.name)}, {"network.io.direction", "transmit"}});
  }
}

using Interface = procfs::NetworkInterface;
void observe_network_io(const HostSnapshot& host, Observer& observer) {
  observe_network<&Interface::bytes_received, &Interface::bytes_sent>(host, observer, "network.interface.name");
}
void observe_network_packets(const HostSnapshot& host, Observer& observer) {
  observe_network<&Interface::packets_received, &Interface::packets_sent>(host, observer, "system.device");
}
void observe_network_errors(const HostSnapshot& host, Observer& observer) {
  observe_network<&Interface::errors_received, &Interface::errors_sent>(host, observer, "network.interface.name");
}
void observe_network_dropped(const HostSnapshot& host, Observer& observer) {
  observe_network<&Interface::dropped_received, &Interface::dropped_sent>(host, observer, "network.interface.name");
}

Attributes filesystem_attributes(const Filesystem& one) {
  return {{"system.device", view(one.mount.device)},
          {"system.filesystem.mode", one.mount.read_only ? "ro" : "rw"},
          {"system.filesystem.mountpoint", view(one.mount.mountpoint)},
          {"system.filesystem.type", view(one.mount.type)}};
}

template <class Take>
void for_filesystem_states(const HostSnapshot& host, Take take) {
  for (const Filesystem& one : host.filesystems) {
    const FilesystemSpace& space = one.space;
    const std::pair<const char*, std::uint64_t> states[] = {{"used", space.total_bytes - space.free_bytes},
                                                            {"free", space.available_bytes},
                                                            {"reserved", space.free_bytes - space.available_bytes}};
    for (const auto& [state, bytes] : states) {
      Attributes attributes = filesystem_attributes(one);
      attributes.emplace_back("system.filesystem.state", state);
      take(bytes, static_cast<double>(bytes) / static_cast<double>(space.total_bytes), attributes);
    }
  }
}

void observe_filesystem_usage(const HostSnapshot& host, Observer& observer) {
  for_filesystem_states(host, [&](std::uint64_t bytes, double, const Attributes& all) { observer.count(bytes, all); });
}
void observe_filesystem_utilization(const HostSnapshot& host, Observer& observer) {
  for_filesystem_states(host, [&](std::uint64_t, double share, const Attributes& all) { observer.real(share, all); });
}
void observe_filesystem_limit(const HostSnapshot& host, Observer& observer) {
  for (const Filesystem& one : host.filesystems) observer.count(one.space.total_bytes, filesystem_attributes(one));
}

void observe_process_count(const HostSnapshot& host, Observer& observer) {
  std::uint64_t running = 0, stopped = 0, defunct = 0, sleeping = 0;
  for (const auto& [letter, count] : host.process_states) {
    std::uint64_t& target = letter == 'R'                    ? running
                            : letter == 'T' || letter == 't' ? stopped
                            : letter == 'Z' || letter == 'X' ? defunct
                                                             : sleeping;
    target += count;
  }
  observer.count(running, {{"process.state", "running"}});
  observer.count(sleeping, {{"process.state", "sleeping"}});
  observer.count(stopped, {{"process.state", "stopped"}});
  observer.count(defunct, {{"process.state", "defunct"}});
}

void observe_processes_created(const HostSnapshot& host, Observer& observer) {
  if (host.stat) observer.count(host.stat->processes_created, {});
}

using Kind = MetricKind;
constexpr MetricDescription table[] = {
    {"system.uptime", "s", "The time the system has been running", Kind::gauge, false, observe_uptime},
    {"system.cpu.time", "s", "Seconds each logical CPU spent on each mode", Kind::counter, false, observe_cpu_time},
    {"system.cpu.utilization", "1", "Share of CPU time per mode since the last scrape", Kind::gauge, false,
     observe_cpu_utilization},
    {"system.cpu.logical.count", "{cpu}", "Number of logical processors", Kind::up_down_counter, true,
     observe_cpu_count},
    {"system.memory.usage", "By", "Memory in use by state", Kind::up_down_counter, true, observe_memory_usage},
    {"system.memory.utilization", "1", "Share of memory by state", Kind::gauge, false, observe_memory_utilization},
    {"system.memory.limit", "By", "Total memory", Kind::up_down_counter, true, observe_memory<&procfs::Memory::total>},
    {"system.memory.linux.available", "By", "Memory available to new applications without swapping",
     Kind::up_down_counter, true, observe_memory<&procfs::Memory::available>},
    {"system.memory.linux.shared", "By", "Shared memory used", Kind::up_down_counter, true,
     observe_memory<&procfs::Memory::shared>},
    {"system.memory.linux.slab.usage", "By", "Memory in the caches of the kernel", Kind::up_down_counter, true,
     observe_slab},
    {"system.paging.usage", "By", "Swap space by state", Kind::up_down_counter, true, observe_paging_usage},
    {"system.paging.utilization", "1", "Share of swap space by state", Kind::gauge, false, observe_paging_utilization},
    {"system.paging.faults", "{fault}", "Page faults", Kind::counter, true, observe_paging_faults},
    {"system.paging.operations", "{operation}", "Pages swapped", Kind::counter, true, observe_paging_operations},
    {"system.disk.io", "By", "Disk bytes transferred", Kind::counter, true,
     observe_disk<&procfs::Disk::bytes_read, &procfs::Disk::bytes_written>},
    {"system.disk.operations", "{operation}", "Disk operations", Kind::counter, true,
     observe_disk<&procfs::Disk::reads, &procfs::Disk::writes>},
    {"system.disk.merged", "{operation}", "Disk operations merged into others", Kind::counter, true,
     observe_disk<&procfs::Disk::reads_merged, &procfs::Disk::writes_merged>},
    {"system.disk.io_time", "s", "Time the disk was active", Kind::counter, false, observe_disk_io_time},
    {"system.disk.operation_time", "s", "Sum of the time of all operations", Kind::counter, false,
     observe_disk_operation_time},
    {"system.filesystem.usage", "By", "Space of filesystems by state", Kind::up_down_counter, true,
     observe_filesystem_usage},
    {"system.filesystem.utilization", "1", "Share of the space of filesystems by state", Kind::gauge, false,
     observe_filesystem_utilization},
    {"system.filesystem.limit", "By", "Capacity of filesystems", Kind::up_down_counter, true, observe_filesystem_limit},
    {"system.network.io", "By", "Bytes transmitted and received", Kind::counter, true, observe_network_io},
    {"system.network.packet.count", "{packet}", "Packets transferred", Kind::counter, true, observe_network_packets},
    {"system.network.packet.dropped", "{packet}", "Packets dropped without an error", Kind::counter, true,
     observe_network_dropped},
    {"system.network.errors", "{error}", "Network errors", Kind::counter, true, observe_network_errors},
    {"system.process.count", "{process}", "Processes by state", Kind::up_down_counter, true, observe_process_count},
    {"system.process.created", "{process}", "Processes created since boot", Kind::counter, true,
     observe_processes_created},
};

}  // namespace

std::span<const MetricDescription> host_metric_table() { return table; }

}  // namespace arca::cli::agent
