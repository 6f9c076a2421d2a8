// DeadWriterSource: journal and pool of one dead writer as a single ChunkSource, so that one Dispatcher drains both in
// the right order. Used by Recovery.
#pragma once

#include <mutex>
#include <unordered_map>
#include <vector>

#include "flow/dead_writer.hpp"
#include "model/chunk_source.hpp"

namespace arca::flow {

// Thread-safe. The writer outlives it.
//
// Order: the journal holds what left the pool first, so it goes first, and metric chunks of the pool wait until the
// journal holds none.
class DeadWriterSource final : public model::ChunkSource {
 public:
  explicit DeadWriterSource(DeadWriter& writer) : writer_(writer) {}

  // Looks at the pool's next chunk: one that lies in the journal too is settled in the pool as journaled, because its
  // writer died between append and settle. True once all have been seen. Requires: nothing was claimed yet.
  Result<bool> reconcile_one();

  Result<std::optional<model::Claim>> claim(model::SignalSet signals, base::SteadyTime now) override;
  Result<void> settle(const model::Ack& ack) override;
  void release(const model::ChunkId& id, base::SteadyTime not_before) override;
  void forget_release_times() override;
  [[nodiscard]] base::SteadyTime next_claim_at(model::SignalSet signals, base::SteadyTime now) override;
  void set_waker(std::function<void()> waker) override;
  [[nodiscard]] model::Backlog backlog() const override;

 private:
  model::ChunkSource& origin_of(const model::ChunkId& id);
  void forget(const model::ChunkId& id);

  DeadWriter& writer_;
  std::vector<model::ChunkId> seen_;  // claimed while reconciling, given back at its end
  mutable std::mutex mutex_;
  std::unordered_map<model::ChunkId, model::ChunkSource*> claimed_;  // protected by mutex_
};

}  // namespace arca::flow
