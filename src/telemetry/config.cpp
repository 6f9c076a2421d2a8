// From what was asked to what holds: fills gaps from environment, file and defaults, checks everything, and builds
// Settings. The only way to a FinalizedConfig.
#include "arca/config.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "os/environment.hpp"
#include "telemetry/cassandra_config.hpp"
#include "telemetry/endpoints.hpp"
#include "telemetry/variables.hpp"

namespace arca {
namespace {

using std::chrono::milliseconds;
using telemetry::Variable;

// Collects every value into one Config, first source first.
class Merge {
 public:
  Merge(Config config, const os::Environment& environment) : config_(std::move(config)), environment_(environment) {}

  Result<void> run() {
    for (const Variable& variable : telemetry::variables()) {
      const auto valid = telemetry::validate(variable, config_);
      if (!valid) return failure(valid.error().with_context(variable.key));
      if (auto done = read_environment(variable); !done) return done;
    }
    return read_file();
  }
  Config& config() { return config_; }
  std::vector<std::string>& warnings() { return warnings_; }

 private:
  Result<void> read_environment(const Variable& variable) {
    if (telemetry::is_set(variable, config_)) return {};
    const auto text = environment_.get(variable.name);
    if (!text || text->empty()) return {};
    const auto done = telemetry::assign(variable, config_, *text);
    if (done) return {};
    if (!variable.is_standard()) return failure(done.error().with_context(variable.name));
    warnings_.push_back(fmt::format("{} is ignored: {}", variable.name, done.error().message()));
    return {};
  }

  Result<void> read_file() {
    const auto path = environment_.get("ARCA_CONFIG_FILE");
    if (!path || path->empty()) return {};
    auto file = Config::from_yaml(*path);
    if (!file) return failure(file.error().with_context("ARCA_CONFIG_FILE"));
    for (const Variable& variable : telemetry::variables()) {
      if (telemetry::is_set(variable, config_)) continue;
      std::visit([&](auto* to) { *to = *std::get<std::decay_t<decltype(to)>>(variable.field(*file)); },
                 variable.field(config_));
    }
    return {};
  }

