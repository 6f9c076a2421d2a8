// `arca query` over a real Cassandra: what was parked there is found by trace, by service and time, by name and in
// chunks.
#include <filesystem>
#include <future>

#include "cassandra/cql_client.hpp"
#include "cassandra/cql_store.hpp"
#include "cassandra/row_writer.hpp"
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

  enum class Rows : std::uint8_t { never_written, written, ended };
  // A segment of one chunk of spans and one of log records of a trace, as a process has parked it some time ago.
  void park(base::Duration ago, Rows rows, base::Duration logs_later = {}) {
    std::filesystem::create_directories(state_);
    const base::WallTime at = os::SystemClock().wall_now() - ago;
    const auto start = static_cast<std::uint64_t>(at.time_since_epoch().count());
    const std::uint64_t log_time = start + static_cast<std::uint64_t>(logs_later.count());
    const std::string spans = request_with({{.id = 'a', .start = start}, {.id = 'b', .parent = 'a', .start = start}});
    const std::string log = fixed(1, log_time) + field(5, field(1, "hello")) + field(9, std::string(16, 'T'));
    const std::string logs =
        field(1, field(1, field(1, text_attribute("service.name", "shop"))) + field(2, field(2, log)));
    cassandra::SegmentHead head;
    head.writer = {os::random_from_kernel()};
    head.name = {cassandra::bucket_of(at), cassandra::shard_of(head.writer),
                 cassandra::random_uuid(os::system_random())};
    head.host = "here";
    head.opened_at = at;
    settle([&](auto done) { store().open_segment(head, std::move(done)); });
    put(head, 0, Signal::traces, spans, at);
    put(head, 1, Signal::logs, logs, at + logs_later);
    cassandra::SegmentSummary summary;
    summary.chunk_count = 2;
    summary.item_count = {2, 0, 1};
    summary.time_min = at;
    summary.time_max = at + logs_later;
    summary.services = {"shop"};
    settle([&](auto done) { store().seal_segment(head.name, at + 1s, summary, std::move(done)); });
    if (rows != Rows::never_written) {
      settle([&](auto done) { store().mark_rows(head.name, 2, std::move(done)); });
    }
    if (rows != Rows::written) return;
    const auto made = cassandra::rows_of(base::as_bytes(spans));
    ASSERT_TRUE(made) << made.error().message();
    for (const auto& each : made->traces) settle([&](auto done) { store().put_rows(each, 1, std::move(done)); });
    for (const auto& each : made->entries) settle([&](auto done) { store().put_entries(each, 1, std::move(done)); });
  }

  cassandra::CqlStore& store() {
    if (!store_) {
      cassandra::ConnectionSettings settings;
      settings.contact_points = contact_;
      client_ = std::move(*cassandra::CqlClient::open(settings));
      EXPECT_TRUE(client_->wait_connected(60s));
      store_ = std::move(*cassandra::CqlStore::create(*client_, keyspace_));
      store_->set_datacenter(client_->status().datacenter);
    }
    return *store_;
  }
  // Starts an operation of the store and waits for its end.
  template <class Start>
  static void settle(Start start) {
    const auto ended = std::make_shared<std::promise<cassandra::StoreStatus>>();
    auto status = ended->get_future();
    start([ended](const cassandra::StoreStatus& each) { ended->set_value(each); });
    ASSERT_EQ(status.wait_for(60s), std::future_status::ready);
    const cassandra::StoreStatus got = status.get();
    ASSERT_TRUE(got.ok()) << got.message;
  }

  Variables variables_;
  std::string keyspace_;
  std::string contact_;

 private:
  void put(const cassandra::SegmentHead& head, std::int32_t position, Signal signal, const std::string& request,
           base::WallTime sealed_at) {
    model::Chunk chunk;
    chunk.id = {head.writer, static_cast<std::uint64_t>(position) + 1};
    chunk.signal = signal;
    chunk.item_count = 1;
    chunk.sealed_at = sealed_at;
    chunk.payload = model::Payload::copy_of(base::as_bytes(request));
    cassandra::StoredChunk stored = *cassandra::pack(chunk);
    stored.position = position;
    settle([&](auto done) { store().put_chunk(head.name, stored, 1, std::move(done)); });
  }

  std::unique_ptr<cassandra::CqlClient> client_;
  std::unique_ptr<cassandra::CqlStore> store_;
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

