#include "telemetry/runtime.hpp"

#include <algorithm>
#include <utility>

#include "base/biased_lock.hpp"
#include "os/log.hpp"
#include "os/thread.hpp"
#include "telemetry/api_locks.hpp"
#include "telemetry/logger.hpp"
#include "telemetry/resource.hpp"
#include "telemetry/tracer.hpp"

namespace arca::telemetry {
namespace {

using std::chrono::milliseconds;

constexpr auto first_tick = milliseconds(20);  // soon: it lets the clock read the processor's counter
constexpr auto tick_interval = std::chrono::seconds(1);

// What is left to a forked child of its parent's objects must neither be used nor destroyed.
template <class T>
void leak(T&& owner) {
  new std::decay_t<T>(std::forward<T>(owner));
}

// "none" still lets errors of our own through: somebody must hear that records are refused.
os::LogLevel log_level(std::string_view name) noexcept {
  if (name == "debug") return os::LogLevel::debug;
  if (name == "info") return os::LogLevel::info;
  return name == "warn" ? os::LogLevel::warn : os::LogLevel::error;
}

std::uint64_t missed_items(const Status& status) noexcept {
  std::uint64_t items = 0;
  for (const SignalStatus* signal : {&status.traces, &status.metrics, &status.logs}) {
    items += signal->refused + signal->lost;
  }
  return items;
}

}  // namespace

Result<std::unique_ptr<Runtime>> Runtime::start(const FinalizedConfig& config, os::Clock& clock,
                                                Destination destination) {
  os::set_log_level(log_level(config->log_level));
  std::unique_ptr<Runtime> runtime(new Runtime(config, clock, destination));
  for (const std::string& warning : config.warnings()) os::log(os::LogLevel::warn, "{}", warning);
  if (auto begun = runtime->begin(); !begun) {
    runtime->shutdown(milliseconds(0));
    return tl::unexpected(begun.error());
  }
  return runtime;
}

Result<void> Runtime::begin() {
  if (config_->disabled) return {};
  base::enable_biased_locks();
  core_ = &Core::make(config_, clock_, true, resource_fields(make_resource(*config_)));
  generation_ = os::fork_generation();
  guard_api_locks();
  os::subscribe_to_fork(*this);
  subscribed_ = true;
  if (auto begun = begin_pipeline(); !begun) return begun;
  core_->recorder.open(&pipeline_->intake(), [this] { return reopen(); });
  if (config_->traces.enabled) {
    tracer_provider = std::shared_ptr<opentelemetry::trace::TracerProvider>(new TracerProvider(*core_));
  }
  if (config_->logs.enabled) {
    logger_provider = std::shared_ptr<opentelemetry::logs::LoggerProvider>(new LoggerProvider(*core_));
  }
  begin_metrics();
  if (auto begun = begin_housekeeper(); !begun) return begun;
  if (config_->install_global) install();
  return {};
}

Result<void> Runtime::begin_pipeline() {
  auto made = Pipeline::assemble(*config_, clock_, ++epoch_, destination_);
  if (!made) return tl::unexpected(made.error());
  const std::lock_guard lock(mutex_);
  owned_pipeline_ = std::move(*made);
  auto left = std::make_shared<std::promise<void>>();
  pipeline_left_ = left->get_future();
  pipeline_ = std::shared_ptr<Pipeline>(owned_pipeline_.get(), [left](Pipeline*) { left->set_value(); });
  return {};
}

Result<void> Runtime::begin_housekeeper() {
  auto housekeeper = std::make_unique<Housekeeper>();
  auto* const self = housekeeper.get();
  auto thread = os::start_thread("arca-tick", [this, self](const std::stop_token& stop) {
    auto next = clock_.steady_now() + first_tick;
    while (!stop.stop_requested()) {
      self->doorbell.wait(self->doorbell.count(), next, stop);
      if (stop.stop_requested()) return;
      if (clock_.steady_now() < next) continue;
      tick();
      next = clock_.steady_now() + tick_interval;
    }
  });
  if (!thread) return tl::unexpected(thread.error());
  housekeeper->thread = std::move(*thread);
  housekeeper_ = std::move(housekeeper);
  return {};
}

void Runtime::tick() {
  core_->clock.anchor();
  if (const auto present = pipeline()) present->tick();
}

std::shared_ptr<Pipeline> Runtime::pipeline() const {
  const std::lock_guard lock(mutex_);
  return is_inherited() ? nullptr : pipeline_;
}

void Runtime::seal() {
  if (const auto present = pipeline()) present->seal();
}

Runtime::~Runtime() {
  try {
    shutdown(config_->shutdown_timeout);
  } catch (const std::exception& error) {
    os::log(os::LogLevel::error, "telemetry ended early: {}", error.what());
  }
  // Also where an end failed half-way: nobody may reach the pipeline that dies here.
  if (core_ != nullptr && core_->recorder.is_open()) {
    core_->recorder.close(clock_, clock_.steady_now() + std::chrono::seconds(1));
  }
  if (is_inherited()) abandon_inherited();
  if (subscribed_) os::unsubscribe_from_fork(*this);
}

// Called by the recorder at the child's first record, on that thread.
const Intake* Runtime::reopen() {
  if (shut_down_) return nullptr;
  abandon_inherited();
  base::enable_biased_locks();
  core_->resource.replace(resource_fields(make_resource(*config_)));  // another process, another resource
  if (auto begun = begin_pipeline(); !begun) {
    os::log(os::LogLevel::error, "telemetry stays off in this forked process: {}", begun.error().message());
    return nullptr;
  }
  generation_ = os::fork_generation();
  begin_metrics();
  if (auto begun = begin_housekeeper(); !begun) os::log(os::LogLevel::warn, "{}", begun.error().message());
  if (config_->install_global) install();
  return &pipeline_->intake();
}

void Runtime::abandon_inherited() {
  const std::lock_guard lock(mutex_);
  leak(std::move(owned_pipeline_));
  leak(std::move(pipeline_));
  leak(std::move(meters_));
  leak(std::move(self_meters_));
  leak(std::move(self_metrics_));
  leak(std::move(self_durations_));
  leak(std::move(housekeeper_));
}

FlushReport Runtime::flush(milliseconds timeout) {
  const auto deadline = clock_.steady_now() + std::max(milliseconds(0), timeout);
  const bool collected = flush_metrics(deadline);
  const auto present = pipeline();
  if (present == nullptr) return shut_down_ ? last_report() : FlushReport{};
  FlushReport report = present->flush(deadline);
  const std::uint64_t missed = missed_items(present->status());
  if (!collected || missed_.exchange(missed) < missed) report.outcome = FlushOutcome::incomplete;
  return report;
}

bool Runtime::is_left(std::future<void> left, base::SteadyTime deadline) const {
  // They are out in a moment, unless the host's own callbacks keep them; most of the time is for what comes then.
  const auto patience = std::max(base::Duration(0), deadline - clock_.steady_now()) / 4;
  return left.wait_for(patience) == std::future_status::ready;
}

FlushReport Runtime::shutdown(milliseconds timeout) {
  if (core_ == nullptr) return {};
  if (shut_down_.exchange(true)) return last_report();
  const auto deadline = clock_.steady_now() + std::max(milliseconds(0), timeout);
  if (is_inherited()) {
    core_->recorder.close(clock_, deadline);  // after a reopening that is under way; none begins any more
    if (is_inherited()) abandon_inherited();  // the threads that would be waited for are the parent's
  }
  uninstall();
  housekeeper_.reset();
  shutdown_metrics(deadline);
  const bool alone = core_->recorder.close(clock_, deadline);
  std::unique_ptr<Pipeline> present;
  std::future<void> left;
  {
    const std::lock_guard lock(mutex_);
    if (!is_inherited()) {
      present = std::move(owned_pipeline_);
      left = std::move(pipeline_left_);
      pipeline_.reset();
    }
  }
  if (present == nullptr) return keep_last({}, {});
  if (!alone || !is_left(std::move(left), deadline)) {
    // Somebody still waits for room or reads the status: what is kept is on disk and in the pool already.
    const FlushReport report = present->flush(deadline);
    Status status = present->status();
    leak(std::move(present));
    return keep_last(report, std::move(status));
  }
  Status status;
  const FlushReport report = present->end(deadline, status);
  return keep_last(report, std::move(status));
}

FlushReport Runtime::keep_last(const FlushReport& report, Status status) {
  const std::lock_guard lock(mutex_);  // for a moment only: a fork waits for it
  last_status_ = std::move(status);
  last_report_ = report;
  return report;
}

FlushReport Runtime::last_report() const {
  const std::lock_guard lock(mutex_);
  return last_report_;
}

Status Runtime::status() const {
  if (const auto present = pipeline()) return present->status();
  const std::lock_guard lock(mutex_);
  return last_status_;
}

}  // namespace arca::telemetry
