// A Sink that answers as it is told: at once by a rule, or later when the test says so. It remembers all it was given.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/sink.hpp"

namespace arca::fakes {

// Thread-safe.
class FakeSink final : public model::Sink {
 public:
  using Rule = std::function<std::optional<model::Ack>(const model::Chunk&)>;

  explicit FakeSink(std::string name = "fake") : name_(std::move(name)) {}

  std::string_view name() const noexcept override { return name_; }
  model::Readiness readiness(model::Signal, base::SteadyTime) noexcept override {
    const std::lock_guard lock(mutex_);
    return readiness_;
  }
  void submit(model::Chunk chunk, model::AckCallback done) noexcept override {
    std::optional<model::Ack> ack;
    {
      const std::lock_guard lock(mutex_);
      submitted_.push_back(chunk);
      if (rule_) ack = rule_(chunk);
      if (!ack) pending_.emplace_back(chunk.id, done);
    }
    if (ack) done(std::move(*ack));
  }
  void cancel_all() noexcept override {
    std::vector<std::pair<model::ChunkId, model::AckCallback>> pending;
    {
      const std::lock_guard lock(mutex_);
      ++cancel_count_;
      if (deaf_) return;
      pending.swap(pending_);
    }
    for (auto& [id, done] : pending) done(make(id, model::Verdict::unknown, "cancelled"));
  }

  // --- for tests --------------------------------------------------------------------------
  static model::Ack make(const model::ChunkId& id, model::Verdict verdict, std::string reason = {}) {
    model::Ack ack;
    ack.chunk_id = id;
    ack.verdict = verdict;
    ack.reason = std::move(reason);
    if (verdict == model::Verdict::parked) ack.tier = model::Tier::journal;
    return ack;
  }
  void answer_by(Rule rule) {
    const std::lock_guard lock(mutex_);
    rule_ = std::move(rule);
  }
  void answer_at_once(model::Verdict verdict, std::string reason = {}) {
    answer_by([verdict, reason](const model::Chunk& chunk) { return make(chunk.id, verdict, reason); });
  }
  void answer_later() { answer_by({}); }
  void set_readiness(model::Readiness readiness) {
    const std::lock_guard lock(mutex_);
    readiness_ = readiness;
  }
  void ignore_cancel() {
    const std::lock_guard lock(mutex_);
    deaf_ = true;
  }
  // Answers the pending delivery at this place in the order of submission.
  void ack(std::size_t index, model::Ack ack) {
    model::AckCallback done;
    {
      const std::lock_guard lock(mutex_);
      done = pending_.at(index).second;
      pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(index));
    }
    done(std::move(ack));
  }
  void ack(std::size_t index, model::Verdict verdict, std::string reason = {}) {
    std::pair<model::ChunkId, model::AckCallback> pending;
    {
      const std::lock_guard lock(mutex_);
      pending = pending_.at(index);
      pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(index));
    }
    pending.second(make(pending.first, verdict, std::move(reason)));
  }
  void ack_all(model::Verdict verdict) {
    while (pending_count() > 0) ack(0, verdict);
  }
  [[nodiscard]] model::ChunkId pending_id(std::size_t index) const {
    const std::lock_guard lock(mutex_);
    return pending_.at(index).first;
  }
  [[nodiscard]] model::AckCallback pending_callback(std::size_t index) const {
    const std::lock_guard lock(mutex_);
    return pending_.at(index).second;
  }
  [[nodiscard]] std::size_t pending_count() const {
    const std::lock_guard lock(mutex_);
    return pending_.size();
  }
  [[nodiscard]] std::vector<model::Chunk> submitted() const {
    const std::lock_guard lock(mutex_);
    return submitted_;
  }
  [[nodiscard]] std::vector<std::uint64_t> submitted_sequences() const {
    std::vector<std::uint64_t> sequences;
    for (const model::Chunk& chunk : submitted()) sequences.push_back(chunk.id.sequence);
    return sequences;
  }
  [[nodiscard]] int cancel_count() const {
    const std::lock_guard lock(mutex_);
    return cancel_count_;
  }

 private:
  const std::string name_;
  mutable std::mutex mutex_;
  Rule rule_;
  model::Readiness readiness_;
  std::vector<std::pair<model::ChunkId, model::AckCallback>> pending_;
  std::vector<model::Chunk> submitted_;
  int cancel_count_ = 0;
  bool deaf_ = false;
};

}  // namespace arca::fakes
