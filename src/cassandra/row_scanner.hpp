// RowScanner: the rows of traces_overflow as a ChunkSource, for `arca recover --scan-rows`: what something else has
// written there (the specification's own exporter, for instance) is sent to the Collector. It reads token range by
// token range, joins rows to chunks, and keeps in row_scans how far each range is, so that a scan that was broken off
// goes on.
//
// Only a row whose trace_data is an OTLP TracesData is sent. Any other is counted, kept and shown, never guessed at.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cassandra/cql.hpp"
#include "model/chunk_source.hpp"
#include "os/clock.hpp"

namespace arca::cassandra {

struct RowScannerOptions {
  std::string keyspace = "otel_traces";
  std::string scan = "default";            // names the progress: under another name everything is sent again
  model::WriterId writer;                  // of the chunks that are made
  std::uint32_t range_count = 1024;        // constant for a scan
  std::uint32_t page_size = 200;           // rows; fewer while pages do not come in time
  std::uint64_t chunk_size = 128U << 10U;  // bytes; a larger row is a chunk of its own
  std::uint32_t read_ahead_chunks = 16;    // made and not yet settled: no page is read beyond it
  base::Duration progress_interval = std::chrono::seconds(1);
  std::function<void(const Error&)> report;  // empty: the library's log
};

struct RowScannerStatus {
  std::uint64_t row_count = 0;          // read, without those that were sent before a restart
  std::uint64_t foreign_row_count = 0;  // not OTLP: not sent
  std::string foreign_example;          // key of one of them, and why
  std::uint64_t span_count = 0;         // made into chunks
  std::uint64_t chunk_count = 0;
  std::uint32_t range_count = 0;
  std::uint32_t ranges_done = 0;
  std::string last_error;
};

// Thread-safe. Cql and clock outlive it. It waits for nobody: tend() sends what is to be asked.
class RowScanner final : public model::ChunkSource {
 public:
  // Fails only if statements cannot be registered.
  static Result<std::unique_ptr<RowScanner>> create(Cql& cql, os::Clock& clock, RowScannerOptions options);
  ~RowScanner() override;

  // Reads ahead, writes progress; returns when to call again.
  base::SteadyTime tend(base::SteadyTime now);
  // Everything was read and settled, and the progress says so.
  [[nodiscard]] bool is_drained() const;
  [[nodiscard]] RowScannerStatus status() const;

  Result<std::optional<model::Claim>> claim(model::SignalSet signals, base::SteadyTime now) override;
  Result<void> settle(const model::Ack& ack) override;
  void release(const model::ChunkId& id, base::SteadyTime not_before) override;
  void forget_release_times() override;
  [[nodiscard]] base::SteadyTime next_claim_at(model::SignalSet signals, base::SteadyTime now) override;
  void set_waker(std::function<void()> waker) override;
  [[nodiscard]] model::Backlog backlog() const override;

 private:
  class State;
  explicit RowScanner(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// The token range with this number: (first, last].
struct TokenRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
};
TokenRange token_range(std::uint32_t number, std::uint32_t count) noexcept;

}  // namespace arca::cassandra
