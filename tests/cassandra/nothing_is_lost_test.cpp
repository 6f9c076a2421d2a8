// The rule between a writer and a recoverer (store.hpp), tried against whatever may happen between them: a writer that
// is frozen at any moment, requests that fail, arrive late or arrive without an answer, a recoverer that reads each
// segment exactly once.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "parking_fixture.hpp"
#include "support/repeated.hpp"

namespace {

using namespace arca;
using namespace std::chrono_literals;
using cassandra::Outcome;
using fakes::StoreCall;
using model::Verdict;
using tests::Parking;
using Hold = fakes::FakeParkingStore::Hold;

// Reads a segment once: as soon as it is sealed, or when it has been seen unsealed for lifetime and margin.
class Recoverer {
 public:
  explicit Recoverer(Parking& parking) : parking_(parking) {}

  void look() {
    const base::SteadyTime now = parking_.clock.steady_now();
    for (const auto& entry : parking_.store.segments()) {
      const auto [place, is_new] = seen_.try_emplace(entry.head.name, now);
      const bool is_whole =
          entry.sealed_at || now - place->second >= cassandra::segment_lifetime + cassandra::segment_margin;
      if (!is_whole || !read_.insert(entry.head.name).second) continue;
      for (const auto& chunk : parking_.store.chunks(entry.head.name.id)) {
        const auto back = cassandra::unpack(chunk);
        ASSERT_TRUE(back);
        ++found_[back->id];
      }
    }
  }
  [[nodiscard]] bool has(const model::ChunkId& id) const { return found_.contains(id); }
  [[nodiscard]] std::size_t unread_count() const { return parking_.store.segments().size() - read_.size(); }

 private:
  Parking& parking_;
  std::map<cassandra::SegmentName, base::SteadyTime> seen_;
  std::set<cassandra::SegmentName> read_;
  std::map<model::ChunkId, int> found_;
};

class History {
 public:
  explicit History(std::uint64_t seed) : dice_(seed), parking_(options(), seed), recoverer_(parking_) {}

  void run() {
    parking_.store.fail_by([this](const fakes::StoreCallRecord&) { return failure(); });
    for (int i = 0; i < 300; ++i) step();
    // The end: everything that is still to come comes, and the recoverer waits long enough.
    parking_.store.heal();
    parking_.store.hold(Hold::none);
    for (int i = 0; i < 200; ++i) {
      parking_.store.deliver_all();
      live(1s);
    }
    EXPECT_EQ(recoverer_.unread_count(), 0U);
    std::set<model::ChunkId> answered;
    for (const model::Ack& ack : parking_.acks.all()) {
      EXPECT_TRUE(answered.insert(ack.chunk_id).second) << "answered twice";
      if (ack.verdict != Verdict::parked) continue;
      ++parked_count;
      EXPECT_TRUE(recoverer_.has(ack.chunk_id)) << to_string(ack.chunk_id) << " is acknowledged, and nobody finds it";
    }
    EXPECT_EQ(answered.size(), sequence_);
    EXPECT_EQ(parking_.store.violation_count(), 0);
    anew_count = parking_.sink->account().parked_anew_count;
  }
  std::size_t parked_count = 0;
  std::size_t anew_count = 0;

 private:
  static cassandra::CassandraSinkOptions options() {
    cassandra::CassandraSinkOptions options;
    options.segment_bytes = 400;  // they rotate often
    return options;
  }
  bool chance(int percent) { return static_cast<int>(dice_() % 100) < percent; }
  base::Duration up_to(base::Duration most) {
    return base::Duration(static_cast<std::int64_t>(dice_() % static_cast<std::uint64_t>(most.count())));
  }
  std::optional<fakes::StoreFailure> failure() {
    if (!chance(20)) return std::nullopt;
    if (chance(50))
      return fakes::StoreFailure{.outcome = Outcome::unknown, .applied = chance(50), .message = "time-out"};
    return fakes::StoreFailure{.outcome = chance(50) ? Outcome::not_taken : Outcome::not_sent, .message = "busy"};
  }
  std::size_t any_held() { return dice_() % std::max<std::size_t>(1, parking_.store.held_count()); }

  void live(base::Duration time) {
    parking_.clock.advance(time);
    parking_.sink->tend(parking_.clock.steady_now());
    recoverer_.look();
  }
  // The writer stands still; cluster and recoverer do not.
  void freeze() {
    for (base::Duration left = up_to(90s); left > 0s; left -= 2s) {
      parking_.clock.advance(2s);
      if (chance(30)) parking_.store.arrive(any_held());
      recoverer_.look();
    }
  }
  void step() {
    if (chance(10)) parking_.store.hold(static_cast<Hold>(dice_() % 3));
    if (chance(60) && parking_.sink->readiness(model::Signal::traces, parking_.clock.steady_now()).ready)
      parking_.submit(++sequence_, chance(20) ? model::Signal::logs : model::Signal::traces);
    if (chance(50)) live(up_to(3s));
    if (chance(40)) parking_.store.deliver(any_held(), failure());
    if (chance(10)) parking_.store.lose_answer(any_held());
    if (chance(30)) parking_.store.arrive(any_held());
    if (chance(10)) parking_.store.deliver_all();
    if (chance(4)) freeze();
  }

  std::mt19937_64 dice_;
  Parking parking_;
  Recoverer recoverer_;
  std::uint64_t sequence_ = 0;
};

TEST(NothingIsLost, an_acknowledged_chunk_is_found_by_a_recoverer_whatever_was_frozen_when) {
  std::size_t parked_count = 0;
  std::size_t anew_count = 0;
  for (std::uint64_t seed = 1; seed <= std::uint64_t{support::repeated(150)}; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed);
    history.run();
    parked_count += history.parked_count;
    anew_count += history.anew_count;
    if (HasFailure()) break;
  }
  // The dice did throw what the law is about.
  EXPECT_GT(parked_count, std::size_t{support::repeated(5'000)});
  EXPECT_GT(anew_count, std::size_t{support::repeated(50)});
}

}  // namespace
