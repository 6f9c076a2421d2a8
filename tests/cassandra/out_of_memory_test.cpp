// What happens when there is no memory at one moment while a chunk is parked: its window is free again, it is answered
// once, and what was answered is what the segment counts. Every allocation fails once.
#include <gtest/gtest.h>

#include "fakes/failing_memory.hpp"
#include "parking_fixture.hpp"

namespace {

using namespace arca;
using namespace std::chrono_literals;
using fakes::StoreCall;
using model::Verdict;
using tests::Parking;
using Hold = fakes::FakeParkingStore::Hold;

struct Case {
  const char* name;
  std::optional<fakes::StoreFailure> failure;  // of the put
  base::Duration wait{};                       // before its answer
};

class WithoutMemory : public testing::TestWithParam<Case> {};

TEST_P(WithoutMemory, no_window_is_lost_and_what_is_answered_is_what_counts) {
  for (long n = 0;; ++n) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    cassandra::CassandraSinkOptions options;
    options.in_flight_max = 1;
    options.stripe_count = 1;
    Parking parking(options);
    parking.store.hold(StoreCall::put_chunk, Hold::answer);
    int answer_count = 0;
    std::optional<Verdict> verdict;
    parking.sink->submit(fakes::make_chunk(1, model::Signal::metrics, 10, 100, tests::this_writer.value),
                         [&](const model::Ack& ack) {
                           ++answer_count;
                           verdict = ack.verdict;
                         });
    parking.clock.advance(GetParam().wait);
    const bool has_failed = fakes::fails_at(n, [&] { parking.store.deliver(0, GetParam().failure); });
    parking.store.hold(Hold::none);
    parking.store.deliver_all();
    parking.pass(40s);
    parking.store.deliver_all();
    ASSERT_EQ(answer_count, 1);
    EXPECT_TRUE(parking.sink->readiness(model::Signal::traces, parking.clock.steady_now()).ready);
    std::uint64_t counted = 0;
    for (const auto& entry : parking.store.segments()) {
      EXPECT_TRUE(entry.sealed_at);
      counted += entry.summary.item_count[model::index_of(model::Signal::metrics)];
    }
    EXPECT_EQ(counted, verdict == Verdict::parked ? 10U : 0U);
    EXPECT_EQ(parking.sink->account().parked[model::index_of(model::Signal::metrics)], counted);
    EXPECT_EQ(parking.sink->holds_metrics(), counted > 0);
    EXPECT_EQ(parking.sink->account().open_segment_count, 0U);
    if (!has_failed) break;
    ASSERT_LT(n, 1000);
  }
}

INSTANTIATE_TEST_SUITE_P(
    answers, WithoutMemory,
    testing::Values(Case{"acknowledged", {}}, Case{"too_late", {}, 31s},
                    Case{"refused", fakes::StoreFailure{.outcome = cassandra::Outcome::refused, .message = "no"}},
                    Case{"unknown", fakes::StoreFailure{.outcome = cassandra::Outcome::unknown, .message = "?"}}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
