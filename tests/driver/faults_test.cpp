// The node is late, killed, silent, lies: every request is answered, and all of it comes back by itself.
#include <gtest/gtest.h>

#include <map>

#include "driver/driver.hpp"
#include "driver/node.hpp"
#include "support/tcp_proxy.hpp"
#include "support/wait.hpp"

namespace arca::driver {
namespace {

constexpr const char* insert = "INSERT INTO faults.rows (id, body) VALUES (?, ?)";

class DriverFaults : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    node_ = new Node;
    Client client(node_->contact_points());
    ASSERT_TRUE(client.wait_connected());
    for (const char* text :
         {"CREATE KEYSPACE faults WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
          "CREATE TABLE faults.rows (id text PRIMARY KEY, body blob)"}) {
      ASSERT_EQ(client.run(text, {}, 0).status, ARCA_CQL_OK);
    }
  }
  static void TearDownTestSuite() { delete node_; }

  // Keeps `count` inserts in flight until `enough` says so; how often each status came.
  template <class Enough>
  static std::map<int, int> pump(Client& client, int count, Enough enough) {
    std::map<int, int> outcomes;
    std::uint64_t sent = 0;
    std::uint64_t answered = 0;
    const auto send = [&] {
      const int status = client.send({.text = insert, .values = {std::to_string(sent), std::string(1000, 'x')}});
      EXPECT_EQ(status, ARCA_CQL_OK);
      if (status == ARCA_CQL_OK) ++sent;
    };
    for (int i = 0; i < count; ++i) send();
    bool done = false;
    while (answered < sent) {
      const auto answer = client.take();
      if (!answer) {
        ADD_FAILURE() << sent - answered << " requests were never answered";
        break;
      }
      ++answered;
      ++outcomes[answer->status];
      done = done || enough(outcomes);
      if (!done) send();
    }
    return outcomes;
  }
  static bool inserts_again(Client& client) {
    return support::wait_until(
        [&] {
          return client.run(insert, {"again", "x"}).status == ARCA_CQL_OK;
        },
        std::chrono::seconds(60));
  }
  static int failures(const std::map<int, int>& outcomes) {
    int count = 0;
    for (const auto& [status, times] : outcomes) count += status == ARCA_CQL_OK ? 0 : times;
    return count;
  }

  static inline Node* node_ = nullptr;
};

TEST_F(DriverFaults, AClientOpenedBeforeItsNodeConnectsWhenTheNodeIsThere) {
  node_->kill();
  Client client(node_->contact_points());
  ASSERT_TRUE(client.wait_connect_status(ARCA_CQL_NOT_CONNECTED));
  EXPECT_EQ(client.run(insert, {"early", "x"}).status, ARCA_CQL_NOT_CONNECTED);
  node_->restart();
  ASSERT_TRUE(client.wait_connected(std::chrono::seconds(20)));
  EXPECT_EQ(client.run(insert, {"early", "x"}).status, ARCA_CQL_OK);
  EXPECT_EQ(client.status().last_connect_status, ARCA_CQL_OK);
  EXPECT_STREQ(client.status().last_error, "");
}

TEST_F(DriverFaults, ANodeKilledDuringInsertsFailsThemAtOnceAndTheyFlowAgainByThemselves) {
  Client client(node_->contact_points());
  ASSERT_TRUE(client.wait_connected());
  bool killed = false;
  const auto outcomes = pump(client, 64, [&](const std::map<int, int>& so_far) {
    if (!killed && so_far.contains(ARCA_CQL_OK) && so_far.at(ARCA_CQL_OK) > 500) {
      killed = true;
      node_->kill();
    }
    return failures(so_far) > 500;
  });
  for (const auto& [status, count] : outcomes) {
    const bool is_known =
        status == ARCA_CQL_OK || status == ARCA_CQL_CONNECTION_LOST || status == ARCA_CQL_NOT_CONNECTED;
    EXPECT_TRUE(is_known) << status << " " << count << " times";
  }
  EXPECT_GT(outcomes.at(ARCA_CQL_NOT_CONNECTED), 0);
  const Answer refused = client.run(insert, {"x", "x"});
  EXPECT_LT(refused.latency, std::chrono::milliseconds(500));
  EXPECT_TRUE(support::wait_until([&] { return client.status().connected == 0; }));
  node_->restart();
  EXPECT_TRUE(inserts_again(client));
}

TEST_F(DriverFaults, ASilentNodeIsGivenUpWithinTheKeepaliveAndAnswersAgainByItself) {
  Client client(node_->contact_points());
  ASSERT_TRUE(client.wait_connected());
  bool paused = false;
  auto begin = std::chrono::steady_clock::now();
  const auto outcomes = pump(client, 32, [&](const std::map<int, int>& so_far) {
    if (!paused && so_far.contains(ARCA_CQL_OK) && so_far.at(ARCA_CQL_OK) > 200) {
      paused = true;
      begin = std::chrono::steady_clock::now();
      node_->pause();
    }
    return failures(so_far) >= 32;
  });
  // 1 s until it is asked, 2 s until it is given up; the request time-out would be 15 s.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_FALSE(outcomes.contains(ARCA_CQL_TIMED_OUT));
  node_->resume();
  EXPECT_TRUE(inserts_again(client));
}

