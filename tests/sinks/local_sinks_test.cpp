// DiskSink and QuarantiningSink over a real journal on a fake disk.
#include <gtest/gtest.h>

#include "fakes/fake_clock.hpp"
#include "fakes/fake_file_system.hpp"
#include "fakes/fake_sink.hpp"
#include "sinks/disk_sink.hpp"
#include "sinks/quarantining_sink.hpp"

namespace arca::sinks {
namespace {

using fakes::FakeSink;
using model::Ack;
using model::Tier;
using model::Verdict;

class LocalSinksTest : public testing::Test {
 protected:
  LocalSinksTest() {
    journal::JournalOptions options;
    options.directory = "/state/journal";
    options.writer = {77};
    options.size_max = 1U << 20U;
    options.segment_size = 256U << 10U;
    journal = std::move(journal::Journal::open(files, clock, options).value());
  }
  static model::Chunk chunk(std::uint64_t sequence, std::size_t size = 1000) {
    model::Chunk made;
    made.id = {{77}, sequence};
    made.item_count = 5;
    made.payload = model::Payload::own(std::vector<std::byte>(size, std::byte{7}));
    return made;
  }
  Ack give(model::Sink& sink, const model::Chunk& what) {
    std::optional<Ack> got;
    sink.submit(what, [&](Ack ack) { got = std::move(ack); });
    return got.value();
  }

  fakes::FakeClock clock;
  fakes::FakeFileSystem files;
  std::unique_ptr<journal::Journal> journal;
};

TEST_F(LocalSinksTest, WhatTheDiskTakesIsParkedInTheJournal) {
  DiskSink sink(*journal);
  const Ack ack = give(sink, chunk(1));
  EXPECT_EQ(ack.verdict, Verdict::parked) << ack.reason;
  EXPECT_EQ(ack.tier, Tier::journal);
  EXPECT_TRUE(journal->contains({{77}, 1}));
}

TEST_F(LocalSinksTest, AFullJournalAsksToTryLaterAndIsNotReady) {
  DiskSink sink(*journal);
  Ack ack;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    ack = give(sink, chunk(i, 200U << 10U));
    if (ack.verdict != Verdict::parked) break;
  }
  EXPECT_EQ(ack.verdict, Verdict::retry);
  EXPECT_FALSE(ack.reason.empty());
  EXPECT_TRUE(ack.retry_after.has_value());
}

TEST_F(LocalSinksTest, AFailingDiskIsARetryWithItsReason) {
  DiskSink sink(*journal);
  files.fail_when([](fakes::Operation operation, const std::string&) { return operation == fakes::Operation::write; });
  const Ack ack = give(sink, chunk(1));
  EXPECT_EQ(ack.verdict, Verdict::retry);
  EXPECT_FALSE(ack.reason.empty());
}

TEST_F(LocalSinksTest, ARejectedChunkIsKeptBeforeItsVerdictGoesOn) {
  FakeSink inner;
  QuarantiningSink sink(inner, *journal);
  inner.answer_by([](const model::Chunk& what) { return FakeSink::make(what.id, Verdict::rejected, "400"); });
  bool kept_in_time = false;
  Ack seen;
  sink.submit(chunk(1), [&](Ack ack) {
    kept_in_time = journal->contains({{77}, 1});
    seen = std::move(ack);
  });
  EXPECT_TRUE(kept_in_time);
  EXPECT_EQ(seen.verdict, Verdict::rejected);
  EXPECT_EQ(seen.tier, Tier::journal);
  EXPECT_EQ(sink.counters().kept_chunk_count, 1U);
}

TEST_F(LocalSinksTest, AChunkWithRefusedItemsIsKeptToo) {
  FakeSink inner;
  QuarantiningSink sink(inner, *journal);
  inner.answer_by([](const model::Chunk& what) {
    Ack ack = FakeSink::make(what.id, Verdict::delivered);
    ack.refused_item_count = 2;
    return ack;
  });
  const Ack ack = give(sink, chunk(1));
  EXPECT_EQ(ack.verdict, Verdict::delivered);
  EXPECT_EQ(ack.refused_item_count, 2U);
  EXPECT_EQ(ack.tier, Tier::journal);
  EXPECT_TRUE(journal->contains({{77}, 1}));
}

TEST_F(LocalSinksTest, AllOtherVerdictsPassUntouched) {
  FakeSink inner;
  QuarantiningSink sink(inner, *journal);
  for (const Verdict verdict : {Verdict::delivered, Verdict::retry, Verdict::unknown}) {
    inner.answer_by([=](const model::Chunk& what) { return FakeSink::make(what.id, verdict); });
    EXPECT_EQ(give(sink, chunk(9)).verdict, verdict);
  }
  EXPECT_FALSE(journal->contains({{77}, 9}));
}

TEST_F(LocalSinksTest, WhatTheQuarantineCannotKeepIsSaidToBeUnkept) {
  FakeSink inner;
  QuarantiningSink sink(inner, *journal);
  inner.answer_by([](const model::Chunk& what) { return FakeSink::make(what.id, Verdict::rejected, "400"); });
  files.fail_when([](fakes::Operation operation, const std::string&) { return operation == fakes::Operation::write; });
  const Ack ack = give(sink, chunk(1));
  EXPECT_EQ(ack.verdict, Verdict::rejected);
  EXPECT_EQ(ack.tier, Tier::none);
  EXPECT_NE(ack.reason.find("not kept"), std::string::npos) << ack.reason;
  EXPECT_EQ(sink.counters().unkept_chunk_count, 1U);
}

}  // namespace
}  // namespace arca::sinks
