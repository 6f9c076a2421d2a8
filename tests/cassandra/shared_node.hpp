// The real Cassandra node that all tests share, a keyspace of its own for each test, and the client that reaches it.
// Used by the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cassandra/cql_client.hpp"
#include "cassandra/cql_store.hpp"
#include "cassandra/schema.hpp"
#include "os/random.hpp"
#include "support/cassandra.hpp"

namespace arca::cassandra {

inline constexpr std::chrono::milliseconds patience{60'000};  // of tests, on a machine that is busy with others

// On the node that all tests share.
class NodeTest : public ::testing::Test {
 public:
  static support::Cassandra& node() {
    const auto shared = support::Cassandra::shared_node();
    if (!shared) throw std::runtime_error(shared.error().message());
    return **shared;
  }
  static ConnectionSettings settings_for(const support::Cassandra& cluster) {
    ConnectionSettings made;
    made.contact_points = cluster.contact_points().front() + ":" + std::to_string(cluster.port());
    made.driver_library = ARCA_CQL_LIBRARY;
    return made;
  }

 protected:
  static ConnectionSettings settings() { return settings_for(node()); }
  static std::unique_ptr<CqlClient> connected() { return connected(settings()); }
  static std::unique_ptr<CqlClient> connected(const ConnectionSettings& settings) {
    auto client = CqlClient::open(settings);
    if (!client) throw std::runtime_error(client.error().message());
    if (const auto reached = (*client)->wait_connected(patience); !reached) {
      throw std::runtime_error(reached.error().message());
    }
    return std::move(*client);
  }
  // A keyspace that no other test knows.
  static SchemaSettings new_keyspace() {
    SchemaSettings made;
    made.keyspace = "test_" + model::to_string(model::WriterId{os::random_from_kernel()});
    made.replication_factor = "1";
    return made;
  }
  static Answer run(Cql& cql, const std::string& text) {
    const auto statement = cql.statement(text, StatementKind::idempotent);
    if (!statement) throw std::runtime_error(statement.error().message());
    return execute_and_wait(cql, {.statement = *statement, .values = {}}, patience);
  }

  // What the Python driver reads: the judge that shares no line with ours.
  static nlohmann::json judged(const std::string& statement) {
    auto rows = node().cql(statement);
    if (!rows) throw std::runtime_error(rows.error().message());
    return std::move(*rows);
  }
};

// Calls an asynchronous operation of the store and waits for what it answers.
template <class Start>
StoreStatus wait_done(Start start) {
  auto promise = std::make_shared<std::promise<StoreStatus>>();
  auto future = promise->get_future();
  start([promise](StoreStatus status) { promise->set_value(std::move(status)); });
  if (future.wait_for(patience) != std::future_status::ready) throw std::runtime_error("the store never answered");
  return future.get();
}

template <class T>
struct ReadResult {
  StoreStatus status;
  T value;
};
template <class T, class Start>
ReadResult<T> wait_read(Start start) {
  auto promise = std::make_shared<std::promise<ReadResult<T>>>();
  auto future = promise->get_future();
  start([promise](StoreStatus status, T value) { promise->set_value({std::move(status), std::move(value)}); });
  if (future.wait_for(patience) != std::future_status::ready) throw std::runtime_error("the store never answered");
  return future.get();
}

}  // namespace arca::cassandra
