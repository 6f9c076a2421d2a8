// The two things that CassandraSink keeps account of: its segments, and the chunks on their way into them.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cassandra/request_facts.hpp"
#include "cassandra/store.hpp"
#include "model/sink.hpp"

namespace arca::cassandra {

struct ParkingSegment;

// One chunk on its way. Protected by the sink's mutex.
struct ParkingDelivery {
  StoredChunk stored;
  RequestFacts facts;
  model::AckCallback done;
  std::shared_ptr<ParkingSegment> segment;
  std::int64_t timestamp_us = 0;  // of the first attempt in this segment, and so of all
  base::SteadyTime begun_at{};
  std::optional<base::SteadyTime> retry_at;
  std::uint32_t failure_count = 0;
  std::uint32_t anew_count = 0;
  bool is_under_way = false;  // a callback of the store will come
  bool was_unknown = false;   // it may lie in the segment already
  bool is_answered = false;
};

// One segment until it is sealed, or given up. Protected by the sink's mutex.
struct ParkingSegment {
  SegmentHead head;
  base::SteadyTime opened_at{};                         // boot clock; taken before anybody can see the segment
  bool is_opened = false;                               // the directory row is acknowledged
  bool is_closed = false;                               // takes no more chunks
  bool is_sealing = false;                              // the row with the summary is on its way, or to be sent
  bool is_ended = false;                                // sealed, or given up
  std::vector<std::shared_ptr<ParkingDelivery>> queue;  // until it is opened
  std::uint32_t under_way_count = 0;                    // chunks that are not settled yet, one way or the other
  std::int32_t next_position = 0;
  std::uint64_t asked_bytes = 0;
  base::SteadyTime last_used_at{};           // steady clock, like what follows
  std::optional<base::SteadyTime> retry_at;  // of opening or sealing
  std::uint32_t failure_count = 0;
  base::WallTime sealed_at{};

  // What is acknowledged and counted.
  SegmentSummary summary;
  std::set<std::string, std::less<>> services;
  [[nodiscard]] bool holds(model::Signal signal) const noexcept {
    return summary.item_count[model::index_of(signal)] > 0;
  }
  [[nodiscard]] bool is_empty() const noexcept { return chunk_count == 0; }
  std::uint64_t chunk_count = 0;
  std::map<std::int32_t, UncountedChunk> uncounted;  // on their way, and those that were never counted

  void note_services(const ParkingDelivery& delivery);
  void count(const ParkingDelivery& delivery) noexcept;
  [[nodiscard]] SegmentSummary final_summary() const;
};

// One that has ended, until it is known what became of its chunks. In a long outage there are very many.
struct WaitingSegment {
  SegmentName name;  // in which they lie now
  base::WallTime opened_at{};
  base::SteadyTime alive_since{};  // by the boot clock: when the TTL of its chunks began, at the earliest
  base::WallTime sealed_at{};
  SegmentSummary summary;  // without its services
  // What was found in segments out of which the rest was moved.
  ItemCounts found{};
  ItemCounts quarantined{};
};

// Calls that must be made without the lock, in their order. Not thread-safe.
class Later {
 public:
  void add(std::function<void()> call) { calls_.push_back(std::move(call)); }
  // What a call throws concerns that call alone: it is logged.
  void run() noexcept;

 private:
  std::vector<std::function<void()>> calls_;
};

}  // namespace arca::cassandra
