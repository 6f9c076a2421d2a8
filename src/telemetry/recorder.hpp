// Recorder: where finished records leave the providers. It hands them to the pool of this process, goes past it for
// records that no chunk can hold, counts what policy refuses, and opens a new pool in a forked child. Used by tracers,
// loggers, the metric exporter and the plug-ins.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/biased_lock.hpp"
#include "base/bytes.hpp"
#include "flow/doorbell.hpp"
#include "journal/pool.hpp"
#include "model/chunk.hpp"
#include "os/fork.hpp"
#include "telemetry/thread_cache.hpp"

namespace arca::telemetry {

// Where records go: of one process, from start to shutdown or fork.
struct Intake {
  journal::Pool* pool = nullptr;
  os::Clock* clock = nullptr;
  std::uint32_t epoch = 0;  // rises with each intake of a recorder; never 0
  // Makes a chunk durable that goes past the pool.
  std::function<Result<void>(const model::Chunk&)> append_direct;
  std::uint64_t direct_size_max = UINT64_MAX;  // of a record; a larger one is refused, however long it waited
  // The policy when pool and journal are full: how long a caller waits before its record is refused.
  base::Duration block_max{};
  std::shared_ptr<flow::Doorbell> progress = std::make_shared<flow::Doorbell>();  // rings when room may have come
};

// The resource's bytes, shared by all scopes of a provider. A forked child is another process, with another resource;
// the bytes it replaces are kept, as other threads may read them.
class ResourceSlot {
 public:
  explicit ResourceSlot(std::vector<std::byte> bytes) { replace(std::move(bytes)); }
  ResourceSlot(const ResourceSlot&) = delete;
  ResourceSlot& operator=(const ResourceSlot&) = delete;
  [[nodiscard]] base::Bytes bytes() const noexcept { return *present_.load(std::memory_order_acquire); }
  // By one thread at a time.
  void replace(std::vector<std::byte> bytes) {
    versions_.push_back(std::make_unique<const std::vector<std::byte>>(std::move(bytes)));
    present_.store(versions_.back().get(), std::memory_order_release);
  }

 private:
  std::vector<std::unique_ptr<const std::vector<std::byte>>> versions_;
  std::atomic<const std::vector<std::byte>*> present_{nullptr};
};

// Resource and scope of a tracer, logger or metric, as wire bytes, and their id in the present pool. Thread-safe.
class ScopeContext {
 public:
  // `resource` outlives it.
  ScopeContext(const ResourceSlot& resource, std::vector<std::byte> scope_fields)
      : resource_(resource), scope_fields_(std::move(scope_fields)) {}

  [[nodiscard]] model::ContextView view() const noexcept { return {resource_.bytes(), scope_fields_}; }
  // The id in this intake's pool; no_context if its context region is used up.
  model::ContextId id_in(const Intake& intake) noexcept {
    const std::uint64_t known = known_.load(std::memory_order_relaxed);
    if (known >> 32U == intake.epoch) [[likely]]
      return static_cast<model::ContextId>(known);
    return intern(intake);
  }

 private:
  [[gnu::cold]] model::ContextId intern(const Intake& intake) noexcept;

  const ResourceSlot& resource_;
  const std::vector<std::byte> scope_fields_;
  std::atomic<std::uint64_t> known_{0};  // epoch and id
};

// Thread-safe, but open and close are their owner's. Outlives every provider, tracer and span that uses it.
class Recorder final : private os::ForkSubscriber {
 public:
  // `reopen` makes the intake of a forked child, or nothing; called at the child's first record.
  using Reopen = std::function<const Intake*()>;
  Recorder();
  ~Recorder() override;

  void open(const Intake* intake, Reopen reopen);
  // Stops recording. True: no thread uses the intake any more. False: some thread is still inside at the deadline (it
  // waits for room, by policy); the intake must then stay.
  bool close(os::Clock& clock, base::SteadyTime deadline) noexcept;
  [[nodiscard]] bool is_open() const noexcept { return intake_.load(std::memory_order_acquire) != nullptr; }

  // Hands a framed record over. False: it was refused (and counted), or the recorder is closed. Bytes are empty
  // when the writer had no memory, which counts as refused.
  bool record(model::Signal signal, ScopeContext& scope, base::Bytes record, std::uint32_t item_count) noexcept;

  // Callers that stand still now, because pool and journal are full.
  [[nodiscard]] std::uint32_t waiting_count() const noexcept { return waiting_count_.load(std::memory_order_relaxed); }

 private:
  enum class Direct : std::uint8_t { taken, full, never };

  bool hand_over(const Intake& intake, model::Signal signal, ScopeContext& scope, base::Bytes record,
                 std::uint32_t item_count) noexcept;
  [[gnu::cold]] bool go_past_pool(const Intake& intake, model::Signal signal, ScopeContext& scope, base::Bytes record,
                                  std::uint32_t item_count, journal::AppendStatus status) noexcept;
  [[gnu::cold]] Direct append_direct(const Intake& intake, model::Signal signal, ScopeContext& scope,
                                     base::Bytes record, std::uint32_t item_count) noexcept;
  [[gnu::cold]] bool wait_for_room(const Intake& intake, std::uint64_t seen, base::SteadyTime& give_up_at) noexcept;
  [[gnu::cold]] bool refuse(const Intake& intake, model::Signal signal, std::uint32_t item_count) noexcept;
  [[gnu::cold]] bool reopen_after_fork() noexcept;

  void after_fork_in_child() noexcept override;

  std::atomic<const Intake*> intake_{nullptr};
  std::atomic<bool> forked_{false};     // an intake was inherited and must not be used
  std::atomic<bool> reopening_{false};  // one thread makes the child's intake, the others wait; no lock, as it may fork
  Reopen reopen_;                       // set while closed
  std::atomic<std::int64_t> direct_again_at_{0};   // steady nanoseconds
  std::atomic<std::uint64_t> direct_progress_{0};  // what the doorbell said then
  std::atomic<std::uint32_t> waiting_count_{0};
};

}  // namespace arca::telemetry
