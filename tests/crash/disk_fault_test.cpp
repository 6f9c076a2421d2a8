// Real file systems that are full, read-only, or go away under a live process: everything that was accepted arrives,
// and what does not arrive is exactly what was refused and counted.
#include "crash/fault_harness.hpp"

namespace arca::crash {
namespace {

using DiskFault = FaultTest;

TEST_F(DiskFault, SharedMemoryThatIsFullAtTheStartIsReplacedByTheDiskAndThatIsSaid) {
  mount(tmpfs("/dev/shm", "2m") + tmpfs(mount_point(), "64m"));
  if (HasFatalFailure()) return;
  sink().behave("refuse");
  start();
  EXPECT_NE(log().find("/dev/shm"), std::string::npos) << log();
  record(1000);
  expect_law();
  kill_writer();
  sink().behave("ok");
  recover();
  expect_all_accepted_arrived();
  EXPECT_EQ(control().streams[0].refused, 0U);
}

TEST_F(DiskFault, SharedMemoryThatOthersFillLaterMakesThePoolSmallerAndLosesNothing) {
  mount(tmpfs("/dev/shm", "40m") + tmpfs(mount_point(), "200m"));
  if (HasFatalFailure()) return;
  sink().behave("refuse");
  start({.pool_size = 32U << 20U});
  record(10);
  run_inside("dd if=/dev/zero of=/dev/shm/other bs=64k 2>/dev/null || true");  // until nothing is left
  record(20'000);  // 40 MB each: more than the pool would ever hold
  expect_law();
  EXPECT_EQ(control().streams[0].refused + control().streams[1].refused, 0U) << "the disk had room";
  kill_writer();
  sink().behave("ok");
  recover();
  expect_all_accepted_arrived();
}

TEST_F(DiskFault, AFullDiskRefusesTheNewestCountsThemAndKeepsTheRestThroughSigkill) {
  mount(tmpfs("/dev/shm", "16m") + tmpfs(mount_point(), "24m"));
  if (HasFatalFailure()) return;
  sink().behave("refuse");
  start();
  record_until_refused(200);
  expect_law();
  kill_writer();
  sink().behave("ok");
  recover();
  expect_all_accepted_arrived();
}

TEST_F(DiskFault, ADiskFullWhileTheCollectorAcknowledgesIsEmptiedAndTakesRecordsAgain) {
  mount(tmpfs("/dev/shm", "16m") + tmpfs(mount_point(), "24m"));
  if (HasFatalFailure()) return;
  sink().behave("refuse");
  start();
  record_until_refused(200);
  run_inside("dd if=/dev/zero of=" + mount_point() + "/other bs=4k 2>/dev/null || true");
  sink().behave("ok");
  record(2000);  // while settlements are written to the full disk
  expect_all_accepted_arrived();
  expect_law();
  ASSERT_TRUE(support::wait_until([&] { return control().kept == 0; }, patience));
  const std::uint64_t refused = control().streams[0].refused;
  record(200);
  EXPECT_EQ(control().streams[0].refused, refused) << "the pool is free again";
  shut_down();
  expect_all_accepted_arrived();
}

TEST_F(DiskFault, KilledWhileAcknowledgingOnAFullDiskLosesNothing) {
  mount(tmpfs("/dev/shm", "16m") + tmpfs(mount_point(), "24m"));
  if (HasFatalFailure()) return;
  for (int round = 0; round < 3; ++round) {
    sink().behave("refuse");
    start();
    record_until_refused(50);
    sink().behave("ok");
    const std::uint64_t delivered = control().delivered;
    ASSERT_TRUE(support::wait_until([&] { return control().delivered > delivered + 500; }, patience));
    kill_writer();
    recover();  // also makes the room that the next one needs to start
  }
  expect_all_accepted_arrived();
}

TEST_F(DiskFault, PoolAndJournalOnOneFullDiskLoseNothing) {
  mount(tmpfs("/dev/shm", "4k") + tmpfs(mount_point(), "16m"));
  if (HasFatalFailure()) return;
  sink().behave("refuse");
  start();
  record_until_refused(200);
  expect_law();
  sink().behave("ok");
  ASSERT_TRUE(support::wait_until([&] { return control().delivered > 500; }, patience));
  kill_writer();
  recover();
  expect_all_accepted_arrived();
}

TEST_F(DiskFault, ADiskWithoutRoomForAnythingIsAClearErrorAtTheStart) {
  mount(tmpfs("/dev/shm", "4k") + tmpfs(mount_point(), "16k"));
  if (HasFatalFailure()) return;
  EXPECT_EQ(start_in_vain().code, 1) << log();
  EXPECT_NE(log().find("No space left on device"), std::string::npos) << log();
  EXPECT_NE(log().find(state()), std::string::npos) << log();
}

TEST_F(DiskFault, AReadOnlyStateDirectoryIsAClearErrorAtTheStart) {
  mount(tmpfs(mount_point(), "16m") + "mount -o remount,ro " + mount_point() + "\n");
  if (HasFatalFailure()) return;
  EXPECT_EQ(start_in_vain().code, 1) << log();
  EXPECT_NE(log().find("state_directory"), std::string::npos) << log();
  EXPECT_NE(log().find("read-only"), std::string::npos) << log();
}

// A file system with open files is only forced read-only by the kernel itself, after an error of the device. What the
// process sees of it: no path of the state directory can be written to any more.
TEST_F(DiskFault, AStateDirectoryThatTurnsReadOnlyRefusesAtWorstAndDeliversAllTheSame) {
  mount(tmpfs("/dev/shm", "16m") + tmpfs(mount_point(), "64m"));
  if (HasFatalFailure()) return;
  sink().behave("refuse");
  start({.journal_size = 8U << 20U});
  record(1000);
  run_inside("mount --bind " + mount_point() + " " + mount_point() + "\nmount -o remount,ro,bind " + mount_point());
  record_until_refused(50);
  expect_law();
  sink().behave("ok");
  expect_all_accepted_arrived();
  record(1000);
  kill_writer();
  run_inside("umount " + mount_point());
  recover();
  expect_all_accepted_arrived();
}

// The state directory goes while the writer works; where the pool lies follows from the size of /dev/shm.
class RemovedStateDirectory : public DiskFault {
 protected:
  void remove_it_with_shared_memory_of(const std::string& size) {
    mount(tmpfs("/dev/shm", size) + tmpfs(mount_point(), "64m"));
    if (HasFatalFailure()) return;
    sink().behave("refuse");
    start({.padding = 100, .pool_size = 8U << 20U});
    record(1000);
    run_inside("rm -rf " + state());
    record(1000);
    sink().behave("ok");
    record(1000);
    expect_all_accepted_arrived();
    expect_law();
    shut_down();
  }
};

TEST_F(RemovedStateDirectory, UnderALiveProcessCostsNothingThatThePoolHolds) { remove_it_with_shared_memory_of("16m"); }

TEST_F(RemovedStateDirectory, WithThePoolInItCostsNothingThatThePoolHolds) { remove_it_with_shared_memory_of("4k"); }

// What was in the journal is gone with it; that must be said in numbers.
TEST_F(DiskFault, AJournalRemovedUnderALiveProcessIsCountedToTheLastRecord) {
  mount(tmpfs("/dev/shm", "16m") + tmpfs(mount_point(), "64m"));
  if (HasFatalFailure()) return;
  sink().behave("refuse");
  start({.journal_size = 16U << 20U});
  record(4000);
  run_inside("rm -rf " + state());
  record_until_refused(50);
  sink().behave("ok");
  ASSERT_TRUE(support::wait_until([&] { return control().kept == 0; }, patience)) << control().kept << log();
  EXPECT_TRUE(support::wait_until([&] { return control().holds == 1; }, patience)) << "the law does not hold";
  EXPECT_EQ(control().accepted, control().delivered + control().refused + control().lost);
  record(1000);
  ASSERT_TRUE(support::wait_until([&] { return control().kept == 0; }, patience));
  shut_down();
}

TEST_F(DiskFault, TwoLiveProcessesShareAStateDirectoryAndOneKilledIsRecoveredByTheOther) {
  sink().behave("refuse");
  start();
  record(500);
  const auto first = take_writer();
  start();
  record(500);
  first->send_signal(SIGKILL);
  static_cast<void>(first->wait(patience));
  sink().behave("ok");
  expect_all_accepted_arrived();  // by the live one, nobody else
  EXPECT_EQ(sink().report()["chunks"]["duplicates"], 0U);
  shut_down();
}

}  // namespace
}  // namespace arca::crash
