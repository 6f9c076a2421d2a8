// Following files through all that happens to them. The clock is a fake; the files are real.
#include "cli/agent/log_follower.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "fakes/fake_clock.hpp"
#include "support/temporary_directory.hpp"

namespace arca::cli::agent {
namespace {

using Texts = std::vector<std::string>;
using std::chrono::seconds;

class RecordingSink final : public LogRecordSink {
 public:
  bool accept(const std::string& path, const LogSource&, const std::vector<SplitRecord>& records) override {
    if (refusing) return false;
    for (const SplitRecord& one : records) texts.push_back(one.text);
    last_path = path;
    return true;
  }
  Texts texts;
  std::string last_path;
  bool refusing = false;
};

class LogFollowerTest : public ::testing::Test {
 protected:
  std::string log() const { return directory_ / "app.log"; }
  void append(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::app) << text; }
  void overwrite(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::trunc) << text; }

  // A follower is one run of the agent; a new one is a restart with the same state.
  void restart(std::string pattern = "") {
    follower_.reset();
    LogFollowerOptions options = options_;
    if (options.sources.empty()) options.sources = {{pattern.empty() ? log() : pattern, true, nullptr, {}}};
    follower_ = std::make_unique<LogFollower>(options, store_, sink_, clock_);
    ASSERT_TRUE(follower_->start());
  }
  void step() {
    clock_.advance(seconds(3));  // past the discover and save intervals, below the partial time-out
    while (follower_->step()) {
    }
  }
  Texts take() { return std::exchange(sink_.texts, {}); }

  support::TemporaryDirectory directory_;
  fakes::FakeClock clock_;
  PositionStore store_{os::posix_file_system(), directory_ / "state"};
  RecordingSink sink_;
  LogFollowerOptions options_;
  std::unique_ptr<LogFollower> follower_;
};

TEST_F(LogFollowerTest, NewLinesComeOnceAndInOrder) {
  append(log(), "one\n");
  restart();
  step();
  append(log(), "two\nthree\n");
  step();
  step();
  EXPECT_EQ(take(), (Texts{"one", "two", "three"}));
}

TEST_F(LogFollowerTest, AFileThatAppearsLaterIsReadFromItsBeginning) {
  restart();
  step();
  append(log(), "first\n");
  step();
  EXPECT_EQ(take(), Texts{"first"});
}

TEST_F(LogFollowerTest, StartAtTheEndPassesOverOnlyWhatWasThereBeforeTheVeryFirstRun) {
  append(log(), "old\n");
  options_.sources = {{log(), false, nullptr, {}}};
  restart();
  step();
  append(log(), "new\n");
  step();
  EXPECT_EQ(take(), Texts{"new"});
  follower_->finish();
  std::filesystem::remove(log());
  append(log(), "while away\n");
  restart();
  step();
  EXPECT_EQ(take(), Texts{"while away"});
}

TEST_F(LogFollowerTest, AnUnfinishedLineWaitsForItsNewlineOrTheTimeOut) {
  append(log(), "half");
  restart();
  step();
  EXPECT_EQ(take(), Texts{});
  append(log(), " full\nnext");
  step();
  EXPECT_EQ(take(), Texts{"half full"});
  clock_.advance(seconds(6));
  step();
  EXPECT_EQ(take(), Texts{"next"});
}

TEST_F(LogFollowerTest, RotationByRenameLosesNothingOfEitherFile) {
  append(log(), "1\n");
  restart();
  step();
  append(log(), "2\n");
  std::filesystem::rename(log(), directory_ / "app.log.1");
  append(directory_ / "app.log.1", "3 by a writer that has not noticed\n");
  append(log(), "4\n");
  step();
  append(directory_ / "app.log.1", "5 late\n");
  append(log(), "6\n");
  step();
  auto seen = take();
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (Texts{"1", "2", "3 by a writer that has not noticed", "4", "5 late", "6"}));
  EXPECT_EQ(follower_->counts().files, 2u);
  clock_.advance(seconds(30));
  step();
  EXPECT_EQ(follower_->counts().files, 1u) << "the quiet old file is closed";
}

TEST_F(LogFollowerTest, ARotatedFileThatMatchesThePatternToo) {
  append(log(), "1\n");
  restart(directory_ / "app.log*");
  step();
  std::filesystem::rename(log(), directory_ / "app.log.1");
  append(log(), "2\n");
  step();
  step();
  EXPECT_EQ(take(), (Texts{"1", "2"})) << "renamed is not new";
}

TEST_F(LogFollowerTest, CopytruncateStartsAgainAtTheBeginning) {
  append(log(), "a long line before\n");
  restart();
  step();
  overwrite(log(), "short\n");
  step();
  EXPECT_EQ(take(), (Texts{"a long line before", "short"}));
  EXPECT_EQ(follower_->counts().truncations, 1u);
}

