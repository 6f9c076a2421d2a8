// Files, locks, forks, threads, randomness and the log, on the real system.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "fakes/fake_environment.hpp"
#include "os/file_system.hpp"
#include "os/fork.hpp"
#include "os/lock_file.hpp"
#include "os/log.hpp"
#include "os/private_directory.hpp"
#include "os/random.hpp"
#include "os/thread.hpp"

namespace arca::os {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class OsTest : public testing::Test {
 protected:
  OsTest() {
    std::string pattern = testing::TempDir() + "arca-os-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~OsTest() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  static unsigned mode_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0);
    return status.st_mode & 0777U;
  }
  // Runs a body in a forked child and returns its exit code.
  template <class Body>
  static int in_child(Body body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  FileSystem& files_ = posix_file_system();
  std::string directory_;
};

TEST_F(OsTest, WhatIsWrittenInSlicesIsReadBackInOne) {
  const auto file = files_.open(path("a"), OpenMode::create_new);
  ASSERT_TRUE(file);
  std::vector<base::Bytes> slices(3000, base::as_bytes("ab"));  // more than one call can take
  slices[7] = {};
  ASSERT_TRUE((*file)->write_at(5, slices));
  EXPECT_EQ((*file)->size().value(), 5U + 2999 * 2);
  std::vector<std::byte> bytes(10'000);
  EXPECT_EQ((*file)->read_at(5, bytes).value(), 2999U * 2);
  EXPECT_EQ(base::as_text(bytes).substr(5990, 8), "abababab");
}

TEST_F(OsTest, FilesAndDirectoriesAreForTheOwnerOnly) {
  ASSERT_TRUE(files_.make_directories(path("d/e/f")));
  ASSERT_TRUE(files_.open(path("d/e/f/file"), OpenMode::create_new));
  EXPECT_EQ(mode_of(path("d/e/f")), 0700U);
  EXPECT_EQ(mode_of(path("d/e/f/file")), 0600U);
}

TEST_F(OsTest, NoSymlinkIsFollowed) {
  ASSERT_TRUE(files_.open(path("target"), OpenMode::create_new));
  ASSERT_TRUE(replace_symlink(path("target"), path("link")));
  for (const OpenMode mode : {OpenMode::read, OpenMode::read_write, OpenMode::create_new}) {
    EXPECT_FALSE(files_.open(path("link"), mode));
  }
}

TEST_F(OsTest, MessagesNameThePathAndTheReason) {
  const auto file = files_.open(path("missing"), OpenMode::read);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), ErrorCode::not_found);
  EXPECT_THAT(file.error().message(), HasSubstr(path("missing")));
  EXPECT_THAT(file.error().message(), HasSubstr("No such file"));
  EXPECT_EQ(files_.list(path("missing")).error().code(), ErrorCode::not_found);
}

TEST_F(OsTest, WhatIsGoneIsRemovedWithoutComplaint) {
  EXPECT_TRUE(files_.remove(path("missing")));
  EXPECT_TRUE(files_.remove_directory(path("missing")));
}

TEST_F(OsTest, AFullDiskIsToldFromOtherFailures) {
  const auto file = files_.open("/dev/full", OpenMode::read_write);
  EXPECT_FALSE(file);  // no regular file: not even opened
  const auto huge = files_.open(path("huge"), OpenMode::create_new);
  ASSERT_TRUE(huge);
  EXPECT_FALSE((*huge)->allocate(0, 1ULL << 62U));
}

TEST_F(OsTest, AHeldLockIsBusyAndAFreedOneIsNot) {
  auto lock = LockFile::acquire(path("lock"));
  ASSERT_TRUE(lock);
  EXPECT_TRUE(LockFile::is_held(path("lock")));
  EXPECT_EQ(LockFile::acquire(path("lock")).error().code(), ErrorCode::busy);
  lock->reset();
  EXPECT_FALSE(LockFile::is_held(path("lock")));
  EXPECT_TRUE(LockFile::acquire(path("lock")));
}

TEST_F(OsTest, AForkedChildDoesNotKeepItsParentsLock) {
  auto lock = LockFile::acquire(path("lock"));
  ASSERT_TRUE(lock);
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {  // lives on until the parent has tried
    char byte = 0;
    ::_exit(::read(pipe[0], &byte, 1) == 1 ? 0 : 1);
  }
  lock->reset();
  EXPECT_FALSE(LockFile::is_held(path("lock")));
  EXPECT_TRUE(LockFile::acquire(path("lock")));
  EXPECT_EQ(::write(pipe[1], "x", 1), 1);
  ::waitpid(child, nullptr, 0);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(OsTest, AChildThatDropsItsCopyDoesNotFreeTheParentsLock) {
  auto lock = LockFile::acquire(path("lock"));
  ASSERT_TRUE(lock);
  EXPECT_EQ(in_child([&] {
              lock->reset();
              return LockFile::is_held(path("lock")) ? 0 : 1;
            }),
            0);
  EXPECT_TRUE(LockFile::is_held(path("lock")));
}

TEST_F(OsTest, ALockInARemovedDirectoryIsNotFound) {
  EXPECT_EQ(LockFile::acquire(path("gone/lock")).error().code(), ErrorCode::not_found);
}

class Subscriber final : public ForkSubscriber {
 public:
  explicit Subscriber(std::vector<int>& calls, int number) : calls_(calls), number_(number) {
    subscribe_to_fork(*this);
  }
  ~Subscriber() override { unsubscribe_from_fork(*this); }
  void prepare_fork() noexcept override { calls_.push_back(number_); }
  void after_fork_in_parent() noexcept override { calls_.push_back(10 + number_); }
  void after_fork_in_child() noexcept override { calls_.push_back(20 + number_); }

 private:
  std::vector<int>& calls_;
  int number_;
};

TEST_F(OsTest, SubscribersAreCalledBackwardsBeforeAForkAndForwardsAfterIt) {
  std::vector<int> calls;
  calls.reserve(16);
  const Subscriber first(calls, 1);
  const Subscriber second(calls, 2);
  const std::uint64_t before = fork_generation();
  EXPECT_EQ(in_child([&] { return calls == std::vector{2, 1, 21, 22} && fork_generation() == before + 1 ? 0 : 1; }), 0);
  EXPECT_THAT(calls, ElementsAre(2, 1, 11, 12));
  EXPECT_EQ(fork_generation(), before);
}

TEST_F(OsTest, AForkedChildDrawsOtherNumbersThanItsParent) {
  static_cast<void>(system_random().next());
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  ASSERT_EQ(in_child([&] {
              const std::uint64_t drawn = system_random().next();
              return ::write(pipe[1], &drawn, sizeof drawn) == sizeof drawn ? 0 : 1;
            }),
            0);
  std::uint64_t drawn = 0;
  ASSERT_EQ(::read(pipe[0], &drawn, sizeof drawn), static_cast<ssize_t>(sizeof drawn));
  EXPECT_NE(drawn, system_random().next());
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(OsTest, TheSameSeedGivesTheSameNumbersAndNoneIsRepeated) {
  SeededRandom one(7);
  SeededRandom other(7);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t drawn = one.next();
    EXPECT_EQ(drawn, other.next());
    EXPECT_NE(drawn, 0U);
    EXPECT_TRUE(seen.insert(drawn).second);
  }
}

TEST_F(OsTest, ThreadsAreNamedAndTakeNoSignals) {
  std::string name(16, '\0');
  bool is_blocked = false;
  auto thread = start_thread("arca-test-thread", [&](const std::stop_token&) {
    pthread_getname_np(pthread_self(), name.data(), name.size());
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    is_blocked = sigismember(&mask, SIGTERM) == 1;
  });
  ASSERT_TRUE(thread);
  thread->join();
  EXPECT_EQ(name.c_str(), std::string("arca-test-threa"));
  EXPECT_TRUE(is_blocked);
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGTERM), 0);
}

