// One real Cassandra node for a program of tests, a keyspace of its own for each test, and the client that reaches it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cassandra/cql_client.hpp"
#include "cassandra/cql_store.hpp"
#include "cassandra/schema.hpp"
#include "os/random.hpp"
#include "support/process.hpp"

namespace arca::cassandra {

inline constexpr std::chrono::milliseconds patience{60'000};  // of tests, on a machine that is busy with others

// A node that lives as long as the program.
class TestNode {
 public:
  explicit TestNode(const std::vector<std::string>& options = {}) {
    std::vector<std::string> command{ARCA_CASSANDRA_TOOL, "start", "1", "--owner", std::to_string(::getpid())};
    command.insert(command.end(), options.begin(), options.end());
    const auto started = support::run_command(command);
    if (!started) throw std::runtime_error(started.error().message());
    const auto description = nlohmann::json::parse(*started);
    directory = description.at("directory");
    contact_points =
        std::string(description.at("contact_points").at(0)) + ":" + std::to_string(int(description.at("port")));
  }
  ~TestNode() {
    const auto stopped = support::run_command({ARCA_CASSANDRA_TOOL, "stop", "--dir", directory, "--now", "--remove"});
    if (!stopped) ADD_FAILURE() << stopped.error().message();
  }
  TestNode(const TestNode&) = delete;
  TestNode& operator=(const TestNode&) = delete;

  // What an independent client (the Python driver) sees: one line of JSON for each row.
  [[nodiscard]] std::string cql(const std::string& statement) const {
    const auto said = support::run_command({ARCA_CASSANDRA_TOOL, "cql", "--dir", directory, statement});
    return said ? *said : said.error().message();
  }

  std::string directory;
  std::string contact_points;
};

// Started when the first test needs it, stopped when the last has ended.
class NodeTest : public ::testing::Test {
 public:
  static void SetUpTestSuite() {
    if (!holder().node) holder().node = std::make_unique<TestNode>();
  }
  static TestNode& node() { return *holder().node; }

 protected:
  static ConnectionSettings settings() {
    ConnectionSettings made;
    made.contact_points = node().contact_points;
    made.driver_library = ARCA_CQL_LIBRARY;
    return made;
  }
  static std::unique_ptr<CqlClient> connected() {
    auto client = CqlClient::open(settings());
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

 private:
  struct Holder : ::testing::Environment {
    void TearDown() override { node.reset(); }
    std::unique_ptr<TestNode> node;
  };
  static Holder& holder() {
    static Holder* const made = static_cast<Holder*>(::testing::AddGlobalTestEnvironment(new Holder));
    return *made;
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
