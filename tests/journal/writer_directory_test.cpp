#include "journal/writer_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "journal/journal.hpp"
#include "os/private_directory.hpp"

namespace arca::journal {
namespace {

class WriterDirectoryTest : public testing::Test {
 protected:
  WriterDirectoryTest() {
    std::string pattern = testing::TempDir() + "arca-writer-XXXXXX";
    state_ = ::mkdtemp(pattern.data());
  }
  ~WriterDirectoryTest() override { std::filesystem::remove_all(state_); }

  std::unique_ptr<WriterDirectory> create() {
    auto made = WriterDirectory::create(state_);
    EXPECT_TRUE(made) << made.error().message();
    return std::move(*made);
  }
  static model::Totals totals_of(std::uint64_t accepted) {
    model::Totals totals{};
    totals[0].accepted = accepted;
    totals[0].delivered = accepted;
    return totals;
  }
  std::string shared() const { return state_ + "/shm"; }

  std::string state_;
};

TEST_F(WriterDirectoryTest, ALiveWriterIsNeverRobbed) {
  const auto writer = create();
  EXPECT_EQ(WriterDirectory::adopt(state_, writer->id()).error().code(), ErrorCode::busy);
  const auto entries = list_writers(state_);
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_EQ(entries->front().id, writer->id());
  EXPECT_TRUE(entries->front().live);
}

// Each tidies up what looks like another's unfinished directory: pre-forking servers start their workers like this.
TEST_F(WriterDirectoryTest, ManyThatStartAtTheSameMomentAllGetTheirDirectory) {
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) failed += WriterDirectory::create(state_) ? 0 : 1;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(list_writers(state_)->size(), 800U);
}

TEST_F(WriterDirectoryTest, ADeadWriterIsAdoptedOnce) {
  auto writer = create();
  const model::WriterId id = writer->id();
  writer.reset();
  EXPECT_FALSE(list_writers(state_)->front().live);
  const auto adopted = WriterDirectory::adopt(state_, id);
  ASSERT_TRUE(adopted);
  EXPECT_EQ(WriterDirectory::adopt(state_, id).error().code(), ErrorCode::busy);
}

TEST_F(WriterDirectoryTest, AFinishedWriterIsInTheLedgerAndGone) {
  auto writer = create();
  const model::WriterId id = writer->id();
  const auto place = choose_pool_place(*writer, 1000, shared());
  ASSERT_TRUE(place);
  std::ofstream(place->path) << "pool";
  ASSERT_TRUE(writer->finish(totals_of(7)));
  EXPECT_TRUE(list_writers(state_)->empty());
  EXPECT_FALSE(std::filesystem::exists(place->path));
  const auto ledger = read_ledger(state_);
  ASSERT_TRUE(ledger);
  ASSERT_EQ(ledger->entries.size(), 1U);
  EXPECT_EQ(ledger->entries[0].writer, id);
  EXPECT_EQ(ledger->entries[0].totals[0].accepted, 7U);
  writer.reset();
  EXPECT_EQ(WriterDirectory::adopt(state_, id).error().code(), ErrorCode::not_found);
}

TEST_F(WriterDirectoryTest, AWriterThatIsFinishedTwiceCountsOnce) {
  auto writer = create();
  const std::string path = writer->path();
  std::filesystem::create_directories(writer->journal_path());
  std::ofstream(writer->path() + "/unexpected") << "keeps the directory";
  EXPECT_FALSE(writer->finish(totals_of(7)));  // as a crash between ledger and removal would leave it
  std::filesystem::remove(path + "/unexpected");
  ASSERT_TRUE(writer->finish(totals_of(7)));
  EXPECT_EQ(read_ledger(state_)->entries.size(), 1U);
}

TEST_F(WriterDirectoryTest, WhatCouldNotBeReadSurvivesTheFinish) {
  auto writer = create();
  std::filesystem::create_directories(writer->journal_path());
  std::ofstream(writer->journal_path() + "/0000000000000009.segment") << "not ours, but somebody's";
  ASSERT_TRUE(writer->finish(totals_of(1)));
  EXPECT_TRUE(
      std::filesystem::exists(state_ + "/damaged/" + model::to_string(writer->id()) + "/0000000000000009.segment"));
}

TEST_F(WriterDirectoryTest, ADamagedLedgerEntryIsCountedAndHidesNoOther) {
  for (std::uint64_t i = 1; i <= 3; ++i) ASSERT_TRUE(create()->finish(totals_of(i)));
  {
    std::fstream file(state_ + "/ledger", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(192 + 30);
    file.put('x');
  }
  std::filesystem::resize_file(state_ + "/ledger", 3 * 192 + 50);  // and a torn one
  EXPECT_EQ(read_ledger(state_)->entries.size(), 2U);
  EXPECT_EQ(read_ledger(state_)->damaged_count, 2U);
  ASSERT_TRUE(create()->finish(totals_of(4)));
  EXPECT_EQ(read_ledger(state_)->entries.size(), 3U);
}

TEST_F(WriterDirectoryTest, ThereIsNoErrorWhereThereIsNothingYet) {
  EXPECT_TRUE(list_writers(state_ + "/none")->empty());
  EXPECT_TRUE(read_ledger(state_ + "/none")->entries.empty());
}

TEST_F(WriterDirectoryTest, AnUnbornDirectoryIsNoWriterAndIsTidiedAway) {
  std::filesystem::create_directories(state_ + "/writers/new-0123456789abcdef");
  EXPECT_TRUE(list_writers(state_)->empty());
  const auto writer = create();
  EXPECT_FALSE(std::filesystem::exists(state_ + "/writers/new-0123456789abcdef"));
}

TEST_F(WriterDirectoryTest, ThePoolGoesToTheSharedPlaceWhenThatCanHoldIt) {
  const auto writer = create();
  const auto place = choose_pool_place(*writer, 1000, shared());
  ASSERT_TRUE(place);
  EXPECT_EQ(place->path, shared() + "/" + model::to_string(writer->id()) + ".pool");
  EXPECT_EQ(os::read_symlink(writer->pool_link()).value(), place->path);
}

TEST_F(WriterDirectoryTest, ThePoolGoesToDiskWhenTheSharedPlaceIsTooSmall) {
  const auto writer = create();
  const auto place = choose_pool_place(*writer, ~0ULL, shared());
  ASSERT_TRUE(place);
  EXPECT_EQ(place->path, writer->path() + "/pool.data");
  EXPECT_FALSE(place->on_tmpfs);
  EXPECT_THAT(place->reason, testing::HasSubstr("bytes free"));
}

TEST_F(WriterDirectoryTest, ASharedPlaceThatSomebodyPreparedIsRefused) {
  const auto writer = create();
  std::filesystem::create_directory(state_ + "/theirs");
  std::filesystem::create_symlink(state_ + "/theirs", shared());
  const auto linked = choose_pool_place(*writer, 1000, shared());
  ASSERT_TRUE(linked);
  EXPECT_EQ(linked->path, writer->path() + "/pool.data");
  std::filesystem::remove(shared());
  std::filesystem::create_directory(shared());
  ASSERT_EQ(::chmod(shared().c_str(), 0777), 0);
  const auto open = choose_pool_place(*writer, 1000, shared());
  ASSERT_TRUE(open);
  EXPECT_EQ(open->path, writer->path() + "/pool.data");
}

}  // namespace
}  // namespace arca::journal