TEST_F(DriverFaults, AClientOpenedOnASilentNodeIsToldSoAndConnectsWhenItSpeaks) {
  node_->pause();
  Client client(node_->contact_points());
  EXPECT_TRUE(client.wait_connect_status(ARCA_CQL_NOT_CONNECTED));
  EXPECT_EQ(client.run(insert, {"x", "x"}).status, ARCA_CQL_NOT_CONNECTED);
  node_->resume();
  EXPECT_TRUE(client.wait_connected());
}

TEST_F(DriverFaults, ARequestTimeOutIsAnUnknownOutcome) {
  Client client(node_->contact_points(), [](arca_cql_options& options) {
    options.request_timeout_ms = 500;
    options.keepalive_interval_ms = 20'000;
    options.keepalive_timeout_ms = 20'000;
  });
  ASSERT_TRUE(client.wait_connected());
  ASSERT_TRUE(inserts_again(client));
  node_->pause();
  const Answer late = client.run(insert, {"x", "x"});
  node_->resume();
  EXPECT_EQ(late.status, ARCA_CQL_TIMED_OUT) << late.message;
}

TEST_F(DriverFaults, ACloseGivesUpWhatIsNotAnsweredInTime) {
  Client client(node_->contact_points());
  ASSERT_TRUE(client.wait_connected());
  ASSERT_TRUE(inserts_again(client));
  node_->pause();
  for (int i = 0; i < 20; ++i) ASSERT_EQ(client.send({.text = insert, .values = {"x", "x"}}), ARCA_CQL_OK);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(client.close(std::chrono::milliseconds(200)), ARCA_CQL_OK);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  node_->resume();
}

// The table of a node's peers tells of a second datacenter, as it does when one is added to a cluster.
TEST_F(DriverFaults, AClusterOfSeveralDatacentersIsRefusedUntilSomebodySaysWhichIsOurs) {
  Client before(node_->contact_points());
  ASSERT_TRUE(before.wait_connected());
  const std::string own = before.status().datacenter;
  EXPECT_NE(own, "");
  ASSERT_EQ(before
                .run("INSERT INTO system.peers (peer, data_center, host_id, rack, rpc_address, tokens) VALUES "
                     "('127.0.0.9', 'far', 6ba7b810-9dad-11d1-80b4-00c04fd430c8, 'r', '127.0.0.9', {'1'})")
                .status,
            ARCA_CQL_OK);
  Client silent(node_->contact_points());
  EXPECT_TRUE(support::wait_until([&] {
    return std::string_view(silent.status().last_error).find("set local_datacenter") != std::string_view::npos;
  })) << silent.status().last_error;
  EXPECT_NE(std::string_view(silent.status().last_error).find("far"), std::string_view::npos);
  EXPECT_EQ(silent.run(insert, {"x", "x"}).status, ARCA_CQL_NOT_CONNECTED);
  EXPECT_STREQ(silent.status().datacenter, "");
  const auto in = [](const char* name) {
    return [name](arca_cql_options& options) { options.local_datacenter = name; };
  };
  Client told(node_->contact_points(), in(own.c_str()));
  ASSERT_TRUE(told.wait_connected());
  EXPECT_EQ(told.status().datacenter, own);
  EXPECT_EQ(told.run(insert, {"x", "x"}).status, ARCA_CQL_OK);
  Client mistaken(node_->contact_points(), in("nowhere"));
  EXPECT_TRUE(support::wait_until([&] {
    return std::string_view(mistaken.status().last_error).find("nowhere") != std::string_view::npos;
  })) << mistaken.status().last_error;
  ASSERT_EQ(told.run("DELETE FROM system.peers WHERE peer = '127.0.0.9'").status, ARCA_CQL_OK);
}

// 2^31 - 1 rows of two cells would be 64 GiB of pointers.
TEST_F(DriverFaults, AnAnswerThatSaysMoreRowsThanItHoldsIsRefusedAndTheClientGoesOn) {
  const std::string points = node_->contact_points();
  const auto colon = points.rfind(':');
  auto proxy = support::TcpProxy::start(points.substr(0, colon), std::stoi(points.substr(colon + 1)));
  ASSERT_TRUE(proxy.has_value());
  Client client(points.substr(0, colon) + ":" + std::to_string((*proxy)->port()));
  ASSERT_TRUE(client.wait_connected());
  ASSERT_EQ(client.run(insert, {"forged", "x"}).status, ARCA_CQL_OK);
  const char* select = "SELECT id, body FROM faults.rows WHERE id = ?";
  ASSERT_EQ(client.run(select, {"forged"}).rows.size(), 1U);
  const std::string row = big_endian(6) + "forged";
  for (const std::int32_t rows : {2, 1'000, 0x7FFFFFFF}) {
    (*proxy)->forge_answers(big_endian(1) + row, big_endian(rows) + row);
    const Answer answer = client.run(select, {"forged"});
    EXPECT_EQ(answer.status, ARCA_CQL_SERVER);
    EXPECT_NE(answer.message.find("unreadable rows"), std::string::npos) << answer.message;
  }
  (*proxy)->forge_answers(row, big_endian(7'000'000) + "forged");
  EXPECT_EQ(client.run(select, {"forged"}).status, ARCA_CQL_SERVER);
  (*proxy)->forge_answers({}, {});
  EXPECT_EQ(client.run(select, {"forged"}).rows.size(), 1U);
  EXPECT_EQ(client.status().panic_count, 0U);
}

}  // namespace
}  // namespace arca::driver