TEST_F(LogFollowerTest, CopytruncateThatOutgrowsTheOldPositionIsNoticedByItsFirstBytes) {
  append(log(), "old\n");
  restart();
  step();
  overwrite(log(), "new and much longer than before\n");
  step();
  EXPECT_EQ(take(), (Texts{"old", "new and much longer than before"}));
}

TEST_F(LogFollowerTest, ARestartNeitherLosesNorRepeats) {
  append(log(), "1\n");
  restart();
  step();
  ASSERT_TRUE(follower_->finish());
  append(log(), "2\n");
  restart();
  step();
  EXPECT_EQ(take(), (Texts{"1", "2"}));
}

TEST_F(LogFollowerTest, AKillRepeatsAtMostWhatCameSinceTheLastSave) {
  append(log(), "1\n");
  restart();
  step();  // accepted and saved
  append(log(), "2\n");
  while (follower_->step()) {
  }  // no time has passed: accepted, not saved
  EXPECT_EQ(take(), (Texts{"1", "2"}));
  restart();  // without finish
  step();
  EXPECT_EQ(take(), Texts{"2"});
}

TEST_F(LogFollowerTest, AFileRotatedWhileTheAgentWasAwayIsReadToItsEndFirst) {
  append(log(), "1\n");
  restart();
  step();
  ASSERT_TRUE(follower_->finish());
  append(log(), "2\n");
  std::filesystem::rename(log(), directory_ / "app.log.1");
  append(log(), "3\n");
  restart();
  step();
  auto seen = take();
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (Texts{"1", "2", "3"}));
}

TEST_F(LogFollowerTest, AnotherFileWithARememberedInodeIsReadFromItsBeginning) {
  append(log(), "old content\n");
  restart();
  step();
  ASSERT_TRUE(follower_->finish());
  overwrite(log(), "other content, same inode\n");
  restart();
  step();
  EXPECT_EQ(take(), (Texts{"old content", "other content, same inode"}));
}

TEST_F(LogFollowerTest, RefusedRecordsComeAgainAndThePositionStaysBeforeThem) {
  append(log(), "1\n2\n");
  restart();
  sink_.refusing = true;
  step();
  step();
  EXPECT_GE(follower_->counts().refusals, 1u);
  ASSERT_TRUE(follower_->finish());
  restart();
  sink_.refusing = false;
  step();
  EXPECT_EQ(take(), (Texts{"1", "2"}));
}

TEST_F(LogFollowerTest, ARemovedFileIsReadToItsEnd) {
  append(log(), "1\n");
  restart();
  step();
  append(log(), "2\n");
  std::filesystem::remove(log());
  step();
  EXPECT_EQ(take(), (Texts{"1", "2"}));
}

TEST_F(LogFollowerTest, NeverFollowsMoreFilesThanTheLimitAndSaysSo) {
  for (int i = 0; i < 5; ++i) append(directory_ / ("f" + std::to_string(i) + ".log"), "x\n");
  options_.files_max = 3;
  restart(directory_ / "*.log");
  step();
  EXPECT_EQ(follower_->counts().files, 3u);
  EXPECT_EQ(follower_->counts().files_left_out, 2u);
  EXPECT_EQ(follower_->take_warnings().size(), 1u);
}

TEST_F(LogFollowerTest, DirectoriesFifosAndBrokenLinksAreLeftOut) {
  std::filesystem::create_directory(directory_ / "d.log");
  std::filesystem::create_symlink("/nonexistent/x", directory_ / "l.log");
  restart(directory_ / "*.log");
  step();
  EXPECT_EQ(follower_->counts().files, 0u);
}

TEST_F(LogFollowerTest, ADamagedFileOfPositionsRepeatsButLosesNothing) {
  append(log(), "1\n");
  restart();
  step();
  ASSERT_TRUE(follower_->finish());
  for (const char* damage :
       {"", "rubbish\n", "arca agent positions 1\n1 2 x\n", "arca agent positions 1\n9 9 9 9 9 /x\n"}) {
    overwrite(directory_ / "state/positions", damage);
    take();
    restart();
    step();
    EXPECT_EQ(take(), Texts{"1"}) << damage;
  }
}

TEST_F(LogFollowerTest, PositionsOfAnotherVersionAreRefusedLoudly) {
  std::filesystem::create_directory(directory_ / "state");
  overwrite(directory_ / "state/positions", "arca agent positions 2\n");
  LogFollower follower(options_, store_, sink_, clock_);
  const auto started = follower.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), ErrorCode::unsupported_version);
}

TEST(Positions, WhatWasWrittenIsRead) {
  const std::vector<FilePosition> positions = {{{1, 2}, 3, 4, 5, "/var/log/with blank.log"}, {{6, 7}, 8, 0, 9, "x"}};
  std::size_t damaged = 0;
  const auto read = parse_positions(format_positions(positions), damaged);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ(damaged, 0u);
  EXPECT_EQ((*read)[0].path, "/var/log/with blank.log");
  EXPECT_EQ((*read)[1].offset, 8u);
}

}  // namespace
}  // namespace arca::cli::agent
