// What the Collector refuses for good, whole chunks or some of their items, and the quarantine that keeps it.
#include <set>
#include <string>
#include <vector>

#include "flow/dispatcher.hpp"
#include "flow/flow_fixture.hpp"

namespace arca::flow {
namespace {

class DispatcherQuarantineTest : public FlowFixture {
 protected:
  void put(std::uint64_t first, std::uint64_t last, Signal signal = Signal::traces) {
    for (std::uint64_t sequence = first; sequence <= last; ++sequence) source.put(make_chunk(sequence, signal));
  }
  FakeSink sink;
};

TEST_F(DispatcherQuarantineTest, a_chunk_of_which_items_were_refused_is_settled_only_once_it_lies_in_the_quarantine) {
  put(1, 2);
  DispatcherOptions keeping = options();
  int failures = 3;
  std::set<std::uint64_t> kept;
  keeping.keep_rejected = [&](const model::Chunk& chunk, const model::Ack& ack) -> Result<void> {
    if (failures-- > 0) return failure(ErrorCode::io, "the disk fails");
    EXPECT_EQ(ack.reason, "refused");
    kept.insert(chunk.id.sequence);
    return {};
  };
  Dispatcher dispatcher(source, sink, clock, keeping);
  settle_down(dispatcher);
  model::Ack partial = FakeSink::make(sink.pending_id(1), Verdict::delivered, "refused");
  partial.refused_item_count = 3;
  sink.ack(1, partial);
  sink.ack(0, Verdict::rejected, "refused");
  settle_down(dispatcher);
  EXPECT_FALSE(source.settlement(1) || source.settlement(2));
  live(dispatcher, 1s);
  EXPECT_EQ(kept, (std::set<std::uint64_t>{1, 2}));
  EXPECT_EQ(source.settlement(1)->verdict, Verdict::rejected);
  EXPECT_EQ(source.settlement(2)->verdict, Verdict::delivered);
  for (const std::uint64_t sequence : {1U, 2U}) EXPECT_EQ(source.settlement(sequence)->tier, model::Tier::journal);
  EXPECT_EQ(sink.submitted().size(), 2U);
}

// It would fill the window, and hold up what the Collector takes.
TEST_F(DispatcherQuarantineTest, what_a_full_quarantine_cannot_keep_is_settled_all_the_same_and_told) {
  put(1, 1);
  DispatcherOptions keeping = options();
  std::vector<std::string> told;
  keeping.report = [&](const Error& error) { told.push_back(error.message()); };
  keeping.keep_rejected = [](const model::Chunk&, const model::Ack&) -> Result<void> {
    return failure(ErrorCode::full, "quarantine is full");
  };
  Dispatcher dispatcher(source, sink, clock, keeping);
  settle_down(dispatcher);
  sink.ack(0, Verdict::rejected, "refused");
  settle_down(dispatcher);
  ASSERT_TRUE(source.settlement(1));
  EXPECT_EQ(source.settlement(1)->tier, model::Tier::none);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("is lost: quarantine is full"), std::string::npos) << told[0];
}

TEST_F(DispatcherQuarantineTest, refused_items_of_a_partial_success_are_counted_and_not_sent_again) {
  put(1, 1);
  Dispatcher dispatcher(source, sink, clock, options());
  settle_down(dispatcher);
  model::Ack partial = FakeSink::make(sink.pending_id(0), Verdict::delivered);
  partial.refused_item_count = 3;
  sink.ack(0, partial);
  live(dispatcher, 1h);
  EXPECT_EQ(dispatcher.counters().refused_item_count[0], 3U);
  EXPECT_EQ(sink.submitted().size(), 1U);
}

}  // namespace
}  // namespace arca::flow
