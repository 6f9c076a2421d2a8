// The inside of CassandraSink: what its three sources share. Late answers of the store hold it, so it outlives the
// sink.
//
// Calls to the store, to the row writer and to whoever waits for an ack are collected under the lock and made without
// it, because each of them may call back at once.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <unordered_set>

#include "cassandra/cassandra_sink.hpp"
#include "cassandra/parking_segment.hpp"
#include "os/log.hpp"

namespace arca::cassandra {

class CassandraSink::State : public std::enable_shared_from_this<CassandraSink::State> {
 public:
  using Segment = std::shared_ptr<ParkingSegment>;
  using Delivery = std::shared_ptr<ParkingDelivery>;

  State(ParkingStore& store, RowWriter* rows, os::Clock& clock, os::Random& random, CassandraSinkOptions options);

  model::Readiness readiness(base::SteadyTime now) const noexcept;
  void submit(const model::Chunk& chunk, model::AckCallback& done);
  void cancel_all();
  base::SteadyTime tend(base::SteadyTime now);
  bool seal_all(base::SteadyTime deadline);
  bool holds_metrics() const noexcept { return metric_segments_.load(std::memory_order_acquire) > 0; }
  ParkedAccount account() const;

 private:
  // --- chunks: cassandra_sink.cpp. All of these under the lock. ---
  void place(const Delivery& delivery, Later& later);
  void send(const Delivery& delivery, const Segment& segment, Later& later);
  void take_answer(const Delivery& delivery, const StoreStatus& status) noexcept;  // without the lock
  void abandon(const Delivery& delivery) noexcept;                                 // without the lock
  void take_acknowledged(const Delivery& delivery, Later& later);
  void take_failure(const Delivery& delivery, const StoreStatus& status, Later& later);
  void answer(const Delivery& delivery, model::Verdict verdict, std::string reason, Later& later,
              std::optional<base::Duration> retry_after = {});
  void detach(const Delivery& delivery, Later& later);
  base::Duration age_of(const ParkingSegment& segment) const noexcept { return clock_.boot_now() - segment.opened_at; }
  base::Duration backoff(std::uint32_t failure_count) noexcept;
  // Whether what failed so is tried again, and then when.
  std::optional<base::SteadyTime> retry_time_of(const StoreStatus& status, bool was_unknown, base::SteadyTime begun_at,
                                                std::uint32_t failure_count, const ParkingSegment& segment);

  // --- segments: cassandra_sink_segments.cpp. All of these under the lock. ---
  Segment segment_for(model::Signal signal, Later& later);
  Segment open(std::uint32_t stripe, Later& later);
  void send_head(const Segment& segment, Later& later);
  void take_opened(const Segment& segment, const StoreStatus& status);
  void give_up_opening(const Segment& segment, const StoreStatus& status, Later& later);
  void close(const Segment& segment, Later& later);
  void seal_if_quiet(const Segment& segment, Later& later);
  void send_seal(const Segment& segment, Later& later);
  void take_sealed(const Segment& segment, const StoreStatus& status);
  void end(const Segment& segment, Later& later);
  void tend_segments(base::SteadyTime now, Later& later);
  void watch(base::SteadyTime now, Later& later);
  void take_watched(const SegmentName& name, const StoreStatus& status, const std::optional<SegmentEntry>& entry);
  void settle(const WaitingSegment& segment, const ItemCounts& found, const ItemCounts& quarantined);

  // Asks the store something; if there is no memory even for that, nothing was sent, and `take` is told so.
  template <class Send, class Take>
  static void ask(Send send, Take take) {
    try {
      send();
    } catch (const std::bad_alloc&) {
      take(StoreStatus{Outcome::not_sent, Refusal::none, "out of memory"});
    }
  }
  // Runs `body` under the lock, then what it has put off. Nothing leaves it; false: memory ran out on the way.
  template <class Body>
  bool guarded(Body body) noexcept {
    Later later;
    bool ended_well = true;
    try {
      const std::lock_guard lock(mutex_);
      body(later);
    } catch (const std::exception& error) {
      os::log(os::LogLevel::error, "parking in Cassandra: {}", error.what());
      ended_well = false;
    }
    later.run();
    changed_.notify_all();
    return ended_well;
  }

  ParkingStore& store_;
  RowWriter* const rows_;
  os::Clock& clock_;
  os::Random& random_;
  const CassandraSinkOptions options_;
  const base::Duration taking_time_;  // a segment takes chunks so long; the rest of its life is for their answers
  std::atomic<std::uint32_t> in_flight_{0};
  std::atomic<std::uint32_t> metric_segments_{0};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // All protected by mutex_.
  std::vector<Segment> stripes_;        // the segment that takes chunks now, or null
  std::deque<Segment> unsealed_;        // opened, not ended
  std::deque<WaitingSegment> waiting_;  // oldest first
  std::unordered_set<Delivery> deliveries_;
  ParkedAccount account_;
  base::WallTime last_opened_at_{};
  base::SteadyTime next_watch_at_{};
  std::uint32_t asked_count_ = 0;  // reads of the directory under way
  bool any_replayed_ = false;      // among those asked about last
};

// What to do about a refusal, for people.
std::string advice_of(const StoreStatus& status);

}  // namespace arca::cassandra
