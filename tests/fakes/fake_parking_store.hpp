// A ParkingStore in memory that keeps the rules of a real one: last write wins by timestamp, everything ends by its
// TTL, leases belong to one owner at a time. It answers at once, or later when the test says so, and fails on command.
// The clock of the "cluster" is the steady one of the test's clock: it does not jump when the wall clock does.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cassandra/store.hpp"
#include "fakes/memory_that_fails.hpp"
#include "os/clock.hpp"

namespace arca::fakes {

enum class StoreCall : std::uint8_t {
  open_segment,
  put_chunk,
  seal_segment,
  put_rows,
  put_entries,
  put_names,
  mark_rows,
  list_buckets,
  list_segments,
  read_segment,
  read_chunks,
  take_lease,
  renew_lease,
  release_lease,
  mark_replayed,
  put_quarantined,
};
inline constexpr std::size_t store_call_count = 16;

struct StoreFailure {
  cassandra::Outcome outcome = cassandra::Outcome::unknown;
  bool applied = false;  // of `unknown`: it happened, only the answer is lost
  cassandra::Refusal refusal = cassandra::Refusal::none;
  std::string message = "fails on command";
};

// What was asked, in its order.
struct StoreCallRecord {
  StoreCall call{};
  cassandra::SegmentName segment{};
  std::int32_t position = -1;
  model::ChunkId chunk_id{};
  std::int64_t timestamp_us = 0;
  base::SteadyTime at{};
};

// A span's row as it is kept.
struct KeptRow {
  std::string trace_id;
  std::string span_id;
  base::WallTime start{};
  std::string service;
  std::string operation;
  std::vector<std::byte> trace_data;
  std::int64_t timestamp_us = 0;
  base::SteadyTime ends_at{};
};

// Thread-safe. The clock outlives it. Answers that are held when it is destroyed are never given.
class FakeParkingStore final : public cassandra::ParkingStore {
 public:
  struct Options {
    std::chrono::seconds row_ttl{604'800};
    std::chrono::seconds chunk_ttl{1'209'600};
    std::chrono::seconds directory_ttl{1'209'600 + 86'400};
    std::size_t page_size = 100;  // segments
  };
  explicit FakeParkingStore(os::Clock& clock) : FakeParkingStore(clock, Options()) {}
  FakeParkingStore(os::Clock& clock, Options options) : clock_(clock), options_(options) {}

  void open_segment(const cassandra::SegmentHead& head, cassandra::StoreDone done) noexcept override;
  void put_chunk(const cassandra::SegmentName& segment, const cassandra::StoredChunk& chunk, std::int64_t timestamp_us,
                 cassandra::StoreDone done) noexcept override;
  void seal_segment(const cassandra::SegmentName& segment, base::WallTime at, const cassandra::SegmentSummary& summary,
                    cassandra::StoreDone done) noexcept override;
  [[nodiscard]] bool has_window(std::uint64_t bytes) const noexcept override;
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

  // --- for tests: failures ----------------------------------------------------------------
  void fail_next(StoreCall call, int count, StoreFailure failure);
  // Until heal(): every call of the kind; without a kind: every call.
  void fail_always(StoreCall call, StoreFailure failure);
  void fail_always(StoreFailure failure);
  void heal();
  // Asked at each call that no other order covers.
  void fail_by(std::function<std::optional<StoreFailure>(const StoreCallRecord&)> rule);
  void set_window(bool open);

  // --- for tests: answers that come later -------------------------------------------------
  enum class Hold : std::uint8_t {
    none,
    request,  // it reaches the cluster only when it is delivered
    answer,   // it has happened; the answer comes when it is delivered
  };
  void hold(Hold hold);                  // of all calls from now on
  void hold(StoreCall call, Hold hold);  // of one kind
  [[nodiscard]] std::size_t held_count() const;
  [[nodiscard]] std::size_t held_count(StoreCall call) const;
  // Delivers the held one at this place in the order of asking; with a failure: fails it (a held request then happens
  // only if `applied`). False: there is none.
  bool deliver(std::size_t index = 0, const std::optional<StoreFailure>& failure = {});
  // A held request reaches the cluster now, its answer is still held. False: there is none at this place.
  bool arrive(std::size_t index = 0);
  // A held request's answer is lost (Outcome::unknown); the request itself goes on, and stays held without an answer.
  bool lose_answer(std::size_t index = 0);
  // Until none is left, those included that come meanwhile.
  void deliver_all();

  // --- for tests: what a cluster may lose -------------------------------------------------
  void lose_chunk(const cassandra::Uuid& segment, std::int32_t position);
  void lose_all_chunks();  // the table is truncated
  void lose_directory();

  // --- for tests: what is in it -----------------------------------------------------------
  [[nodiscard]] std::size_t count(StoreCall call) const;
  [[nodiscard]] std::vector<StoreCallRecord> calls() const;
  [[nodiscard]] std::vector<StoreCallRecord> calls(StoreCall call) const;
  [[nodiscard]] std::vector<cassandra::SegmentEntry> segments() const;  // of all shards, oldest bucket first
  [[nodiscard]] std::vector<cassandra::StoredChunk> chunks(const cassandra::Uuid& segment) const;
  [[nodiscard]] std::vector<KeptRow> rows() const;
  [[nodiscard]] std::vector<cassandra::TraceEntries> entries() const;
  [[nodiscard]] std::map<std::string, std::set<std::string>> names() const;
  [[nodiscard]] std::vector<cassandra::QuarantinedChunk> quarantined() const;
  [[nodiscard]] std::optional<cassandra::Lease> lease(std::int16_t shard) const;
  // A position that was written with two timestamps or two chunks, a chunk without its directory row: bugs of the
  // caller.
  [[nodiscard]] int violation_count() const;

 private:
  struct KeptSegment {
    bool has_head = false;  // else: an update without a row
    cassandra::SegmentEntry entry;
    std::int64_t progress_time = 0;  // of the last progress that counted, and of the last end
    std::int64_t ended_time = 0;
    base::SteadyTime ends_at{};
  };
  struct KeptChunk {
    cassandra::StoredChunk chunk;
    std::int64_t timestamp_us = 0;
    base::SteadyTime ends_at{};
  };
  struct KeptLease {
    cassandra::Uuid owner;
    std::int64_t epoch = 0;
    base::SteadyTime ends_at = base::SteadyTime::min();
  };
  struct Held {
    StoreCallRecord record;
    std::function<void(const std::optional<StoreFailure>&)> deliver;
    std::function<void()> arrive;
  };
  // `happen` runs under the lock and gives what the reader gets; `answer` runs without it.
  template <class T>
  void run(StoreCallRecord record, std::function<T()> happen,
           std::function<void(cassandra::StoreStatus, T)> answer) noexcept;
  void run(StoreCallRecord record, std::function<void()> happen, cassandra::StoreDone answer) noexcept;
  std::optional<StoreFailure> failure_of(const StoreCallRecord& record);
  std::optional<cassandra::SegmentEntry> visible(const KeptSegment& kept) const;
  KeptSegment& row_of(const cassandra::SegmentName& segment);
  cassandra::Lease lease_of(std::int16_t shard, const cassandra::Uuid& asking) const;

  struct Order {
    int count = 0;  // -1: for ever
    StoreFailure failure;
  };
  os::Clock& clock_;
  const Options options_;
  mutable std::recursive_mutex mutex_;
  std::array<Order, store_call_count> orders_{};
  std::function<std::optional<StoreFailure>(const StoreCallRecord&)> rule_;
  std::array<Hold, store_call_count> holds_{};
  bool window_ = true;
  std::vector<Held> held_;
  std::vector<StoreCallRecord> calls_;
  int violation_count_ = 0;

  std::map<std::pair<std::int16_t, base::WallTime>, base::SteadyTime> buckets_;  // until when
  std::map<cassandra::SegmentName, KeptSegment> segments_;
  std::map<cassandra::Uuid, std::map<std::int32_t, KeptChunk>> chunks_;
  std::map<std::pair<std::string, std::string>, KeptRow> rows_;
  std::map<std::pair<std::string, base::WallTime>,
           std::map<std::pair<base::WallTime, std::string>, cassandra::TraceEntry>>
      entries_;
  std::map<std::string, std::set<std::string>> names_;
  std::map<std::int16_t, KeptLease> leases_;
  std::map<model::ChunkId, cassandra::QuarantinedChunk> quarantined_;
};

}  // namespace arca::fakes
