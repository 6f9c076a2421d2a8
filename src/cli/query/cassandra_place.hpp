// CassandraPlace: what was parked in Cassandra; CassandraQuarantinePlace: what the Collector rejected of it. Both over
// one connection, which is made when it is first needed. Used by TelemetryStore.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "cassandra/cql_client.hpp"
#include "cassandra/cql_store.hpp"
#include "cassandra/parked_reader.hpp"
#include "cli/query/telemetry_place.hpp"

namespace arca::cli::query {

struct CassandraOptions {
  cassandra::ConnectionSettings connection;
  std::string keyspace;
  base::Duration timeout = std::chrono::seconds(10);    // of connecting, and of each step
  base::Duration row_ttl = std::chrono::hours(7 * 24);  // how far back rows can be
};

// Connection, store and reader. Not thread-safe. The clock outlives it.
class CassandraAccess {
 public:
  CassandraAccess(CassandraOptions options, os::Clock& clock) : options_(std::move(options)), clock_(clock) {}
  // Connects at the first call. A failure stays: nobody waits for it twice.
  Result<cassandra::ParkedReader*> reader();
  [[nodiscard]] base::Duration row_ttl() const noexcept { return options_.row_ttl; }

 private:
  Result<void> connect();

  const CassandraOptions options_;
  os::Clock& clock_;
  std::optional<Error> failure_;
  std::unique_ptr<cassandra::CqlClient> client_;
  std::unique_ptr<cassandra::CqlStore> store_;
  std::unique_ptr<cassandra::ParkedReader> reader_;
};

// Not thread-safe. The clock outlives it.
class CassandraPlace final : public TelemetryPlace {
 public:
  CassandraPlace(std::shared_ptr<CassandraAccess> access, os::Clock& clock)
      : access_(std::move(access)), clock_(clock) {}

  [[nodiscard]] Place place() const noexcept override { return Place::cassandra; }
  Result<void> read(const Wanted& wanted, Reader& reader) override;
  [[nodiscard]] bool has_index() const noexcept override { return true; }
  Result<void> names(const Wanted& wanted, bool operations, const TakeName& take, Reader& reader) override;
  Result<std::vector<TraceId>> find_traces(const Wanted& wanted, std::size_t limit, Reader& reader,
                                           std::optional<base::WallTime>& more_before) override;

 private:
  class SpanTimes;
  // A segment, and for each signal the first position that is wanted.
  struct Part {
    static constexpr std::int32_t nothing = INT32_MAX;
    cassandra::Uuid segment;
    std::array<std::int32_t, model::signal_count> from{nothing, nothing, nothing};
  };
  struct Selection {
    std::vector<Part> parts;
    std::optional<base::WallTime> sealed_from, sealed_until;  // of the chunks
  };
  struct LogSegment;

  // Rows end before their chunks do.
  [[nodiscard]] bool rows_have_ended(const cassandra::SegmentEntry& entry) const;
  // The position behind which a segment has spans that no row tells of; Part::nothing if all have rows. Whether those
  // count whose rows have ended, `with_ended` says.
  [[nodiscard]] std::int32_t first_without_rows(const cassandra::SegmentEntry& entry, bool with_ended) const;
  Result<void> read_named(cassandra::ParkedReader& from, const Wanted& wanted, Reader& reader);
  Result<void> read_rows(cassandra::ParkedReader& from, const Wanted& wanted, Reader& reader, SpanTimes& times);
  Result<void> read_logs(cassandra::ParkedReader& from, const Wanted& wanted, Reader& reader, const SpanTimes& times,
                         const std::vector<LogSegment>& segments);
  // Reads the chunks that are wanted, the newest first. Returns how many may hold what is looked for.
  Result<std::size_t> read_chunks(cassandra::ParkedReader& from, const Wanted& wanted, const Selection& selection,
                                  Reader& reader, SpanTimes* times = nullptr);

  std::shared_ptr<CassandraAccess> access_;
  os::Clock& clock_;
  base::SteadyTime next_look_{};  // when following
};

// Not thread-safe.
class CassandraQuarantinePlace final : public TelemetryPlace {
 public:
  explicit CassandraQuarantinePlace(std::shared_ptr<CassandraAccess> access) : access_(std::move(access)) {}

  [[nodiscard]] Place place() const noexcept override { return Place::quarantine; }
  Result<void> read(const Wanted& wanted, Reader& reader) override;

 private:
  std::shared_ptr<CassandraAccess> access_;
};

}  // namespace arca::cli::query
