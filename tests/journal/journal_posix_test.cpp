// The journal on a real file system, and in a process that forks.
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "journal_fixture.hpp"
#include "os/file_system.hpp"

namespace arca::journal {
namespace {

class JournalPosixTest : public JournalFixture {
 protected:
  JournalPosixTest() {
    std::string pattern = testing::TempDir() + "arca-journal-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    options_.directory = directory_ + "/journal";
    options_.sync_interval = std::chrono::milliseconds(1);
    options_.size_max = 64U << 20U;
    open_real();
  }
  ~JournalPosixTest() override {
    journal_.reset();
    std::filesystem::remove_all(directory_);
  }
  void open_real() {
    journal_.reset();
    auto opened = Journal::open(os::posix_file_system(), clock_, options_);
    ASSERT_TRUE(opened) << opened.error().message();
    journal_ = std::move(*opened);
  }
  std::string directory_;
};

TEST_F(JournalPosixTest, KeepsChunksOnARealFileSystem) {
  for (std::uint64_t i = 1; i <= 100; ++i) append(i, 3000);
  for (std::uint64_t i = 1; i <= 50; ++i) settle(i);
  open_real();
  EXPECT_EQ(contents().size(), 50U);
  expect_law();
}

TEST_F(JournalPosixTest, AForkedChildLeavesItsParentsJournalAlone) {
  append(1);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool is_refused =
        !journal_->append(chunk_of(2)) && !journal_->claim(model::SignalSet::all(), clock_.steady_now());
    journal_.reset();
    ::_exit(is_refused ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  append(3);
  open_real();
  EXPECT_THAT(contents(), ElementsAre(1, 3));
}

TEST_F(JournalPosixTest, ADirectoryRemovedUnderTheProcessIsAnErrorAndNoCrash) {
  for (std::uint64_t i = 1; i <= 20; ++i) append(i, 2000);
  std::filesystem::remove_all(options_.directory);
  bool has_failed = false;
  for (std::uint64_t i = 21; i <= 40; ++i) has_failed = !try_append(i, 2000) || has_failed;
  EXPECT_TRUE(has_failed);
  static_cast<void>(journal_->claim(model::SignalSet::all(), clock_.steady_now()));
  expect_law();
}

}  // namespace
}  // namespace arca::journal
