// CassandraSpanExporter: for those who keep the stock SDK and want its spans in Cassandra, without any Collector. The
// tables are those of the tier, and so are the guarantees from Export on: what was accepted lies in a pool that
// survives the process, goes to Cassandra in the background, and to a journal on disk while Cassandra is away.
//
//   arca::Config config;
//   config.cassandra.contact_points = "cassandra-1,cassandra-2";
//   auto exporter = arca::make_cassandra_span_exporter(config);
//   if (!exporter) { std::cerr << exporter.error().message() << '\n'; return 1; }
//   auto processor = BatchSpanProcessorFactory::Create(std::move(*exporter), {});
#pragma once

#include <chrono>
#include <memory>

#include "arca/config.hpp"
#include "arca/export.hpp"
#include "arca/result.hpp"
#include "arca/status.hpp"
#include "opentelemetry/sdk/trace/exporter.h"

namespace arca {

// Thread-safe. It works for a span processor of either kind: Export takes microseconds and waits for nobody, unless
// ARCA_WHEN_FULL says so. In a forked child it gets a writer, a pool and threads of its own at the first Export.
class ARCA_EXPORT CassandraSpanExporter final : public opentelemetry::sdk::trace::SpanExporter {
 public:
  ~CassandraSpanExporter() override;  // shuts down within ARCA_SHUTDOWN_TIMEOUT, unless that has happened

  std::unique_ptr<opentelemetry::sdk::trace::Recordable> MakeRecordable() noexcept override;
  // kSuccess: all of them are in the pool or in the journal. kFailure: at least one was refused, because both are full,
  // or after Shutdown.
  opentelemetry::sdk::common::ExportResult Export(
      const opentelemetry::nostd::span<std::unique_ptr<opentelemetry::sdk::trace::Recordable>>& spans) noexcept
      override;
  // True: Cassandra has acknowledged everything that was accepted before, and nothing was refused since the last call.
  bool ForceFlush(std::chrono::microseconds timeout) noexcept override;
  // Delivers until shortly before the timeout and keeps the rest on disk for the next start. True: there is no rest.
  bool Shutdown(std::chrono::microseconds timeout) noexcept override;

  // `delivered` stays 0 here: what Cassandra has is `parked`.
  [[nodiscard]] Status status() const;

 private:
  friend ARCA_EXPORT Result<std::unique_ptr<CassandraSpanExporter>> make_cassandra_span_exporter(const Config& config);
  struct State;
  explicit CassandraSpanExporter(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

// Finalizes the config with the environment; contact points must be among it. It does not wait for the cluster.
ARCA_EXPORT Result<std::unique_ptr<CassandraSpanExporter>> make_cassandra_span_exporter(const Config& config = {});

}  // namespace arca
