// The inside of Journal, shared by journal.cpp (the interface), journal_open.cpp (what is there after a crash),
// journal_write.cpp (segments, reserve, removal) and journal_sync.cpp (power loss). Nobody else includes it.
#pragma once

#include <array>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "journal/chunk_queue.hpp"
#include "journal/journal.hpp"
#include "journal/segment_reader.hpp"
#include "journal/segment_writer.hpp"
#include "os/fork.hpp"

namespace arca::journal {

// Thread-safe where Journal is; functions that end in `_locked` require mutex_.
class Journal::State final : private os::ForkSubscriber {
 public:
  State(os::FileSystem& file_system, os::Clock& clock, JournalOptions options);
  ~State() override;

  Result<void> recover();
  Result<void> append(const model::Chunk& chunk);
  Result<void> sync();
  Result<std::optional<model::Claim>> claim(model::SignalSet signals, base::SteadyTime now);
  Result<void> settle(const model::Ack& ack);
  void release(const model::ChunkId& id, base::SteadyTime not_before);
  void forget_release_times();
  base::SteadyTime next_claim_at(model::SignalSet signals, base::SteadyTime now);
  void set_waker(std::function<void()> waker);
  model::Backlog backlog();
  model::Totals totals();
  model::Account account();
  JournalDamage damage();
  std::uint64_t size();
  bool has_room_for(std::uint64_t payload_bytes);
  bool holds(model::Signal signal);
  bool contains(const model::ChunkId& id);
  [[nodiscard]] const JournalOptions& options() const noexcept { return options_; }

  // False in a forked child: the parent's journal is none of its business.
  [[nodiscard]] bool is_ours() const noexcept { return generation_ == os::fork_generation(); }

 private:
  struct Segment {
    std::string path;
    std::uint64_t size = 0;  // in bytes on disk; the open one grows
    std::uint64_t unsettled_count = 0;
    std::uint64_t synced_end = 0;
    bool is_poisoned = false;        // a sync failed
    bool is_kept = false;            // damaged bytes could not be copied aside: move, don't remove
    std::uint64_t removable_at = 0;  // not before this many records are synced
  };
  struct Found;  // journal_open.cpp: a segment file on disk
  class Replay;  // journal_open.cpp: reading one of them

  // How a chunk ends; see RecordHeader.
  struct Ending {
    Settlement settlement = Settlement::none;
    std::uint32_t refused_item_count = 0;
    bool refused_are_lost = false;
  };
  static Ending ending_of(const model::Ack& ack) noexcept;

  // A chunk's record, read back for a claim.
  enum class ReadOutcome : std::uint8_t { good, damaged, failed };

  void prepare_fork() noexcept override;
  void after_fork_in_parent() noexcept override;
  void after_fork_in_child() noexcept override;

  ChunkQueue& queue(model::Signal signal) noexcept { return queues_[model::index_of(signal)]; }
  ChunkEntry* find_locked(const model::ChunkId& id, model::Signal* signal) noexcept;
  std::uint64_t unsettled_count_locked() const noexcept;

  // journal_open.cpp
  Result<std::vector<Found>> look_locked();
  Result<void> replay_locked(Found& found, bool is_last);
  void balance_totals_locked();
  void keep_aside_locked(SegmentReader& reader, std::uint64_t segment, std::uint64_t offset, std::uint64_t size);

  // journal_write.cpp
  Result<void> begin_segment_locked();
  Result<void> make_room_locked(std::uint64_t record_bytes);
  bool is_within_budget_locked(std::uint64_t record_bytes) const noexcept;
  bool is_rolling_locked(std::uint64_t record_bytes) const noexcept;
  Result<ChunkPlace> write_locked(const RecordHeader& header, std::span<const base::Bytes> payload);
  Result<void> write_settlements_locked();
  void note_settlement_locked(const RecordHeader& header);
  void end_chunk_locked(ChunkEntry& entry, model::Signal signal, const Ending& ending);
  void remove_settled_segments_locked();
  void renew_segment_locked();
  std::uint64_t size_locked() const noexcept;
  std::uint64_t reserve_locked() const noexcept;
  void close_locked(std::unique_lock<std::mutex>& lock);

  // journal_sync.cpp
  Result<void> wait_until_synced(std::unique_lock<std::mutex>& lock, std::uint64_t record_number);
  Result<void> sync_names() noexcept;
  Result<void> sync_once(std::unique_lock<std::mutex>& lock);
  void poison_locked(std::uint64_t segment, const Error& error);
  void rescue_locked();
  Result<void> rescue_segment_locked(std::uint64_t segment);
  Result<void> rescue_record_locked(SegmentReader& reader, std::uint64_t segment, const SegmentItem& item);
  void start_background_sync_locked();

  // journal.cpp
  static ReadOutcome read_chunk(os::File& file, const ChunkEntry& entry, std::vector<std::byte>& payload, Error& error);
  Result<void> rewrite_locked(const model::Chunk& chunk, RecordHeader header);
  Result<std::shared_ptr<os::File>> reader_of(std::uint64_t segment);
  void give_up_damaged_locked(ChunkEntry& entry, model::Signal signal);
  void wake();

  // --- constant after construction ---
  os::FileSystem& file_system_;
  os::Clock& clock_;
  const JournalOptions options_;
  const std::uint64_t generation_ = os::fork_generation();

  // --- guarded by mutex_ ---
  std::mutex mutex_;
  std::array<ChunkQueue, model::signal_count> queues_;
  std::map<std::uint64_t, Segment> segments_;  // ours, by number; oldest first
  std::unique_ptr<SegmentWriter> writer_;      // its segment is in segments_; null until something is written
  std::uint64_t next_number_ = 1;
  std::uint64_t next_order_ = 1;
  model::Totals totals_{};
  JournalDamage damage_;
  // Settlements that could not be written yet (disk full before the reserve existed, or a poisoned segment).
  std::vector<RecordHeader> pending_settlements_;
  std::shared_ptr<os::File> reader_;  // the segment claimed from last
  std::uint64_t reader_segment_ = 0;
  // Records are numbered from 1 as they are written in this process.
  std::uint64_t written_count_ = 0;
  std::uint64_t synced_count_ = 0;
  bool is_syncing_ = false;
  std::condition_variable sync_done_;
  struct Unsynced {
    std::uint64_t segment;
    std::shared_ptr<os::File> file;  // null: to be opened
    std::uint64_t end;
  };
  std::vector<Unsynced> unsynced_;     // closed or inherited segments with bytes not synced
  bool names_synced_ = false;          // the names of all segments, and of the directory, survive a power loss
  std::set<std::uint64_t> to_rescue_;  // poisoned segments whose unsynced records are not yet rewritten
  std::optional<Error> last_sync_error_;

  std::mutex waker_mutex_;  // held while the waker runs, so that set_waker() waits for it; taken alone
  std::function<void()> waker_;

  std::condition_variable_any stop_;
  std::jthread background_;  // last: it stops before what it uses
};

}  // namespace arca::journal
