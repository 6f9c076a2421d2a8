// A host that forks: the child abandons the parent's transports and delivers through its own.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "fakes/answers.hpp"
#include "fakes/raw_server.hpp"
#include "net/transports.hpp"
#include "support/fork_quiet.hpp"

namespace arca::net {
namespace {

using fakes::Answers;
using fakes::ask;
using fakes::RawConnection;
using fakes::RawServer;

// Thread-safe. What waits for it goes on when it opens.
class Gate {
 public:
  explicit Gate(bool is_open) : is_open_(is_open) {}
  void set_open(bool is_open) {
    const std::scoped_lock lock(mutex_);
    is_open_ = is_open;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_;
};

// No gRPC server here: grpc++ in this process would not survive the fork. Where the allocator would not either, the
// server holds its answers back until the fork is done: requests are under way all the same, but no thread allocates.
TEST(Fork, ChildAndParentBothDeliverWhileRequestsAreUnderWay) {
  Gate gate(support::allocator_survives_fork);
  RawServer server([&gate](RawConnection& connection) {
    while (connection.read_request()) {
      gate.pass();
      connection.answer(200, "OK", "", "");
    }
  });
  auto transport = http_to(server.url());
  for (int trial = 0; trial < 50; ++trial) {
    gate.set_open(support::allocator_survives_fork);
    Answers answers;
    for (int i = 0; i < 40; ++i)
      transport->send(payload_of(std::string(20000, 'x')), {}, std::chrono::seconds(60), answers.take());
    EXPECT_TRUE(support::rest_before_fork());
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(60);
      const bool refused = ask(*transport, payload_of("x")).outcome == Outcome::not_sent;
      transport.reset();
      int delivered = 0;
      auto own = http_to(server.url());
      for (int i = 0; i < 20; ++i)
        delivered += ask(*own, payload_of("x"), std::chrono::seconds(50)).status == 200 ? 1 : 0;
      ::_exit(refused && delivered == 20 ? 0 : 1);
    }
    gate.set_open(true);
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << "trial " << trial;
    const auto all = answers.wait(40, std::chrono::seconds(70));
    ASSERT_EQ(all.size(), 40U);
    for (const auto& response : all) EXPECT_EQ(response.status, 200) << response.message;
  }
}

TEST(Fork, AChildDoesNotKeepTheParentsConnectionsOpen) {
  std::atomic<bool> closed{false};
  RawServer server([&](RawConnection& connection) {
    while (connection.read_request()) connection.answer(200, "OK", "", "");
    closed = true;
  });
  auto transport = http_to(server.url());
  ASSERT_EQ(ask(*transport, payload_of("x")).status, 200);
  int hold[2];
  ASSERT_EQ(::pipe(hold), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(hold[1]);
    char byte = 0;
    ::_exit(::read(hold[0], &byte, 1) == 0 ? 0 : 1);  // lives until the parent lets go
  }
  transport.reset();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!closed && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(closed);
  ::close(hold[0]);
  ::close(hold[1]);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace arca::net
