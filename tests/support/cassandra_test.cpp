// The harness itself: a real Cassandra serves, is killed, paused and started again, and leaves nothing behind.
#include "support/cassandra.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "support/wait.hpp"

namespace arca::support {
namespace {

using nlohmann::json;
using std::chrono::seconds;

std::string table_with_one_row(Cassandra& cassandra, int replicas = 1) {
  const auto keyspace = cassandra.make_keyspace(replicas);
  EXPECT_TRUE(keyspace) << keyspace.error().message();
  const auto table = keyspace.value_or("none") + ".rows";
  const auto created = cassandra.cql("CREATE TABLE " + table + " (id int PRIMARY KEY, payload blob, at timestamp)",
                                     {.timeout = seconds(60)});
  EXPECT_TRUE(created) << created.error().message();
  const auto inserted = cassandra.cql("INSERT INTO " + table + " (id, payload, at) VALUES (1, 0xcafe, 1500)");
  EXPECT_TRUE(inserted) << inserted.error().message();
  return table;
}

const json the_row = json::parse(R"([{"id": 1, "payload": "0xcafe", "at": 1500}])");

// The status of a program that connects with TLS 1.2, in which a refused certificate ends the handshake.
Result<std::string> tls_connect(const Cassandra& cassandra, const std::string& ca, const std::string& certificate,
                                const std::string& key) {
  const auto address = cassandra.contact_points().front();
  auto command = "exec openssl s_client -tls1_2 -verify_return_error -connect " + address + ":" +
                 std::to_string(cassandra.port()) + " -verify_ip " + address + " -CAfile " + ca;
  if (!certificate.empty()) command += " -cert " + certificate + " -key " + key;
  return run_command({"sh", "-c", command + " </dev/null"});
}

TEST(Cassandra, AnswersThroughThePythonDriver) {
  const auto shared = Cassandra::shared_node();
  ASSERT_TRUE(shared) << shared.error().message();
  auto& cassandra = **shared;
  const auto table = table_with_one_row(cassandra);
  const auto rows = cassandra.cql("SELECT * FROM " + table);
  ASSERT_TRUE(rows) << rows.error().message();
  EXPECT_EQ(*rows, the_row);
  const auto version = cassandra.cql("SELECT release_version FROM system.local");
  ASSERT_TRUE(version) << version.error().message();
  EXPECT_EQ(version->at(0).at("release_version"), "5.0.8");
}

TEST(Cassandra, TellsAWrongStatementFromALackOfNodes) {
  const auto shared = Cassandra::shared_node();
  ASSERT_TRUE(shared) << shared.error().message();
  auto& cassandra = **shared;
  const auto wrong = cassandra.cql("SELECT * FROM nowhere.rows");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::invalid_config) << wrong.error().message();
  const auto keyspace = cassandra.make_keyspace(3);
  ASSERT_TRUE(keyspace) << keyspace.error().message();
  ASSERT_TRUE(cassandra.cql("CREATE TABLE " + *keyspace + ".rows (id int PRIMARY KEY)", {.timeout = seconds(60)}));
  const auto short_of_nodes = cassandra.cql("INSERT INTO " + *keyspace + ".rows (id) VALUES (1)");
  ASSERT_FALSE(short_of_nodes);
  EXPECT_EQ(short_of_nodes.error().code(), ErrorCode::unavailable) << short_of_nodes.error().message();
}

TEST(Cassandra, TwoClustersStandSideBySide) {
  const auto shared = Cassandra::shared_node();
  ASSERT_TRUE(shared) << shared.error().message();
  const auto second = Cassandra::start({.heap_mib = 512});
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_NE((*shared)->contact_points(), (*second)->contact_points());
  EXPECT_EQ((*shared)->port(), (*second)->port());
  const auto table = table_with_one_row(**second);
  EXPECT_TRUE((*second)->cql("SELECT * FROM " + table));
  EXPECT_FALSE((*shared)->cql("SELECT * FROM " + table)) << "the table of one cluster is in the other";
}

TEST(Cassandra, KeepsWhatItAcknowledgedThroughKillAndRestart) {
  const auto cassandra = Cassandra::start({.heap_mib = 512});
  ASSERT_TRUE(cassandra) << cassandra.error().message();
  const auto table = table_with_one_row(**cassandra);
  ASSERT_TRUE((*cassandra)->kill(1));
  EXPECT_FALSE((*cassandra)->cql("SELECT * FROM " + table, {.timeout = seconds(3)})) << "killed, yet it answers";
  const auto restarted = (*cassandra)->restart(1);
  ASSERT_TRUE(restarted) << restarted.error().message();
  Result<json> rows = json();
  EXPECT_TRUE(wait_until([&] { return (rows = (*cassandra)->cql("SELECT * FROM " + table)).has_value(); }));
  ASSERT_TRUE(rows) << rows.error().message();
  EXPECT_EQ(*rows, the_row);
}

TEST(Cassandra, IsSilentWhilePausedAndServesAgainAfterwards) {
  const auto cassandra = Cassandra::start({.heap_mib = 512});
  ASSERT_TRUE(cassandra) << cassandra.error().message();
  const auto table = table_with_one_row(**cassandra);
  ASSERT_TRUE((*cassandra)->pause(1));
  const auto silence = (*cassandra)->cql("SELECT * FROM " + table, {.timeout = std::chrono::milliseconds(500)});
  ASSERT_FALSE(silence) << "paused, yet it answers";
  EXPECT_EQ(silence.error().code(), ErrorCode::timeout) << silence.error().message();
  ASSERT_TRUE((*cassandra)->resume(1));
  Result<json> rows = json();
  EXPECT_TRUE(wait_until([&] { return (rows = (*cassandra)->cql("SELECT * FROM " + table)).has_value(); }));
  ASSERT_TRUE(rows) << rows.error().message();
  EXPECT_EQ(*rows, the_row);
}

TEST(Cassandra, EndsWithItsOwnerEvenIfThatIsKilled) {
  auto owner = Process::start({"sleep", "600"});
  ASSERT_TRUE(owner);
  const auto printed = run_cassandra_tool({"start", "1", "--heap", "512", "--owner", std::to_string((*owner)->pid())});
  ASSERT_TRUE(printed) << printed.error().message();
  const auto description = json::parse(*printed);
  const auto pid = description.at("pids").at(0).get<pid_t>();
  const std::string directory = description.at("directory");
  ASSERT_EQ(::kill(pid, 0), 0);
  (*owner)->send_signal(SIGKILL);
  EXPECT_TRUE(wait_until([&] { return ::kill(pid, 0) != 0; })) << "its node is still there: " << pid;
  EXPECT_TRUE(wait_until([&] { return !std::filesystem::exists(directory); })) << directory;
}

TEST(Cassandra, AQuorumOfThreeSurvivesAKilledNode) {
  const auto cassandra = Cassandra::start({.nodes = 3});
  ASSERT_TRUE(cassandra) << cassandra.error().message();
  const auto table = table_with_one_row(**cassandra, 3);
  ASSERT_TRUE((*cassandra)->kill(2));
  for (int id = 10; id < 20; ++id) {
    const auto written =
        (*cassandra)->cql("INSERT INTO " + table + " (id, payload) VALUES (" + std::to_string(id) + ", 0x00)");
    EXPECT_TRUE(written) << written.error().message();
  }
  // A scan asks two replicas only, and may choose the dead one until the others have noticed its death.
  Result<json> rows = json();
  EXPECT_TRUE(
      wait_until([&] { return (rows = (*cassandra)->cql("SELECT id FROM " + table)).has_value(); }, seconds(90)));
  ASSERT_TRUE(rows) << rows.error().message();
  EXPECT_EQ(rows->size(), 11U);
  EXPECT_FALSE((*cassandra)->cql("SELECT id FROM " + table, {.consistency = "ALL"})) << "all three answered";
  const auto restarted = (*cassandra)->restart(2);
  ASSERT_TRUE(restarted) << restarted.error().message();
  EXPECT_TRUE(
      wait_until([&] { return (*cassandra)->cql("SELECT id FROM " + table, {.consistency = "ALL"}).has_value(); }));
}

TEST(Cassandra, AsksForPasswordAndClientCertificate) {
  const auto started = Cassandra::start({.auth = true, .tls = true, .client_auth = true, .heap_mib = 512});
  ASSERT_TRUE(started) << started.error().message();
  auto& cassandra = **started;
  const auto roles = cassandra.cql("SELECT role FROM system_auth.roles");
  ASSERT_TRUE(roles) << roles.error().message();
  EXPECT_EQ(roles->at(0).at("role"), cassandra.user());
  const auto files = cassandra.certificates();
  const auto right = tls_connect(cassandra, files.ca_path, files.client_certificate_path, files.client_key_path);
  EXPECT_TRUE(right) << right.error().message();
  EXPECT_FALSE(tls_connect(cassandra, files.ca_path, "", "")) << "without a certificate";
  EXPECT_FALSE(
      tls_connect(cassandra, files.ca_path, files.expired_client_certificate_path, files.expired_client_key_path));
  EXPECT_FALSE(
      tls_connect(cassandra, files.ca_path, files.foreign_client_certificate_path, files.foreign_client_key_path));
  EXPECT_FALSE(tls_connect(cassandra, files.foreign_ca_path, files.client_certificate_path, files.client_key_path))
      << "a client that trusts another authority";
}

TEST(Cassandra, ShowsAnExpiredCertificateWhereAskedTo) {
  const auto cassandra = Cassandra::start({.tls = true, .node_certificate = "expired", .heap_mib = 512});
  ASSERT_TRUE(cassandra) << cassandra.error().message();
  const auto refused = tls_connect(**cassandra, (*cassandra)->certificates().ca_path, "", "");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("certificate has expired"), std::string::npos) << refused.error().message();
}

}  // namespace
}  // namespace arca::support
