// Option 1 of the specification: a span exporter that ends in Cassandra, made of the same parts as everything else.
#include "arca/cassandra_exporter.hpp"

#include <exception>
#include <utility>

#include "os/clock.hpp"
#include "os/log.hpp"
#include "telemetry/plugin_contexts.hpp"
#include "telemetry/plugin_recordables.hpp"
#include "telemetry/runtime.hpp"
#include "telemetry/sdk_time.hpp"

namespace arca {

namespace sdk = opentelemetry::sdk;

struct CassandraSpanExporter::State {
  explicit State(std::unique_ptr<telemetry::Runtime> from)
      : runtime(std::move(from)), contexts(telemetry::PluginContexts::make()) {}

  const std::unique_ptr<telemetry::Runtime> runtime;
  telemetry::PluginContexts& contexts;
};

namespace {

os::Clock& system_clock() {
  static auto* const clock = new os::SystemClock;
  return *clock;
}

// What runs behind the exporter is no provider: it installs nothing and has no signal but spans.
Result<FinalizedConfig> finalize_for_exporter(Config config) {
  config.install_global = false;
  config.metrics_exporter = "none";
  config.logs_exporter = "none";
  config.self_metrics = false;
  auto finalized = finalize(config);
  if (finalized && !(*finalized)->cassandra.is_configured()) {
    return failure(ErrorCode::invalid_config,
                   "cassandra.contact_points: \"\" is not allowed; allowed is host or host:port, with commas between");
  }
  return finalized;
}

// Nothing throws into the SDK.
template <class Call>
bool guarded(Call call) noexcept {
  try {
    return call();
  } catch (const std::exception& error) {
    os::log(os::LogLevel::error, "the exporter for Cassandra: {}", error.what());
    return false;
  }
}

}  // namespace

CassandraSpanExporter::CassandraSpanExporter(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
CassandraSpanExporter::~CassandraSpanExporter() = default;

std::unique_ptr<sdk::trace::Recordable> CassandraSpanExporter::MakeRecordable() noexcept {
  return std::make_unique<telemetry::SpanRecordable>(state_->runtime->core(), state_->contexts);
}

sdk::common::ExportResult CassandraSpanExporter::Export(
    const opentelemetry::nostd::span<std::unique_ptr<sdk::trace::Recordable>>& spans) noexcept {
  bool accepted = true;
  for (auto& span : spans) {
    const std::unique_ptr<sdk::trace::Recordable> ended = std::move(span);
    if (ended != nullptr) accepted = static_cast<telemetry::SpanRecordable&>(*ended).record() && accepted;
  }
  return accepted ? sdk::common::ExportResult::kSuccess : sdk::common::ExportResult::kFailure;
}

bool CassandraSpanExporter::ForceFlush(std::chrono::microseconds timeout) noexcept {
  return guarded(
      [&] { return state_->runtime->flush(telemetry::bounded(timeout)).outcome == FlushOutcome::delivered; });
}

bool CassandraSpanExporter::Shutdown(std::chrono::microseconds timeout) noexcept {
  return guarded(
      [&] { return state_->runtime->shutdown(telemetry::bounded(timeout)).outcome == FlushOutcome::delivered; });
}

Status CassandraSpanExporter::status() const {
  try {
    return state_->runtime->status();
  } catch (const std::exception&) {
    return {};
  }
}

Result<std::unique_ptr<CassandraSpanExporter>> make_cassandra_span_exporter(const Config& config) {
  try {
    const auto finalized = finalize_for_exporter(config);
    if (!finalized) return tl::unexpected(finalized.error());
    auto runtime = telemetry::Runtime::start(*finalized, system_clock(), telemetry::Destination::cassandra);
    if (!runtime) return tl::unexpected(runtime.error());
    auto state = std::make_unique<CassandraSpanExporter::State>(std::move(*runtime));
    return std::unique_ptr<CassandraSpanExporter>(new CassandraSpanExporter(std::move(state)));
  } catch (const std::exception& error) {
    return failure(ErrorCode::internal, error.what());
  }
}

}  // namespace arca
