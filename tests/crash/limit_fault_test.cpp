// A process without descriptors, or whose files may not grow: the host lives, and nothing accepted is lost.
#include "crash/fault_harness.hpp"

namespace arca::crash {
namespace {

using LimitFault = FaultTest;

TEST_F(LimitFault, WithoutAFileDescriptorLeftEverythingIsKeptAndArrivesLater) {
  sink().behave("refuse");
  start({.pool_size = 2U << 20U});
  record(100);
  ask(Request::take_all_descriptors);
  sink().behave("ok");
  record(3000);  // more than the pool holds, and no connection can be made
  expect_law();
  ask(Request::give_descriptors_back);
  record(100);
  expect_all_accepted_arrived();
  expect_law();
  shut_down();
}

TEST_F(LimitFault, KilledWithoutAFileDescriptorLeftNothingIsLost) {
  start();
  ask(Request::take_all_descriptors);
  record(1000);
  kill_writer();
  recover();
  expect_all_accepted_arrived();
}

TEST_F(LimitFault, AFileSizeLimitBelowThePoolIsAClearErrorAtTheStart) {
  EXPECT_EQ(start_in_vain({.file_size_limit = 1U << 20U}).code, 1) << log();
  EXPECT_NE(log().find("ulimit -f"), std::string::npos) << log();
}

TEST_F(LimitFault, AFileSizeLimitBelowASegmentMakesSegmentsSmallerAndLosesNothing) {
  sink().behave("refuse");
  start({.pool_size = 2U << 20U, .file_size_limit = 8U << 20U});
  record(8000);  // 32 MB
  expect_law();
  EXPECT_EQ(control().refused, 0U) << log();
  kill_writer();
  sink().behave("ok");
  recover();
  expect_all_accepted_arrived();
}

// Writing behind the limit would raise SIGXFSZ, which ends the process.
TEST_F(LimitFault, AFileSizeLimitThatComesLaterEndsNoProcessAndLosesNothing) {
  sink().behave("refuse");
  start({.pool_size = 2U << 20U});
  record(100);
  ask(Request::limit_file_size, 4096);
  record_until_refused(100);
  expect_law();
  sink().behave("ok");
  record(1000);
  expect_all_accepted_arrived();
  shut_down();
}

}  // namespace
}  // namespace arca::crash