TEST_F(OsTest, AFaultThatRepeatsIsLoggedAFewTimes) {
  std::vector<std::string> lines;
  set_log_callback([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  for (int i = 0; i < 1000; ++i) log(LogLevel::warn, "fault {}", i);
  set_log_callback({});
  EXPECT_THAT(lines, ElementsAre("fault 0", "fault 1", "fault 2", "fault 3", "fault 4"));
}

TEST_F(OsTest, WhatIsPassedOnIsLimitedByWhatItSays) {
  std::vector<std::string> lines;
  set_log_callback([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  for (const std::string said : {"disk", "network", "disk", "clock"}) {
    for (int i = 0; i < 10; ++i) log(LogLevel::warn, "{}", said);
  }
  set_log_callback({});
  EXPECT_THAT(lines, ElementsAre("disk", "disk", "disk", "disk", "disk", "network", "network", "network", "network",
                                 "network", "clock", "clock", "clock", "clock", "clock"));
}

TEST_F(OsTest, ALineOfTheLogIsOneLineWithoutControlCharacters) {
  std::vector<std::string> lines;
  set_log_callback([&](LogLevel, std::string_view line) { lines.emplace_back(line); });
  log(LogLevel::warn, "row {}",
      "\x1b[2J\nforged \xc2\x9b"
      "31m \xc3\xa9");
  set_log_callback({});
  EXPECT_THAT(lines, ElementsAre("row ?[2J?forged ??31m \xc3\xa9"));
}

TEST_F(OsTest, AThrowingLogCallbackHurtsNobody) {
  set_log_callback([](LogLevel, std::string_view) { throw std::runtime_error("no"); });
  log(LogLevel::error, "unheard");
  set_log_callback({});
}

TEST_F(OsTest, ADirectoryThatOthersCanEnterIsRefused) {
  ASSERT_EQ(::mkdir(path("open").c_str(), 0700), 0);
  ASSERT_EQ(::chmod(path("open").c_str(), 0755), 0);
  EXPECT_FALSE(make_private_directory(path("open")));
  EXPECT_TRUE(make_private_directory(path("mine")));
  EXPECT_TRUE(make_private_directory(path("mine")));
  ASSERT_TRUE(replace_symlink(path("mine"), path("link")));
  EXPECT_FALSE(make_private_directory(path("link")));
}

TEST_F(OsTest, AForeignersDirectoryIsRefused) {
  // Root can make somebody else's directory; for everybody else, root's own home is one.
  std::string theirs = "/root";
  if (::geteuid() == 0) {
    theirs = path("theirs");
    ASSERT_EQ(::mkdir(theirs.c_str(), 0700), 0);
    ASSERT_EQ(::chown(theirs.c_str(), 1234, 1234), 0);
  }
  EXPECT_FALSE(make_private_directory(theirs));
}

TEST_F(OsTest, ALinkIsReplacedInOneStep) {
  ASSERT_TRUE(replace_symlink("/one", path("link")));
  ASSERT_TRUE(replace_symlink("/two", path("link")));
  EXPECT_EQ(read_symlink(path("link")).value(), "/two");
  EXPECT_EQ(read_symlink(path("none")).error().code(), ErrorCode::not_found);
}

TEST_F(OsTest, AnEmptyVariableIsNotAMissingOne) {
  fakes::FakeEnvironment environment;
  environment.set("ARCA_A", "");
  EXPECT_EQ(environment.get("ARCA_A"), std::optional<std::string>(""));
  EXPECT_EQ(environment.get("ARCA_B"), std::nullopt);
}

}  // namespace
}  // namespace arca::os
