// Journal: an append-only store of chunks in segment files, in one directory. One writer (the holder of the writer
// directory's lock), which is also its only reader: live it takes what the pool cannot hold, after a crash
// it is drained by recovery. Settlements are records in the same log, so no other file knows what is left.
// The format is in docs/journal_format.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "arca/result.hpp"
#include "model/chunk_source.hpp"
#include "model/totals.hpp"
#include "os/clock.hpp"
#include "os/file_system.hpp"

namespace arca::journal {

enum class Durability {
  process,  // append returns once the kernel has the bytes; synced in the background every sync_interval
  power,    // append returns once fdatasync has returned (appends that wait together share one)
};

struct JournalOptions {
  std::string directory;
  model::WriterId writer;
  std::uint64_t size_max = 4ULL << 30U;       // bytes over all segments
  std::uint64_t segment_size = 64ULL << 20U;  // a segment is closed when it has reached this
  Durability durability = Durability::process;
  base::Duration sync_interval = std::chrono::seconds(1);  // 0: only sync() and `power` sync
};

struct JournalDamage {
  std::uint64_t torn_tail_count = 0;       // a writer died while appending: no data was promised
  std::uint64_t skipped_record_count = 0;  // damaged inside; kept aside in <directory>/damaged
  std::uint64_t skipped_bytes = 0;
  std::uint64_t foreign_file_count = 0;  // not segments of this writer, or nothing readable in them: left alone
  std::uint64_t failed_sync_count = 0;   // each gave up a segment; what was not yet synced was written anew
};

// Thread-safe.
class Journal final : public model::ChunkSource {
 public:
  // Opens or creates. Scans what is there: a torn tail is cut, a damaged record is skipped, kept aside and
  // counted; ErrorCode::unsupported_version for a format this build does not know (nothing is touched).
  static Result<std::unique_ptr<Journal>> open(os::FileSystem& file_system, os::Clock& clock,
                                               const JournalOptions& options);
  ~Journal() override;

  // Appends a chunk; on return it is durable as the options say. ErrorCode::full at the byte budget or when
  // the disk is full (nothing is overwritten, later appends may succeed), ErrorCode::poisoned after a
  // failed sync until a new segment could be begun. After any other error the chunk may be here all the same and
  // may be appended again. A chunk whose id is already here is not stored twice.
  Result<void> append(const model::Chunk& chunk);
  [[nodiscard]] bool contains(const model::ChunkId& id) const;
  // Waits until everything appended before the call survives a power loss.
  Result<void> sync();

  Result<std::optional<model::Claim>> claim(model::SignalSet signals, base::SteadyTime now) override;
  Result<void> settle(const model::Ack& ack) override;
  void release(const model::ChunkId& id, base::SteadyTime not_before) override;
  void forget_release_times() override;
  [[nodiscard]] base::SteadyTime next_claim_at(model::SignalSet signals, base::SteadyTime now) override;
  void set_waker(std::function<void()> waker) override;
  [[nodiscard]] model::Backlog backlog() const override;

  // Totals over the journal's whole life, also over segments already removed. `journaled` counts what was
  // appended, the others how it was settled; accepted and refused stay 0.
  [[nodiscard]] model::Totals totals() const;
  [[nodiscard]] model::Account account() const;  // totals, and the items that are here, of one moment
  [[nodiscard]] JournalDamage damage() const;
  [[nodiscard]] std::uint64_t size() const;  // bytes of all segments
  [[nodiscard]] std::uint64_t size_max() const;
  // Whether an append of this many payload bytes would be within the budget.
  [[nodiscard]] bool has_room_for(std::uint64_t payload_bytes) const;
  // Whether an unsettled chunk of this signal is here (live metrics must then queue behind it).
  [[nodiscard]] bool holds(model::Signal signal) const;

 private:
  class State;
  explicit Journal(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace arca::journal
