// Three real nodes, three replicas, LOCAL_QUORUM: one of them may go, in whatever way, and no put fails.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "driver/driver.hpp"
#include "driver/node.hpp"
#include "support/wait.hpp"

namespace arca::driver {
namespace {

constexpr const char* insert = "INSERT INTO three.rows (id, body) VALUES (?, ?)";

class DriverCluster : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    cluster_ = new Node({}, 3);
    client_ = new Client(cluster_->contact_points());
    ASSERT_TRUE(support::wait_until([] { return client_->status().up_count == 3; }, std::chrono::seconds(60)));
    for (const char* text :
         {"CREATE KEYSPACE three WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
          "CREATE TABLE three.rows (id text PRIMARY KEY, body blob)"}) {
      ASSERT_EQ(client_->run(text, {}, 0).status, ARCA_CQL_OK);
    }
  }
  static void TearDownTestSuite() {
    delete client_;
    delete cluster_;
  }

  // Puts, 16 at a time, until `enough` says so after an answer; every answer must be OK.
  template <class Enough>
  static void put_while(Enough enough) {
    int in_flight = 0;
    bool done = false;
    while (!done || in_flight > 0) {
      while (!done && in_flight < 16) {
        const std::string id = std::to_string(next_id_++);
        ASSERT_EQ(client_->send({.text = insert, .values = {id, std::string(10'000, 'x')}}), ARCA_CQL_OK);
        ++in_flight;
      }
      const auto answer = client_->take();
      ASSERT_TRUE(answer.has_value());
      --in_flight;
      EXPECT_EQ(answer->status, ARCA_CQL_OK) << answer->message;
      done = done || enough();
    }
  }
  // Puts while another thread does `deed` to the cluster, and two seconds longer.
  template <class Deed>
  static void put_during(Deed deed) {
    std::atomic<bool> is_done = false;
    std::thread doer([&] {
      deed();
      std::this_thread::sleep_for(std::chrono::seconds(5));  // longer than it takes to give up a silent node
      is_done = true;
    });
    put_while([&] { return is_done.load(); });
    doer.join();
  }

  static inline Node* cluster_ = nullptr;
  static inline Client* client_ = nullptr;
  static inline int next_id_ = 0;
};

TEST_F(DriverCluster, OneNodePausedFailsNoPut) {
  put_during([] { cluster_->pause("2"); });
  put_during([] { cluster_->resume("2"); });
}

TEST_F(DriverCluster, OneNodeKilledAndStartedAgainFailsNoPut) {
  put_during([] { cluster_->kill("3"); });
  EXPECT_EQ(client_->status().node_count, 3U);
  EXPECT_EQ(client_->status().up_count, 2U);
  put_during([] { cluster_->restart("3"); });
  EXPECT_TRUE(support::wait_until([] { return client_->status().up_count == 3; }, std::chrono::seconds(60)));
}

}  // namespace
}  // namespace arca::driver
