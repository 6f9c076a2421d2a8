#include "telemetry/resource.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "arca/version.hpp"
#include "opentelemetry/version.h"
#include "os/file_system.hpp"
#include "telemetry/ids.hpp"

namespace arca::telemetry {
namespace {

constexpr std::size_t command_size_max = 4096;

void set(ResourceAttributes& attributes, std::string_view key, ResourceValue value) {
  const auto same = std::find_if(attributes.begin(), attributes.end(), [&](const auto& it) { return it.first == key; });
  if (same == attributes.end()) {
    attributes.emplace_back(std::string(key), std::move(value));
  } else {
    same->second = std::move(value);
  }
}

// A small file of the kernel or of the system; empty if it cannot be read.
std::string read_small(const std::string& path) {
  auto file = os::posix_file_system().open(path, os::OpenMode::read);
  if (!file) return {};
  std::string text(command_size_max, '\0');
  const auto count = (*file)->read_at(0, std::as_writable_bytes(std::span<char>(text)));
  text.resize(count ? *count : 0);
  return text;
}

std::string first_line(std::string text) {
  text.resize(std::min(text.size(), text.find('\n')));
  return text;
}

std::string executable_path() {
  std::array<char, 4096> path{};
  const auto size = ::readlink("/proc/self/exe", path.data(), path.size());
  return size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : std::string();
}

std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::vector<std::string> command_arguments() {
  std::vector<std::string> arguments;
  const std::string text = read_small("/proc/self/cmdline");
  for (std::size_t at = 0; at < text.size();) {
    const std::string argument(text.c_str() + at);
    at += argument.size() + 1;
    arguments.push_back(argument);
  }
  return arguments;
}

void detect_host(ResourceAttributes& attributes) {
  utsname names{};
  if (::uname(&names) == 0) {
    set(attributes, "host.name", std::string(names.nodename));
    const std::string_view machine = names.machine;
    set(attributes, "host.arch", std::string(machine == "x86_64" ? "amd64" : machine == "aarch64" ? "arm64" : machine));
    set(attributes, "os.type", std::string("linux"));
    set(attributes, "os.version", std::string(names.release));
  }
  auto id = first_line(read_small("/etc/machine-id"));
  if (!id.empty()) set(attributes, "host.id", std::move(id));
}

// Arguments are left out: command lines carry passwords.
void detect_process(ResourceAttributes& attributes, const std::string& executable) {
  set(attributes, "process.pid", std::int64_t{::getpid()});
  set(attributes, "process.parent_pid", std::int64_t{::getppid()});
  if (!executable.empty()) {
    set(attributes, "process.executable.path", executable);
    set(attributes, "process.executable.name", base_name(executable));
  }
  const auto arguments = command_arguments();
  if (!arguments.empty()) set(attributes, "process.command", arguments.front());
  set(attributes, "process.runtime.name", std::string("c++"));
}

}  // namespace

ResourceAttributes make_resource(const Settings& settings) {
  ResourceAttributes attributes;
  const std::string executable = executable_path();
  set(attributes, "service.name",
      executable.empty() ? std::string("unknown_service") : "unknown_service:" + base_name(executable));
  set(attributes, "service.instance.id", make_uuid());
  set(attributes, "telemetry.sdk.name", std::string("opentelemetry"));
  set(attributes, "telemetry.sdk.language", std::string("cpp"));
  set(attributes, "telemetry.sdk.version", std::string(OPENTELEMETRY_VERSION));
  set(attributes, "telemetry.distro.name", std::string("arca"));
  set(attributes, "telemetry.distro.version", std::string(ARCA_VERSION));
  detect_host(attributes);
  detect_process(attributes, executable);
  for (const auto& [key, value] : settings.resource_attributes) set(attributes, key, value);
  if (!settings.service_name.empty()) set(attributes, "service.name", settings.service_name);
  return attributes;
}

}  // namespace arca::telemetry
