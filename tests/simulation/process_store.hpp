// ProcessStore: the simulated cluster as one process reaches it: requests take time, get lost on the way there or back,
// or arrive when nobody waits for them any more.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "cassandra/store.hpp"
#include "simulation/life.hpp"
#include "simulation/weather.hpp"
#include "simulation/world.hpp"

namespace arca::simulation {

// What all processes share.
struct Cluster {
  cassandra::ParkingStore& store;  // answers at once
  World& world;
  Weather weather;
  Dice dice;
};

class ProcessStore final : public cassandra::ParkingStore {
 public:
  ProcessStore(Cluster& cluster, std::shared_ptr<Life> life) : cluster_(cluster), life_(std::move(life)) {}

  void open_segment(const cassandra::SegmentHead& head, cassandra::StoreDone done) noexcept override;
  void put_chunk(const cassandra::SegmentName& segment, const cassandra::StoredChunk& chunk, std::int64_t timestamp_us,
                 cassandra::StoreDone done) noexcept override;
  void seal_segment(const cassandra::SegmentName& segment, base::WallTime at, const cassandra::SegmentSummary& summary,
                    cassandra::StoreDone done) noexcept override;
  [[nodiscard]] bool has_window(std::uint64_t /*bytes*/) const noexcept override { return true; }
  void put_rows(const cassandra::TraceRows& rows, std::int64_t timestamp_us,
                cassandra::StoreDone done) noexcept override;
  void put_entries(const cassandra::TraceEntries& entries, std::int64_t timestamp_us,
                   cassandra::StoreDone done) noexcept override;
  void put_names(const std::string& service, const std::vector<std::string>& operations,
                 cassandra::StoreDone done) noexcept override;
  void mark_rows(const cassandra::SegmentName& segment, std::int32_t position,
                 cassandra::StoreDone done) noexcept override;
  void list_buckets(std::int16_t shard, cassandra::StoreRead<std::vector<base::WallTime>> done) noexcept override;
  void list_segments(base::WallTime bucket, std::int16_t shard, std::vector<std::byte> page,
                     cassandra::StoreRead<cassandra::Page<cassandra::SegmentEntry>> done) noexcept override;
  void read_segment(const cassandra::SegmentName& segment,
                    cassandra::StoreRead<std::optional<cassandra::SegmentEntry>> done) noexcept override;
  void read_chunks(const cassandra::Uuid& segment, std::int32_t from, std::uint32_t limit,
                   cassandra::StoreRead<std::vector<cassandra::StoredChunk>> done) noexcept override;
  void take_lease(std::int16_t shard, const cassandra::Uuid& owner, std::chrono::seconds ttl,
                  cassandra::StoreRead<cassandra::Lease> done) noexcept override;
  void renew_lease(std::int16_t shard, const cassandra::Uuid& owner, std::int64_t epoch, std::chrono::seconds ttl,
                   cassandra::StoreRead<cassandra::Lease> done) noexcept override;
  void release_lease(std::int16_t shard, const cassandra::Uuid& owner, std::int64_t epoch,
                     cassandra::StoreDone done) noexcept override;
  void mark_replayed(const cassandra::SegmentName& segment, const Progress& progress,
                     cassandra::StoreDone done) noexcept override;
  void put_quarantined(const cassandra::QuarantinedChunk& chunk, cassandra::StoreDone done) noexcept override;

 private:
  template <class T>
  using Perform = std::function<void(cassandra::StoreRead<T>)>;
  template <class T>
  void read(Perform<T> perform, cassandra::StoreRead<T> done) noexcept;
  void write(std::function<void(cassandra::StoreDone)> perform, cassandra::StoreDone done) noexcept;

  Cluster& cluster_;
  const std::shared_ptr<Life> life_;
};

}  // namespace arca::simulation
