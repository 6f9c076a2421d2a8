// The client in the life of its process: fork, and panics inside.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver/driver.hpp"
#include "driver/node.hpp"
#include "support/fork_quiet.hpp"

namespace arca::driver {
namespace {

constexpr const char* insert = "INSERT INTO process.rows (id) VALUES (?)";

class DriverProcess : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    node_ = new Node;
    Client client(node_->contact_points());
    ASSERT_TRUE(client.wait_connected());
    for (const char* text :
         {"CREATE KEYSPACE process WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
          "CREATE TABLE process.rows (id text PRIMARY KEY)"}) {
      ASSERT_EQ(client.run(text, {}, 0).status, ARCA_CQL_OK);
    }
  }
  static void TearDownTestSuite() { delete node_; }
  static inline Node* node_ = nullptr;
};

// In the child; its exit code is the number of the first expectation that failed.
int in_the_child(Client& inherited, const std::string& contact_points) {
  arca_cql_client* client = inherited.get();
  const Library& driver = library();
  arca_cql_client_status status{};
  status.size = sizeof status;
  arca_cql_request request{};
  arca_cql_completion completion{};
  std::uint32_t number = 0;
  if (driver.client_get_status(client, &status) != ARCA_CQL_FORKED) return 1;
  if (driver.execute(client, &request) != ARCA_CQL_FORKED) return 2;
  if (driver.statement(client, "SELECT 1", 8, 0, &number) != ARCA_CQL_FORKED) return 3;
  if (driver.poll(client, &completion, 1) != 0) return 4;
  if (driver.event_fd(client) != -1) return 5;
  if (inherited.close(std::chrono::milliseconds(100)) != ARCA_CQL_FORKED) return 6;
  Client own(contact_points);
  if (!own.wait_connected()) return 7;
  if (own.run(insert, {"child"}).status != ARCA_CQL_OK) return 8;
  if (own.close(std::chrono::seconds(5)) != ARCA_CQL_OK) return 9;
  return 0;
}

TEST_F(DriverProcess, AForkedChildIsToldOpensItsOwnAndTheParentGoesOn) {
  Client client(node_->contact_points());
  ASSERT_TRUE(client.wait_connected());
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.send({.text = insert, .values = {std::to_string(i)}}), ARCA_CQL_OK);
  if constexpr (!support::allocator_survives_fork) {
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(client.take());
  }
  ASSERT_TRUE(support::rest_before_fork());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(in_the_child(client, node_->contact_points()));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  if constexpr (support::allocator_survives_fork) {
    for (int i = 0; i < 100; ++i) EXPECT_EQ(client.take()->status, ARCA_CQL_OK);
  }
  EXPECT_EQ(client.run(insert, {"parent"}).status, ARCA_CQL_OK);
}

TEST_F(DriverProcess, APanicInARequestIsItsOutcomeAndTheClientGoesOn) {
  Client client(node_->contact_points(), {}, library_with_hooks());
  ASSERT_TRUE(client.wait_connected());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.run("SELECT arca_test_panic_request FROM x").status, ARCA_CQL_PANIC);
    EXPECT_EQ(client.run(insert, {"after"}).status, ARCA_CQL_OK);
  }
  EXPECT_EQ(client.status().panic_count, 20U);
  EXPECT_EQ(client.status().in_flight, 0U);
  EXPECT_NE(client.log().all().find("panic"), std::string::npos);
}

TEST_F(DriverProcess, APanicInAFunctionIsItsAnswer) {
  Client client(node_->contact_points(), {}, library_with_hooks());
  std::uint32_t number = 0;
  const std::string text = "SELECT arca_test_panic_entry";
  EXPECT_EQ(library_with_hooks().statement(client.get(), text.data(), text.size(), 0, &number), ARCA_CQL_PANIC);
  EXPECT_EQ(client.status().panic_count, 1U);
  ASSERT_TRUE(client.wait_connected());
  EXPECT_EQ(client.run(insert, {"after"}).status, ARCA_CQL_OK);
}

TEST_F(DriverProcess, APanicWhileItConnectsIsToldAndItConnectsAllTheSame) {
  Client client("arca_test_panic_supervise," + node_->contact_points(), {}, library_with_hooks());
  ASSERT_TRUE(client.wait_connected());
  EXPECT_EQ(client.status().panic_count, 3U);
  EXPECT_NE(client.log().all().find("begins anew"), std::string::npos) << client.log().all();
  EXPECT_EQ(client.run(insert, {"after"}).status, ARCA_CQL_OK);
}

}  // namespace
}  // namespace arca::driver
