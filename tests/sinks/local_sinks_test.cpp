// DiskSink over a real journal on a fake disk.
#include <gtest/gtest.h>

#include "fakes/fake_clock.hpp"
#include "fakes/fake_file_system.hpp"
#include "sinks/disk_sink.hpp"

namespace arca::sinks {
namespace {

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

}  // namespace
}  // namespace arca::sinks
