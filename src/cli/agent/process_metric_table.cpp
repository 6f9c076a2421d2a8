#include "cli/agent/host_metrics.hpp"

namespace arca::cli::agent {
namespace {

using Observer = PointObserver;
namespace nostd = opentelemetry::nostd;

// One agent tells about many processes, so what names a process stands at each point, not in the resource.
Attributes name_of(const Process& process) {
  return {{"process.pid", process.stat.pid},
          {"process.executable.name", nostd::string_view(process.stat.name.data(), process.stat.name.size())}};
}

Attributes name_of(const Process& process, const char* key, const char* value) {
  Attributes attributes = name_of(process);
  attributes.emplace_back(key, value);
  return attributes;
}

void observe_cpu_time(const HostSnapshot& host, Observer& observer) {
  for (const Process& one : host.processes) {
    const auto seconds = [&](std::uint64_t ticks) { return static_cast<double>(ticks) / host.ticks_per_second; };
    observer.real(seconds(one.stat.user_ticks), name_of(one, "cpu.mode", "user"));
    observer.real(seconds(one.stat.system_ticks), name_of(one, "cpu.mode", "system"));
  }
}

void observe_memory_usage(const HostSnapshot& host, Observer& observer) {
  for (const Process& one : host.processes) observer.count(one.stat.resident_pages * host.page_bytes, name_of(one));
}

void observe_memory_virtual(const HostSnapshot& host, Observer& observer) {
  for (const Process& one : host.processes) observer.count(one.stat.virtual_bytes, name_of(one));
}

void observe_threads(const HostSnapshot& host, Observer& observer) {
  for (const Process& one : host.processes) observer.count(one.stat.threads, name_of(one));
}

void observe_descriptors(const HostSnapshot& host, Observer& observer) {
  for (const Process& one : host.processes)
    if (one.descriptor_count) observer.count(*one.descriptor_count, name_of(one));
}

void observe_context_switches(const HostSnapshot& host, Observer& observer) {
  for (const Process& one : host.processes) {
    if (!one.switches) continue;
    observer.count(one.switches->voluntary, name_of(one, "process.context_switch.type", "voluntary"));
    observer.count(one.switches->involuntary, name_of(one, "process.context_switch.type", "involuntary"));
  }
}

void observe_faults(const HostSnapshot& host, Observer& observer) {
  for (const Process& one : host.processes) {
    observer.count(one.stat.faults_minor, name_of(one, "system.paging.fault.type", "minor"));
    observer.count(one.stat.faults_major, name_of(one, "system.paging.fault.type", "major"));
  }
}

void observe_disk_io(const HostSnapshot& host, Observer& observer) {
  for (const Process& one : host.processes) {
    if (!one.io) continue;
    observer.count(one.io->bytes_read, name_of(one, "disk.io.direction", "read"));
    observer.count(one.io->bytes_written, name_of(one, "disk.io.direction", "write"));
  }
}

void observe_uptime(const HostSnapshot& host, Observer& observer) {
  if (!host.uptime_seconds) return;
  for (const Process& one : host.processes) {
    const double start = static_cast<double>(one.stat.start_ticks) / host.ticks_per_second;
    if (*host.uptime_seconds >= start) observer.real(*host.uptime_seconds - start, name_of(one));
  }
}

using Kind = MetricKind;
constexpr MetricDescription table[] = {
    {"process.cpu.time", "s", "CPU seconds by mode", Kind::counter, false, observe_cpu_time},
    {"process.memory.usage", "By", "Physical memory in use", Kind::up_down_counter, true, observe_memory_usage},
    {"process.memory.virtual", "By", "Virtual memory committed", Kind::up_down_counter, true, observe_memory_virtual},
    {"process.thread.count", "{thread}", "Threads", Kind::up_down_counter, true, observe_threads},
    {"process.unix.file_descriptor.count", "{file_descriptor}", "Open file descriptors", Kind::up_down_counter, true,
     observe_descriptors},
    {"process.context_switches", "{context_switch}", "Context switches", Kind::counter, true, observe_context_switches},
    {"process.paging.faults", "{fault}", "Page faults", Kind::counter, true, observe_faults},
    {"process.disk.io", "By", "Disk bytes transferred", Kind::counter, true, observe_disk_io},
    {"process.uptime", "s", "The time the process has been running", Kind::gauge, false, observe_uptime},
};

}  // namespace

std::span<const MetricDescription> process_metric_table() { return table; }

}  // namespace arca::cli::agent
