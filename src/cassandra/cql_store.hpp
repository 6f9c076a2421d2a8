// CqlStore: the ParkingStore of a real cluster: each operation is one prepared statement on the tables of
// schema_text.cpp.
#pragma once

#include <memory>
#include <string>

#include "cassandra/store.hpp"

namespace arca::cassandra {

class CqlStore final : public ParkingStore {
 public:
  // `cql` outlives it. Fails only if statements cannot be registered.
  static Result<std::unique_ptr<CqlStore>> create(Cql& cql, const std::string& keyspace);
  ~CqlStore() override;
  // Whose directory of segments and leases it is from now on: of the datacenter whose nodes are asked. Before anything
  // of the directory is asked; known only once a node has been reached. The first word counts.
  void set_datacenter(const std::string& name);

  void open_segment(const SegmentHead& head, StoreDone done) noexcept override;
  void put_chunk(const SegmentName& segment, const StoredChunk& chunk, std::int64_t timestamp_us,
                 StoreDone done) noexcept override;
  void seal_segment(const SegmentName& segment, base::WallTime at, const SegmentSummary& summary,
                    StoreDone done) noexcept override;
  [[nodiscard]] bool has_window(std::uint64_t bytes) const noexcept override;
  void put_rows(const TraceRows& rows, std::int64_t timestamp_us, StoreDone done) noexcept override;
  void put_entries(const TraceEntries& entries, std::int64_t timestamp_us, StoreDone done) noexcept override;
  void put_names(const std::string& service, const std::vector<std::string>& operations,
                 StoreDone done) noexcept override;
  void mark_rows(const SegmentName& segment, std::int32_t position, StoreDone done) noexcept override;
  void list_buckets(std::int16_t shard, StoreRead<std::vector<base::WallTime>> done) noexcept override;
  void list_segments(base::WallTime bucket, std::int16_t shard, std::vector<std::byte> page,
                     StoreRead<Page<SegmentEntry>> done) noexcept override;
  void read_segment(const SegmentName& segment, StoreRead<std::optional<SegmentEntry>> done) noexcept override;
  void read_chunks(const Uuid& segment, std::int32_t from, std::uint32_t limit,
                   StoreRead<std::vector<StoredChunk>> done) noexcept override;
  void take_lease(std::int16_t shard, const Uuid& owner, std::chrono::seconds ttl,
                  StoreRead<Lease> done) noexcept override;
  void renew_lease(std::int16_t shard, const Uuid& owner, std::int64_t epoch, std::chrono::seconds ttl,
                   StoreRead<Lease> done) noexcept override;
  void release_lease(std::int16_t shard, const Uuid& owner, std::int64_t epoch, StoreDone done) noexcept override;
  void mark_replayed(const SegmentName& segment, const Progress& progress, StoreDone done) noexcept override;
  void put_quarantined(const QuarantinedChunk& chunk, StoreDone done) noexcept override;

 private:
  class State;
  explicit CqlStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace arca::cassandra
