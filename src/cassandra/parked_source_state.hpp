// The inside of ParkedSource: what its sources share.
#pragma once

#include <deque>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "cassandra/async_state.hpp"
#include "cassandra/parked_segment.hpp"
#include "cassandra/parked_source.hpp"

namespace arca::cassandra {

class ParkedSource::State final : public AsyncState {
 public:
  State(ParkingStore& store, RowWriter* rows, os::Clock& clock, os::Random& random, ParkedSourceOptions options);

  base::SteadyTime tend(base::SteadyTime now);
  bool close(base::SteadyTime deadline);
  void scan_now();
  [[nodiscard]] bool is_drained() const;
  [[nodiscard]] ParkedSourceStatus status() const;

  Result<std::optional<model::Claim>> claim(model::SignalSet signals, base::SteadyTime now);
  Result<void> settle(const model::Ack& ack);
  void release(const model::ChunkId& id, base::SteadyTime not_before);
  void forget_release_times();
  base::SteadyTime next_claim_at(model::SignalSet signals, base::SteadyTime now);
  [[nodiscard]] model::Backlog backlog() const;

 private:
  using Phase = ParkedSegment::Phase;

  // A time span of the directory, of one shard.
  struct Bucket {
    model::Backlog rest;                                  // of segments that are not kept for want of room
    base::SteadyTime again_at = base::SteadyTime::min();  // when to look at it again
  };
  struct Holding {  // of the lease of a shard
    enum class State : std::uint8_t { none, taking, held, giving_back } state = State::none;
    std::int64_t epoch = 0;
    base::SteadyTime valid_until{};  // by the boot clock: it goes on while the process is stopped
    base::SteadyTime renew_at{};
    base::SteadyTime again_at = base::SteadyTime::min();  // not asked for before
    bool is_renewing = false;
    std::uint32_t failure_count = 0;
    base::SteadyTime moved_at{};  // when something of the shard was settled or read last
  };
  struct Shard {
    std::int16_t number = 0;
    bool is_scanned = false;
    std::map<base::WallTime, Bucket> buckets;
    std::map<SegmentOrder, std::unique_ptr<ParkedSegment>> segments;  // the oldest ones that need care
    std::map<SegmentOrder, ParkedSegment*> waiting;                   // of them, to be delivered and not begun
    Holding held;
  };
  struct Scan {
    bool is_running = false;
    bool has_failed = false;
    std::uint64_t number = 0;
    std::int16_t shard = 0;
    std::vector<base::WallTime> todo;  // buckets of the shard, the next one last
    model::Backlog rest;               // of the bucket that is being listed
  };
  // Which segment an answer is for. It may be gone, or begun anew, when the answer comes.
  struct Handle {
    std::int16_t shard = 0;
    SegmentOrder order;
    std::uint64_t generation = 0;
  };
  struct Place {  // of a chunk
    Handle handle;
    std::int32_t position = 0;
  };
  struct Claimed {
    Place place;
    StoredChunk stored;  // its verdict may come when the lease, and with it the slot, has gone
  };
  struct Quarantine {  // a chunk on its way there
    Place place;
    QuarantinedChunk chunk;
    std::uint64_t number = 0;
    bool is_damaged = false;  // it says so itself, not the Collector: another copy of it may be whole
    bool is_under_way = false;
    std::uint32_t failure_count = 0;
    base::SteadyTime again_at = base::SteadyTime::min();
  };
  struct RowsJob {  // a segment whose chunks are handed to the row writer
    std::int16_t shard = 0;
    std::int64_t epoch = 0;  // of the lease under which it began
    SegmentOrder order;
    SegmentName name;
    std::int32_t cursor = 0;
    bool is_under_way = false;
    std::uint32_t failure_count = 0;
    base::SteadyTime again_at = base::SteadyTime::min();
  };
  struct Rescue;  // a segment near its TTL that is written anew
  struct Budget {
    std::uint64_t chunks = 0;
    std::uint64_t bytes = 0;
  };

  // --- parked_source.cpp ---
  void after_answer() override;
  void after_failure(const char* what) noexcept override;
  base::SteadyTime pump(base::SteadyTime now);
  [[nodiscard]] ParkedSegment* find(const Handle& handle);
  [[nodiscard]] static Handle handle_of(const ParkedSegment& segment) {
    return {segment.shard(), segment.order(), segment.generation};
  }
  [[nodiscard]] double draw() noexcept;                                  // in [0, 1)
  [[nodiscard]] base::Duration stretched(base::Duration time) noexcept;  // by a factor of 0.75 to 1.25
  [[nodiscard]] base::Duration backoff(std::uint32_t failure_count) noexcept;
  void note_failure(const char* what, const StoreStatus& status);
  void report_once(const Error& error);

  // --- claims: parked_source_claims.cpp ---
  struct Pick {
    ParkedSegment* segment = nullptr;
    std::int32_t position = 0;
    base::SteadyTime next_at = base::never;
  };
  Pick pick(model::SignalSet signals, base::SteadyTime now);
  [[nodiscard]] bool metrics_are_barred(const ParkedSegment& segment, model::WriterId writer) const;
  void quarantine(const Claimed& claimed, std::uint32_t refused, const std::string& reason, bool is_damaged = false);
  [[nodiscard]] bool is_on_its_way_to_quarantine(const model::ChunkId& id) const;
  base::SteadyTime send_quarantines(base::SteadyTime now);
  void settle_slot(ParkedSegment& segment, std::int32_t position, std::uint32_t quarantined);
  void remember(const model::ChunkId& id, std::uint32_t refused);