TEST_F(QueryCassandraTest, WhatWasParkedHoursAgoAndHasNoRowsIsFound) {
  park(3h, Rows::never_written);
  const std::string trace = hex_of('T');
  const Outcome found = parked({"trace", trace});
  EXPECT_EQ(found.code, 0) << found.err;
  EXPECT_NE(found.out.find("2 spans"), std::string::npos) << found.out << found.err;
  EXPECT_NE(found.out.find("1 log record"), std::string::npos) << found.out << found.err;
  EXPECT_EQ(count({"traces"}), 1U);
  EXPECT_EQ(count({"traces", "--since", "4h"}), 1U);
  EXPECT_EQ(count({"traces", "--since", "2h"}), 0U);
  EXPECT_EQ(count({"logs", "--trace", trace}), 1U);
}

TEST_F(QueryCassandraTest, LogRecordsOfATraceOfHoursAgoAreFoundByItsRows) {
  park(3h, Rows::written);
  const Outcome found = parked({"logs", "--trace", hex_of('T'), "--json"});
  EXPECT_EQ(found.code, 0) << found.err;
  EXPECT_EQ(lines_of(found.out).size(), 1U);
  EXPECT_NE(found.err.find("around the spans"), std::string::npos) << found.err;  // further away none was looked for
  EXPECT_NE(parked({"trace", hex_of('T')}).out.find("1 log record"), std::string::npos);
}

TEST_F(QueryCassandraTest, LogRecordsLongAfterTheSpansOfTheirTraceAreFound) {
  park(3h, Rows::written, 1h);
  EXPECT_EQ(count({"logs", "--trace", hex_of('T')}), 1U);
  EXPECT_EQ(count({"logs", "--trace", hex_of('U')}), 0U);
}

TEST_F(QueryCassandraTest, WhatHasOutlivedItsRowsIsFound) {
  park(8 * 24h, Rows::ended);
  variables_.set("ARCA_CASSANDRA_ROW_TTL", "7d");
  EXPECT_NE(parked({"trace", hex_of('T')}).out.find("2 spans"), std::string::npos);
  EXPECT_EQ(count({"traces", "--since", "9d"}), 1U);
  const Outcome without = parked({"traces"});
  EXPECT_EQ(without.code, 6);
  EXPECT_NE(without.err.find("--since looks for it too"), std::string::npos) << without.out << without.err;
}

TEST_F(QueryCassandraTest, NamesAreThoseOfTheTimeThatIsAskedFor) {
  park(3h, Rows::written);
  settle([&](auto done) { store().put_names("shop", {"work"}, std::move(done)); });
  settle([&](auto done) { store().put_names("bank", {"pay"}, std::move(done)); });  // whenever that was
  EXPECT_EQ(count({"services"}), 2U);
  EXPECT_EQ(count({"services", "--since", "4h"}), 1U);
  EXPECT_EQ(count({"services", "--since", "1h"}), 0U);
  EXPECT_EQ(count({"operations"}), 2U);
  EXPECT_EQ(count({"operations", "--since", "4h"}), 1U);
  EXPECT_EQ(count({"operations", "--since", "1h"}), 0U);
}

TEST_F(QueryCassandraTest, RejectedChunksAreFoundInTheQuarantine) {
  os::SystemClock clock;
  model::Chunk chunk;
  chunk.id = {{8}, 1};
  chunk.signal = Signal::logs;
  chunk.item_count = 3;
  chunk.sealed_at = clock.wall_now();
  chunk.payload = model::Payload::copy_of(base::as_bytes(logs(1, 3)));
  cassandra::QuarantinedChunk rejected{*cassandra::pack(chunk), 3, "the Collector said no", clock.wall_now()};
  settle([&](auto done) { store().put_quarantined(rejected, std::move(done)); });
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
