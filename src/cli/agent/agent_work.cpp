// The three kinds of work of the agent; agent.cpp gives them threads.
#include <opentelemetry/context/runtime_context.h>
#include <opentelemetry/logs/provider.h>
#include <opentelemetry/metrics/provider.h>
#include <opentelemetry/trace/provider.h>
#include <opentelemetry/trace/scope.h>

#include <algorithm>
#include <chrono>

#include "cli/agent/agent.hpp"

namespace arca::cli::agent {
namespace {

namespace api = opentelemetry;

constexpr std::size_t probe_threads_max = 4;
constexpr int last_steps_max = 64;
constexpr std::chrono::milliseconds probe_stagger{50};  // so that probes of one interval do not stay in step

api::nostd::shared_ptr<api::trace::Tracer> tracer() {
  return api::trace::Provider::GetTracerProvider()->GetTracer(scope_name);
}

api::nostd::shared_ptr<api::metrics::Meter> meter() {
  return api::metrics::Provider::GetMeterProvider()->GetMeter(scope_name);
}

std::shared_ptr<const std::regex> compile(const std::string& pattern) {
  return pattern.empty() ? nullptr : std::make_shared<const std::regex>(pattern, std::regex::optimize);
}

HostReaderOptions reader_options(const AgentConfig& config) {
  HostReaderOptions options;
  options.proc_root = config.proc_root;
  options.read_host = config.host;
  options.top_count = static_cast<std::size_t>(config.processes_top);
  options.processes_max = static_cast<std::size_t>(config.processes_max);
  for (const ProcessChoice& choice : config.processes) {
    ProcessSelector selector{choice.name, choice.pid, std::nullopt};
    if (choice.cmdline) selector.cmdline.emplace(*choice.cmdline);
    options.selectors.push_back(std::move(selector));
  }
  return options;
}

LogFollowerOptions follower_options(const AgentConfig& config) {
  LogFollowerOptions options;
  for (const LogFileConfig& file : config.logs) {
    options.sources.push_back({file.path, file.from_beginning, compile(file.first_line), file.attributes});
  }
  options.files_max = static_cast<std::size_t>(config.files_max);
  options.record_bytes_max = static_cast<std::size_t>(config.record_bytes_max);
  options.partial_timeout = config.partial_timeout;
  // A pattern costs a walk through a directory; looking at ten times the poll interval keeps that small.
  options.discover_interval =
      std::clamp<base::Duration>(config.poll_interval * 4, std::chrono::milliseconds(100), std::chrono::seconds(5));
  return options;
}

}  // namespace

HostScraper::HostScraper(const AgentConfig& config, const std::function<void(std::string_view)>& say)
    : reader_(reader_options(config)),
      with_processes_(!config.processes.empty() || config.processes_top > 0 || config.host),
      tracer_(tracer()),
      meter_(meter()),
      say_(say),
      metrics_(*meter_, config.host, !config.processes.empty() || config.processes_top > 0) {
  duration_ = meter_->CreateDoubleHistogram("arca.agent.scrape.duration", "Time that one scrape of /proc takes", "s");
}

void HostScraper::step() {
  const auto cycle = tracer_->StartSpan("scrape");
  const api::trace::Scope cycle_scope(cycle);
  const auto started = std::chrono::steady_clock::now();
  HostSnapshot snapshot;
  {
    const auto span = tracer_->StartSpan("read host");
    snapshot = reader_.read_host();
    span->SetAttribute("arca.agent.disk.count", static_cast<std::int64_t>(snapshot.disks.size()));
    span->SetAttribute("arca.agent.interface.count", static_cast<std::int64_t>(snapshot.interfaces.size()));
    span->End();
  }
  if (with_processes_) {
    const auto span = tracer_->StartSpan("read processes");
    reader_.read_processes(snapshot);
    std::uint64_t seen = 0;
    for (const auto& [state, count] : snapshot.process_states) seen += count;
    span->SetAttribute("arca.agent.process.seen", static_cast<std::int64_t>(seen));
    span->SetAttribute("arca.agent.process.selected", static_cast<std::int64_t>(snapshot.processes.size()));
    span->End();
  }
  if (!snapshot.unreadable.empty()) {
    cycle->SetStatus(api::trace::StatusCode::kError, snapshot.unreadable.front());
    if (!told_ && say_) say_("not readable: " + snapshot.unreadable.front() + "; its metrics are left out");
    told_ = true;
  }
  metrics_.publish(std::move(snapshot));
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
  duration_->Record(taken.count(), api::context::RuntimeContext::GetCurrent());
  cycle->End();
}

LogTail::LogTail(const AgentConfig& config, const AgentParts& parts)
    : say_(parts.say),
      store_(parts.file_system, parts.state_directory),
      emitter_(api::logs::Provider::GetLoggerProvider()->GetLogger(scope_name, scope_name), parts.clock,
               parts.refused_log_records),
      follower_(follower_options(config), store_, emitter_, parts.clock),
      meter_(meter()) {
  records_ = meter_->CreateUInt64Counter("arca.agent.log.records", "Log records taken from files", "{record}");
  bytes_ = meter_->CreateUInt64Counter("arca.agent.log.size", "Bytes of the log records taken from files", "By");
  refusals_ = meter_->CreateUInt64Counter("arca.agent.log.refusals", "Times the front door was full", "{refusal}");
  files_ = meter_->CreateInt64UpDownCounter("arca.agent.log.files", "Files followed", "{file}");
}

bool LogTail::step() {
  const bool more = follower_.step();
  report();
  return more;
}

void LogTail::finish() {
  // What stands in the files now is still taken; a writer faster than this loop does not hold up the end.
  for (int i = 0; i < last_steps_max && follower_.step(); ++i) {
  }
  if (const auto finished = follower_.finish(); !finished && say_) {
    say_("positions of followed files are not kept: " + finished.error().message());
  }
  report();
}

void LogTail::report() {
  const LogFollowerCounts& now = follower_.counts();
  if (now.records != told_.records) records_->Add(now.records - told_.records);
  if (now.bytes != told_.bytes) bytes_->Add(now.bytes - told_.bytes);
  if (now.refusals != told_.refusals) refusals_->Add(now.refusals - told_.refusals);
  if (now.files != told_.files)
    files_->Add(static_cast<std::int64_t>(now.files) - static_cast<std::int64_t>(told_.files));
  told_ = now;
  for (const std::string& warning : follower_.take_warnings())
    if (say_) say_(warning);
}

ProbeRunner::ProbeRunner(const AgentConfig& config, os::Clock& clock) : clock_(clock) {
  const DurationHistogram duration(
      meter()
          ->CreateDoubleHistogram("http.client.request.duration", "Duration of HTTP client requests", "s")
          .release());
  auto due = clock_.steady_now();
  for (const ProbeConfig& probe : config.probes) {
    const auto url = parse_http_url(probe.url);
    if (!url) continue;  // check_agent_config has refused it
    slots_.push_back({std::make_unique<HttpProbe>(probe, *url, tracer(), duration), due, false});
    due += probe_stagger;
  }
}

std::size_t ProbeRunner::thread_count() const { return std::min(slots_.size(), probe_threads_max); }

std::optional<base::Duration> ProbeRunner::step() {
  Slot* next = nullptr;
  {
    const std::lock_guard lock(mutex_);
    for (Slot& slot : slots_)
      if (!slot.busy && (next == nullptr || slot.due < next->due)) next = &slot;
    if (next == nullptr) return std::chrono::milliseconds(100);
    const base::Duration wait = next->due - clock_.steady_now();
    if (wait > base::Duration(0)) return std::min<base::Duration>(wait, std::chrono::seconds(1));
    next->busy = true;
  }
  next->probe->run();
  const std::lock_guard lock(mutex_);
  const auto now = clock_.steady_now();
  while (next->due <= now) next->due += next->probe->config().interval;
  next->busy = false;
  return std::nullopt;
}

void ProbeRunner::run_all() {
  for (Slot& slot : slots_) slot.probe->run();
}

}  // namespace arca::cli::agent
