// Leases on a real node: one holder at a time, an epoch that rises with each, an end by itself.
#include <gmock/gmock.h>

#include "cassandra/lease_table.hpp"
#include "shared_node.hpp"
#include "support/wait.hpp"

namespace arca::cassandra {
namespace {

using std::chrono::seconds;

class LeaseTest : public NodeTest {
 protected:
  static void SetUpTestSuite() {
    world() = std::make_unique<World>();
    world()->client = connected();
    world()->schema = new_keyspace();
    for (const std::string& text : schema_statements(world()->schema)) {
      if (text.find("KEYSPACE") == std::string::npos && text.find("recovery_leases") == std::string::npos) continue;
      const Answer made = run(*world()->client, text);
      if (!made.ok()) throw std::runtime_error(made.message);
    }
  }
  static void TearDownTestSuite() {
    run(*world()->client, "DROP KEYSPACE " + world()->schema.keyspace);
    world().reset();
  }
  void SetUp() override {
    auto table = LeaseTable::create(*world()->client, world()->schema.keyspace, Consistency::local_quorum);
    ASSERT_TRUE(table) << table.error().message();
    table_ = std::make_unique<LeaseTable>(std::move(*table));
    shard_ = {"dc1", world()->next_shard++};
  }
  Lease take(const Uuid& owner, seconds ttl = seconds(60)) {
    return value([&](auto done) { table_->take(shard_, owner, ttl, std::move(done)); });
  }
  Lease renew(const Uuid& owner, std::int64_t epoch, seconds ttl = seconds(60)) {
    return value([&](auto done) { table_->renew(shard_, owner, epoch, ttl, std::move(done)); });
  }
  StoreStatus release(const Uuid& owner, std::int64_t epoch) {
    return wait_done([&](StoreDone done) { table_->release(shard_, owner, epoch, std::move(done)); });
  }
  static Uuid new_owner() { return random_uuid(os::system_random()); }

  std::unique_ptr<LeaseTable> table_;
  ShardKey shard_;

 private:
  struct World {
    std::unique_ptr<CqlClient> client;
    SchemaSettings schema;
    std::int16_t next_shard = 0;
  };
  static std::unique_ptr<World>& world() {
    static std::unique_ptr<World> made;
    return made;
  }
  template <class Start>
  static Lease value(Start start) {
    const auto read = wait_read<Lease>(start);
    EXPECT_TRUE(read.status.ok()) << read.status.message;
    return read.value;
  }
};

TEST_F(LeaseTest, OneHoldsItAndTheOthersLearnWho) {
  const Uuid first = new_owner();
  const Uuid second = new_owner();
  const Lease mine = take(first);
  EXPECT_TRUE(mine.held);
  EXPECT_EQ(mine.owner, first);
  EXPECT_EQ(mine.epoch, 1);
  const Lease theirs = take(second);
  EXPECT_FALSE(theirs.held);
  EXPECT_EQ(theirs.owner, first);
  EXPECT_EQ(theirs.epoch, 1);
}

TEST_F(LeaseTest, AShardOfAnotherDatacenterIsAnotherOne) {
  ASSERT_TRUE(take(new_owner()).held);
  shard_.datacenter = "dc2";
  const Lease theirs = take(new_owner());
  EXPECT_TRUE(theirs.held);
  EXPECT_EQ(theirs.epoch, 1);
}

TEST_F(LeaseTest, WhoTakesItAgainKeepsItsEpoch) {
  const Uuid owner = new_owner();
  ASSERT_TRUE(take(owner).held);
  const Lease again = take(owner);
  EXPECT_TRUE(again.held);
  EXPECT_EQ(again.epoch, 1);
}

TEST_F(LeaseTest, ItEndsByItselfAndTheEpochRisesWithTheNextOwner) {
  const Uuid first = new_owner();
  const Uuid second = new_owner();
  const auto asked_at = std::chrono::steady_clock::now();
  ASSERT_TRUE(take(first, seconds(2)).held);
  Lease theirs;
  ASSERT_TRUE(support::wait_until([&] {
    theirs = take(second);
    return theirs.held;
  }));
  EXPECT_GE(std::chrono::steady_clock::now() - asked_at, seconds(2)) << "it was not the first owner's to the end";
  EXPECT_EQ(theirs.epoch, 2);
  // Who was frozen meanwhile neither renews nor gives back what is not his.
  const Lease late = renew(first, 1);
  EXPECT_FALSE(late.held);
  EXPECT_EQ(late.owner, second);
  EXPECT_TRUE(release(first, 1).ok());
  EXPECT_TRUE(renew(second, 2).held);
}

TEST_F(LeaseTest, RenewingPutsItsEndOff) {
  const Uuid owner = new_owner();
  ASSERT_TRUE(take(owner, seconds(3)).held);
  ASSERT_TRUE(renew(owner, 1, seconds(3600)).held);
  const auto deadline = std::chrono::steady_clock::now() + seconds(4);  // past the end of the first
  ASSERT_TRUE(support::wait_until([&] { return std::chrono::steady_clock::now() > deadline; }));
  EXPECT_FALSE(take(new_owner()).held);
}

TEST_F(LeaseTest, AReleasedOneIsFreeAtOnceAndTheEpochStillRises) {
  const Uuid first = new_owner();
  ASSERT_TRUE(take(first).held);
  ASSERT_TRUE(release(first, 1).ok());
  EXPECT_FALSE(renew(first, 1).held);
  const Lease next = take(new_owner());
  EXPECT_TRUE(next.held);
  EXPECT_EQ(next.epoch, 2);
}

TEST_F(LeaseTest, AmongManyAtOnceOneGetsIt) {
  constexpr int asker_count = 8;
  std::vector<std::future<ReadResult<Lease>>> asked;
  for (int i = 0; i < asker_count; ++i) {
    auto promise = std::make_shared<std::promise<ReadResult<Lease>>>();
    asked.push_back(promise->get_future());
    table_->take(shard_, new_owner(), seconds(60), [promise](StoreStatus status, Lease lease) {
      promise->set_value({std::move(status), lease});
    });
  }
  int held = 0;
  for (auto& one : asked) {
    const auto answer = one.get();
    if (answer.status.ok() && answer.value.held) ++held;
  }
  EXPECT_EQ(held, 1);
}

}  // namespace
}  // namespace arca::cassandra