  Config config_;
  const os::Environment& environment_;
  std::vector<std::string> warnings_;
};

Result<std::string> state_directory(const Config& config, const os::Environment& environment) {
  if (config.state_directory) {
    if (config.state_directory->starts_with("/")) return *config.state_directory;
    return failure(
        ErrorCode::invalid_config,
        fmt::format("state_directory: \"{}\" is not allowed; allowed is an absolute path", *config.state_directory));
  }
  if (::geteuid() == 0) return std::string("/var/lib/arca");
  const auto xdg = environment.get("XDG_STATE_HOME");
  if (xdg && xdg->starts_with("/")) return *xdg + "/arca";
  const auto home = environment.get("HOME");
  if (home && home->starts_with("/")) return *home + "/.local/state/arca";
  return failure(ErrorCode::invalid_config,
                 "state_directory: there is no default without HOME; set ARCA_STATE_DIRECTORY to an absolute path");
}

// Whoever set the argument, it has been checked; one that could not be parsed counts as 1, as the specification asks.
double sampler_ratio(const Config& config) {
  if (!config.sampler_argument || !config.sampler.value_or("").ends_with("traceidratio")) return 1.0;
  return telemetry::parse_probability(*config.sampler_argument).value_or(1.0);
}

std::uint32_t limit(const std::optional<std::uint64_t>& special, const std::optional<std::uint64_t>& general,
                    std::uint32_t otherwise) {
  const auto& chosen = special ? special : general;
  return chosen ? static_cast<std::uint32_t>(std::min<std::uint64_t>(*chosen, no_limit)) : otherwise;
}

void set_limits(const LimitsConfig& from, Settings& to) {
  to.span_limits.attribute_count = limit(from.span_attribute_count, from.attribute_count, 128);
  to.span_limits.attribute_value_length =
      limit(from.span_attribute_value_length, from.attribute_value_length, no_limit);
  to.span_limits.event_count = limit(from.span_event_count, {}, 128);
  to.span_limits.link_count = limit(from.span_link_count, {}, 128);
  to.span_limits.event_attribute_count = limit(from.event_attribute_count, from.attribute_count, 128);
  to.span_limits.link_attribute_count = limit(from.link_attribute_count, from.attribute_count, 128);
  to.log_limits.attribute_count = limit(from.log_attribute_count, from.attribute_count, 128);
  to.log_limits.attribute_value_length = limit(from.log_attribute_value_length, from.attribute_value_length, no_limit);
}

void set_metrics(const Config& from, Settings& to, std::vector<std::string>& warnings) {
  to.metric_interval = from.metric_interval.value_or(to.metric_interval);
  to.metric_timeout = from.metric_timeout.value_or(to.metric_timeout);
  if (to.metric_timeout >= to.metric_interval) {
    // The SDK would otherwise fall back to its own defaults for both.
    const auto cut = std::max(milliseconds(1), to.metric_interval - milliseconds(1));
    if (from.metric_timeout) {
      warnings.push_back(fmt::format("metric_timeout is cut to {} ms, below metric_interval", cut.count()));
    }
    to.metric_timeout = cut;
  }
  const auto temporality = from.metric_temporality.value_or("cumulative");
  to.temporality = temporality == "delta"       ? Temporality::delta
                   : temporality == "lowmemory" ? Temporality::lowmemory
                                                : Temporality::cumulative;
  to.exemplar_filter = from.exemplar_filter.value_or("trace_based");
  to.self_metrics = from.self_metrics.value_or(true);
  to.self_metric_interval = from.self_metric_interval.value_or(to.self_metric_interval);
}

Result<void> set_keeping(const Config& from, const os::Environment& environment, Settings& to) {
  auto directory = state_directory(from, environment);
  if (!directory) return tl::unexpected(directory.error());
  to.state_directory = std::move(*directory);
  to.pool_size = from.pool_size.value_or(64ULL << 20U);
  to.pool_directory = from.pool_directory.value_or("");
  if (!to.pool_directory.empty() && !to.pool_directory.starts_with("/")) {
    return failure(
        ErrorCode::invalid_config,
        fmt::format("pool_directory: \"{}\" is not allowed; allowed is an absolute path", to.pool_directory));
  }
  to.journal_size = from.journal_size.value_or(0);
  to.quarantine_size = from.quarantine_size.value_or(256ULL << 20U);
  to.durable_over_power_loss = from.durability.value_or("process") == "power";
  to.when_full = from.when_full.value_or("refuse") == "block" ? WhenFull::block : WhenFull::refuse;
  to.block_timeout = from.block_timeout.value_or(milliseconds(1000));
  to.high_water = from.high_water.value_or(0.5);
  to.shutdown_timeout = from.shutdown_timeout.value_or(to.shutdown_timeout);
  to.requests_in_flight = static_cast<std::uint32_t>(from.requests_in_flight.value_or(8));
  to.recovery = from.recovery.enabled.value_or(true);
  to.recovery_bytes_per_second = from.recovery.bytes_per_second.value_or(200ULL << 20U);
  to.recovery_scan_interval = from.recovery.scan_interval.value_or(milliseconds(5'000));
  return {};
}

milliseconds schedule_delay(const Config& config) {
  if (config.schedule_delay) return *config.schedule_delay;
  const auto& spans = config.span_batch.schedule_delay;
  const auto& logs = config.log_batch.schedule_delay;
  if (spans && logs) return std::min(*spans, *logs);
  return spans ? *spans : logs.value_or(milliseconds(1000));
}

Result<void> set_signals(const Config& from, Settings& to) {
  const struct {
    const char* name;
    const OtlpSignalConfig& special;
    const std::optional<std::string>& exporter;
    SignalSettings& settings;
  } signals[] = {{"traces", from.otlp.traces, from.traces_exporter, to.traces},
                 {"metrics", from.otlp.metrics, from.metrics_exporter, to.metrics},
                 {"logs", from.otlp.logs, from.logs_exporter, to.logs}};
  for (const auto& signal : signals) {
    auto settings = telemetry::signal_settings(signal.name, signal.special, from.otlp);
    if (!settings) return tl::unexpected(settings.error());
    signal.settings = std::move(*settings);
    signal.settings.enabled = signal.exporter.value_or("otlp") == "otlp";
  }
  return {};
}

}  // namespace

Result<FinalizedConfig> finalize(const Config& config, const os::Environment& environment) {
  Merge merge(config, environment);
  if (auto done = merge.run(); !done) return tl::unexpected(done.error());
  const Config& all = merge.config();

  Settings settings;
  settings.disabled = all.disabled.value_or(false);
  settings.install_global = all.install_global.value_or(true);
  settings.service_name = all.service_name.value_or("");
  settings.resource_attributes = all.resource_attributes.value_or(KeyValues{});
  settings.log_level = all.log_level.value_or("info");
  settings.propagators = all.propagators.value_or(std::vector<std::string>{"tracecontext", "baggage"});
  settings.sampler = all.sampler.value_or("parentbased_always_on");
  settings.sampler_ratio = sampler_ratio(all);
  settings.schedule_delay = schedule_delay(all);
  set_limits(all.limits, settings);
  set_metrics(all, settings, merge.warnings());
  if (auto done = set_signals(all, settings); !done) return tl::unexpected(done.error());
  if (auto done = set_keeping(all, environment, settings); !done) return tl::unexpected(done.error());
  auto cassandra = telemetry::cassandra_settings(all.cassandra);
  if (!cassandra) return tl::unexpected(cassandra.error());
  settings.cassandra = std::move(*cassandra);
  return FinalizedConfig(std::move(settings), std::move(merge.warnings()));
}

Result<FinalizedConfig> finalize(const Config& config) { return finalize(config, os::SystemEnvironment()); }

}  // namespace arca
