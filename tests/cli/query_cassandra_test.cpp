// `arca query` over a real Cassandra: what was parked there is found by trace, by service and time, by name and in
// chunks.
#include <optional>

#include "cassandra/cql_client.hpp"
#include "cassandra/cql_store.hpp"
#include "cli/query_fixture.hpp"
#include "os/random.hpp"
#include "support/cassandra.hpp"

namespace arca::cli {
namespace {

using namespace testing;
using model::Signal;
using namespace std::chrono_literals;

// Sets variables of the environment for one test.
class Variables {
 public:
  void set(const std::string& name, const std::string& value) {
    names_.push_back(name);
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Variables() {
    for (const std::string& name : names_) ::unsetenv(name.c_str());
  }

 private:
  std::vector<std::string> names_;
};

class QueryCassandraTest : public testing::QueryTest {
 protected:
  void SetUp() override {
    const auto node = support::Cassandra::shared_node();
    ASSERT_TRUE(node) << node.error().message();
    const auto keyspace = (*node)->make_keyspace();
    ASSERT_TRUE(keyspace) << keyspace.error().message();
    keyspace_ = *keyspace;
    contact_ = (*node)->contact_points().front() + ":" + std::to_string((*node)->port());
    variables_.set("ARCA_CASSANDRA_CONTACT_POINTS", contact_);
    variables_.set("ARCA_CASSANDRA_KEYSPACE", keyspace_);
    variables_.set("ARCA_CASSANDRA_REPLICATION_FACTOR", "1");
    const Outcome made = run({"schema", "apply"});
    ASSERT_EQ(made.code, 0) << made.out << made.err;
  }
  // Without a Collector everything is parked; the state directory is then of no use to the queries.
  std::unique_ptr<Telemetry> start_parking() const {
    Config parking = config("shop");
    parking.recovery.enabled = false;
    return start(parking);
  }
  [[nodiscard]] Outcome parked(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "query");
    arguments.insert(arguments.end(), {"--from", "cassandra", "--state", state_, "--timeout", "30s"});
    return run(arguments);
  }
  std::size_t count(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    const Outcome outcome = parked(std::move(arguments));
    EXPECT_TRUE(outcome.code == 0 || outcome.code == 7) << outcome.err;
    return lines_of(outcome.out).size();
  }

  Variables variables_;
  std::string keyspace_;
  std::string contact_;
};

TEST_F(QueryCassandraTest, WhatIsParkedIsFoundAsItWouldBeInTheJournal) {
  auto telemetry = start_parking();
  const std::string trace = record_checkout(*telemetry, 42);
  record_checkout(*telemetry, 43);
  telemetry->meter_provider()
      ->GetMeter("shop")
      ->CreateUInt64Counter("orders", "", "{order}")
      ->Add(3, {{"kind", "pen"}});
  // First from the chunks alone, then by the rows, which follow: nothing may be missing in between.
  ASSERT_TRUE(support::wait_until(
      [&] {
        telemetry->force_flush(10ms);
        return count({"traces"}) == 4 && count({"logs"}) == 4 && count({"metrics"}) > 0;
      },
      60s))
      << parked({"traces"}).err << to_json(telemetry->status());
  telemetry->shutdown(5s);
  ASSERT_TRUE(support::wait_until([&] { return count({"operations"}) == 4; }, 60s)) << parked({"operations"}).out;

  const Outcome found = parked({"trace", trace});
  EXPECT_EQ(found.code, 0) << found.err;
  for (const char* part : {"GET /checkout", "charge card", "error: card declined", "the bank said no", "3 spans",
                           "2 log records", "in cassandra"}) {
    EXPECT_NE(found.out.find(part), std::string::npos) << part << " is not in\n" << found.out;
  }
  EXPECT_EQ(count({"services"}), 1U);
  EXPECT_EQ(count({"traces", "--service", "shop", "--since", "1h"}), 4U);
  EXPECT_EQ(count({"traces", "--service", "bank"}), 0U);
  EXPECT_EQ(count({"traces", "--operation", "charge card"}), 2U);
  EXPECT_EQ(count({"traces", "--status", "error"}), 2U);
  EXPECT_EQ(count({"traces", "--status", "ok"}), 2U);
  EXPECT_EQ(count({"traces", "--attribute", "customer.id=42"}), 1U);
  EXPECT_EQ(count({"traces", "--min-duration", "1h"}), 0U);
  EXPECT_EQ(count({"traces", "--until", "1h"}), 0U);
  EXPECT_EQ(count({"traces", "--limit", "3"}), 3U);
  EXPECT_EQ(count({"logs", "--trace", trace}), 2U);
  EXPECT_EQ(count({"logs", "--severity", "error"}), 2U);
  EXPECT_EQ(count({"logs", "--limit", "1"}), 1U);
  EXPECT_NE(parked({"metrics", "--name", "orders"}).out.find("3 {order}"), std::string::npos);
  EXPECT_EQ(count({"trace", std::string(32, 'f')}), 0U);
}

TEST_F(QueryCassandraTest, SpansWithoutRowsAreFoundInTheirChunks) {
  variables_.set("ARCA_CASSANDRA_ROWS", "false");
  auto telemetry = start_parking();
  const std::string trace = record_checkout(*telemetry);
  ASSERT_TRUE(support::wait_until(
      [&] {
        return parked({"trace", trace}).out.find("3 spans") != std::string::npos;
      },
      60s));
  EXPECT_EQ(count({"traces", "--operation", "GET /checkout"}), 1U);
}

TEST_F(QueryCassandraTest, RejectedChunksAreFoundInTheQuarantine) {
  cassandra::ConnectionSettings settings;
  settings.contact_points = contact_;
  const auto client = std::move(*cassandra::CqlClient::open(settings));
  ASSERT_TRUE(client->wait_connected(60s));
  const auto store = std::move(*cassandra::CqlStore::create(*client, keyspace_));
  os::SystemClock clock;
  model::Chunk chunk;
  chunk.id = {{8}, 1};
  chunk.signal = Signal::logs;
  chunk.item_count = 3;
  chunk.sealed_at = clock.wall_now();
  chunk.payload = model::Payload::copy_of(base::as_bytes(logs(1, 3)));
  cassandra::QuarantinedChunk rejected{*cassandra::pack(chunk), 3, "the Collector said no", clock.wall_now()};
  std::optional<bool> is_ok;
  std::mutex mutex;
  store->put_quarantined(rejected, [&](const cassandra::StoreStatus& status) {
    const std::lock_guard lock(mutex);
    is_ok = status.ok();
  });
  ASSERT_TRUE(support::wait_until([&] {
    const std::lock_guard lock(mutex);
    return is_ok.has_value();
  }));
  const Outcome found = run({"query", "logs", "--from", "quarantine", "--json", "--timeout", "30s"});
  EXPECT_EQ(found.code, 0) << found.err;
  EXPECT_EQ(lines_of(found.out).size(), 3U);
}

TEST_F(QueryCassandraTest, WithoutTheClusterTheRestIsShownAndTheExitCodeSaysSo) {
  keep(writer_folder(7), Signal::traces, request_with({{.id = 'a'}}), 7, 1);
  variables_.set("ARCA_CASSANDRA_CONTACT_POINTS", "127.0.0.1:1");
  const Outcome outcome = run({"query", "traces", "--state", state_, "--timeout", "300ms"});
  EXPECT_EQ(outcome.code, 4) << outcome.err;
  EXPECT_NE(outcome.out.find(hex_of('T')), std::string::npos) << outcome.out;
}

}  // namespace
}  // namespace arca::cli
