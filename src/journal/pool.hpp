// Pool: the mapped, pre-faulted, recycled chunks of one live process. A record that append() accepted survives the
// death of the process from that moment on; whoever takes the writer's lock afterwards adopts the file.
// Used by the providers and plug-ins (append) and by the live Dispatcher (as a ChunkSource). The layout of
// the mapping is in pool_layout.hpp and docs/journal_format.md.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "arca/result.hpp"
#include "model/chunk_source.hpp"
#include "model/record_grammar.hpp"
#include "model/totals.hpp"
#include "os/clock.hpp"

namespace arca::journal {

struct PoolOptions {
  model::WriterId writer;
  std::string path;                                         // the file; tmpfs or disk
  std::uint64_t size_max = 64ULL << 20U;                    // bytes of chunks
  std::uint64_t size_initial = 8ULL << 20U;                 // allocated and pre-faulted at once
  base::Duration schedule_delay = std::chrono::seconds(1);  // open chunks are scraped at this age
  // Where bytes that cannot be read back are copied before they are counted as lost; empty: nowhere.
  std::string damaged_directory = {};
};

enum class AppendStatus : std::uint8_t {
  accepted,   // committed to the mapping
  no_room,    // no free chunk, and the room maker could not help: policy speaks
  too_large,  // larger than a chunk: goes to the journal directly
  closed,     // the pool has been closed, or belongs to the parent of a forked child
};

// Thread-safe.
class Pool final : public model::ChunkSource {
 public:
  // Creates the file and maps it. ErrorCode::full if not even size_initial can be allocated there.
  static Result<std::unique_ptr<Pool>> create(const PoolOptions& options, os::Clock& clock);
  // Maps the pool of a dead writer. Requires: the caller holds the writer's lock. Everything committed and
  // unsettled is claimable at once; append() answers `closed`. ErrorCode::busy if the pool's owner lives all the same.
  // Damage that cannot be kept aside is an error: nothing has been given up then.
  static Result<std::unique_ptr<Pool>> adopt(const std::string& path, os::Clock& clock,
                                             const std::string& damaged_directory = {});
  ~Pool() override;

  // --- hot path -------------------------------------------------------------------------------
  // Appends one framed record (see record_grammar.hpp) to the calling thread's open chunk. `item_count`
  // is 1 for spans and log records, the number of data points for a metric. Never throws, never waits
  // for a peer; for the disk only where the room maker does.
  AppendStatus append(model::Signal signal, model::ContextId context, base::Bytes record,
                      std::uint32_t item_count) noexcept;

  // Interns resource and scope bytes and returns their id; the same bytes get the same id. ErrorCode::full
  // when the context region is used up (the caller then sends such records through the journal).
  Result<model::ContextId> intern(const model::ContextView& context);
  [[nodiscard]] std::optional<model::ContextView> context(model::ContextId id) const;

  // Called on the appending thread when no chunk is free; returns whether it freed one (by moving the
  // oldest sealed chunks to the journal). It is called up to a hundred times for a record, as others may take what it
  // frees.
  void set_room_maker(std::function<bool()> room_maker);
  // Called, from any thread, when a chunk became free after an append found none. Must not call back.
  void set_freed_hook(std::function<void()> freed_hook);

  // --- draining -------------------------------------------------------------------------------
  Result<std::optional<model::Claim>> claim(model::SignalSet signals, base::SteadyTime now) override;
  Result<void> settle(const model::Ack& ack) override;
  void release(const model::ChunkId& id, base::SteadyTime not_before) override;
  void forget_release_times() override;
  [[nodiscard]] base::SteadyTime next_claim_at(model::SignalSet signals, base::SteadyTime now) override;
  void set_waker(std::function<void()> waker) override;
  [[nodiscard]] model::Backlog backlog() const override;

  // Seals everything committed so far, so that claim() gives it at once. Returns the highest sequence sealed.
  std::uint64_t seal_all();
  // The lowest sequence that is not settled; highest + 1 when everything is.
  [[nodiscard]] std::uint64_t lowest_unsettled() const;
  // Share of the chunks in use, 0 to 1: what the router compares with the high-water mark.
  [[nodiscard]] double fill() const noexcept;
  // Whether claims and committed records are all settled.
  [[nodiscard]] bool empty() const;

  // --- the law --------------------------------------------------------------------------------
  [[nodiscard]] model::Totals totals() const;                                      // as in the mapping, consistent
  [[nodiscard]] std::array<std::uint64_t, model::signal_count> in_memory() const;  // committed, not settled
  // Both of one moment, though threads append: each chunk is looked at once.
  [[nodiscard]] model::Account account() const;
  // Counts records that went past the pool: refused by policy, or accepted straight into the journal.
  void count_refused(model::Signal signal, std::uint64_t item_count) noexcept;
  void count_direct(model::Signal signal, std::uint64_t item_count) noexcept;
  // Takes the writer's next sequence, for a chunk that goes past the pool.
  std::uint64_t take_sequence() noexcept;

  [[nodiscard]] model::WriterId writer() const noexcept;
  [[nodiscard]] const std::string& path() const noexcept;
  [[nodiscard]] std::uint64_t resident_bytes() const noexcept;  // allocated part of the file
  // Stops accepting. Threads inside append() finish first.
  void close() noexcept;

  // Replaces what `arca status` shows of this process: JSON, at most 4 KiB (longer text is refused).
  bool publish_status(std::string_view json) noexcept;

  class State;  // private to pool*.cpp

 private:
  explicit Pool(std::shared_ptr<State> state) noexcept;
  std::shared_ptr<State> state_;  // claims in flight keep the mapping alive
};

}  // namespace arca::journal