  // --- the directory: parked_source_scan.cpp ---
  base::SteadyTime tend_scan(base::SteadyTime now);
  void scan_shard();
  void take_buckets(const StoreStatus& status, const std::vector<base::WallTime>& found);
  void scan_bucket(std::vector<std::byte> page);
  void take_page(const StoreStatus& status, Page<SegmentEntry> page);
  void note_entry(Shard& shard, SegmentEntry entry);
  void end_bucket(Shard& shard, base::WallTime time);
  void trim(Shard& shard);
  void end_shard(bool is_whole);
  [[nodiscard]] bool rows_are_missing(const ParkedSegment& segment) const;
  void watch(Shard& shard, ParkedSegment& segment);
  void keep_head(const ParkedSegment& segment, SegmentEntry& entry);
  void drop(Shard& shard, const SegmentOrder& order);
  void check_ttl(const ParkedSegment& segment);
  [[nodiscard]] double age_share(const SegmentEntry& entry) const;

  // --- leases: parked_source_leases.cpp ---
  base::SteadyTime tend_leases(base::SteadyTime now);
  base::SteadyTime take_leases(std::uint32_t count, base::SteadyTime now);
  [[nodiscard]] bool has_slots(const Shard& shard) const;
  [[nodiscard]] bool is_valid(const Shard& shard) const;
  [[nodiscard]] bool has_work(const Shard& shard, base::SteadyTime now) const;
  void take_lease(Shard& shard);
  void renew_lease(Shard& shard);
  void give_back(Shard& shard, base::SteadyTime not_before);
  void lose(Shard& shard);
  void reset(Shard& shard);

  // --- reading and progress: parked_source_read.cpp ---
  base::SteadyTime tend_segments(base::SteadyTime now);
  void read_ahead(base::SteadyTime now);
  bool read_next(base::SteadyTime now);
  void open_segment(Shard& shard, ParkedSegment& segment);
  void take_opened(const Handle& handle, const StoreStatus& status, std::optional<SegmentEntry> entry);
  void read(ParkedSegment& segment, std::int32_t from, std::uint32_t limit, bool is_pass);
  void take_chunks(const Handle& handle, const StoreStatus& status, std::vector<StoredChunk> chunks, std::int32_t from,
                   bool is_pass);
  void take_chunk(ParkedSegment& segment, StoredChunk chunk);
  [[nodiscard]] std::uint32_t room();
  void make_room();
  void drop_payload(ParkedSlot& slot);
  void forget_slots(ParkedSegment& segment);
  base::SteadyTime write_progress(ParkedSegment& segment, base::SteadyTime now);
  void take_marked(const Handle& handle, const StoreStatus& status, const ParkingStore::Progress& written);
  void tell_missing(const SegmentEntry& entry);

  // --- old segments written anew, rows of dead writers: parked_source_rescue.cpp, parked_source_rows.cpp ---
  base::SteadyTime tend_rescue(base::SteadyTime now);
  bool begin_rescue(base::SteadyTime now);
  void step_rescue(ParkedSegment& segment);
  bool take_rescue_answer(const StoreStatus& status, const char* what);
  void read_rescued(const ParkedSegment& segment);
  void take_rescued(const StoreStatus& status, const std::vector<StoredChunk>& chunks);
  void put_rescued();
  ParkingStore::Progress end_of_rescued(ParkedSegment& segment);
  void end_rescue();
  base::SteadyTime tend_rows(base::SteadyTime now);
  [[nodiscard]] bool rows_are_due(const ParkedSegment& segment, base::SteadyTime now) const;
  [[nodiscard]] static std::optional<std::int32_t> chunk_count_of(const ParkedSegment& segment);
  void take_row_chunks(const StoreStatus& status, std::vector<StoredChunk> chunks);

  ParkingStore& store_;
  RowWriter* const rows_;
  os::Clock& clock_;
  os::Random& random_;
  const ParkedSourceOptions options_;
  const Uuid owner_;
  const base::Duration wait_;  // until an unsealed segment is whole

  // Protected by the lock, all that follows.
  bool is_closing_ = false;
  base::SteadyTime told_wake_ = base::never;  // what tend() returned

  std::array<Shard, shard_count> shards_;
  Scan scan_;
  base::SteadyTime scan_at_;
  std::uint64_t scan_wanted_ = 1;                  // by its number: the first that begins after somebody asked for one
  std::uint64_t last_whole_scan_ = 0;              // the last that ended and missed nothing
  std::map<SegmentOrder, ParkedSegment*> active_;  // being opened or replayed; all of shards that we hold
  std::uint64_t generation_ = 0;
  std::unordered_map<model::ChunkId, Claimed> claimed_;
  std::deque<Quarantine> quarantines_;
  std::uint64_t quarantine_count_ = 0;  // ever
  // What has its verdict since lately, with the items that were refused: a chunk can lie in two segments, or be read
  // again under the next lease.
  std::unordered_map<model::ChunkId, std::uint32_t> recent_;
  std::deque<model::ChunkId> recent_order_;
  Budget held_;
  Budget reserved_;
  std::size_t slot_count_ = 0;
  std::uint64_t chunk_estimate_;
  std::uint32_t reading_count_ = 0;
  model::SignalSet asked_ = model::SignalSet::all();  // signals that the dispatcher asked for last
  bool is_starving_ = false;                          // and of which there was nothing to give
  std::optional<Place> load_;                         // a chunk without payload that could be given
  std::optional<RowsJob> rows_job_;
  std::shared_ptr<Rescue> rescue_;
  std::set<Uuid> rescues_;  // segments that we are writing ourselves
  ParkedSourceStatus status_;
  std::string reported_;
  bool ttl_was_reported_ = false;
};

}  // namespace arca::cassandra
