// CqlClient on real nodes: who may connect, what is bounded, and what becomes of it when keyspaces, processes and
// clients come and go.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "shared_node.hpp"
#include "support/fork_quiet.hpp"
#include "support/wait.hpp"

namespace arca::cassandra {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ClientTest : public NodeTest {};

TEST_F(ClientTest, ItConnectsInTheBackgroundAndSaysWhatItSees) {
  const auto client = connected();
  const ConnectionStatus status = client->status();
  EXPECT_TRUE(status.connected);
  EXPECT_EQ(status.node_count, 1U);
  EXPECT_EQ(status.up_count, 1U);
  const Answer answer = run(*client, "SELECT cluster_name, release_version FROM system.local");
  ASSERT_TRUE(answer.ok()) << answer.message;
  ASSERT_EQ(answer.row_count(), 1U);
  EXPECT_EQ(answer.rows->columns(), (std::vector<std::string>{"cluster_name", "release_version"}));
  EXPECT_TRUE(answer.row(0).text(1).starts_with("5.")) << answer.row(0).text(1);
}

TEST_F(ClientTest, WithNobodyThereNothingIsSent) {
  ConnectionSettings nowhere = settings();
  nowhere.contact_points = "127.0.0.1:" + std::to_string(support::free_port());
  auto client = CqlClient::open(nowhere);
  ASSERT_TRUE(client) << client.error().message();
  const Answer answer = run(**client, "SELECT key FROM system.local");
  EXPECT_EQ(answer.outcome, Outcome::not_sent);
  EXPECT_FALSE((*client)->has_window(1));
  const auto waited = (*client)->wait_connected(milliseconds(300));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code(), ErrorCode::unavailable);
  EXPECT_THAT(waited.error().message(), HasSubstr(nowhere.contact_points));
}

TEST_F(ClientTest, AWrongStatementIsRefusedWithTheWordsOfTheServer) {
  const auto client = connected();
  const Answer unknown_table = run(*client, "SELECT a FROM system.nonsense");
  EXPECT_EQ(unknown_table.outcome, Outcome::refused);
  EXPECT_EQ(unknown_table.refusal, Refusal::schema);
  EXPECT_THAT(unknown_table.message, HasSubstr("nonsense"));
  const Answer no_cql = run(*client, "FETCH everything");
  EXPECT_EQ(no_cql.outcome, Outcome::refused);
  EXPECT_EQ(no_cql.error().code(), ErrorCode::invalid_config);
}

TEST_F(ClientTest, MoreThanTheWindowIsNotSentAndEveryCallbackIsCalledOnce) {
  ConnectionSettings narrow = settings();
  narrow.in_flight_max = 4;
  const auto client = connected(narrow);
  const auto statement = client->statement("SELECT key FROM system.local", StatementKind::idempotent);
  ASSERT_TRUE(statement);
  constexpr int request_count = 500;
  std::atomic<int> ok_count{0};
  std::atomic<int> not_sent_count{0};
  std::atomic<int> answer_count{0};
  for (int i = 0; i < request_count; ++i) {
    client->execute({.statement = *statement, .values = {}}, [&](const Answer& answer) {
      if (answer.ok()) ++ok_count;
      if (answer.outcome == Outcome::not_sent) ++not_sent_count;
      ++answer_count;
    });
  }
  ASSERT_TRUE(support::wait_until([&] { return answer_count == request_count; }, patience));
  EXPECT_GE(ok_count, 4);
  EXPECT_GT(not_sent_count, 0);
  EXPECT_EQ(ok_count + not_sent_count, request_count);
}

TEST_F(ClientTest, SeveralClientsOfOneProcessAnswerEachTheirOwn) {
  constexpr int client_count = 3;
  std::vector<std::thread> users;
  std::atomic<int> good_count{0};
  for (int i = 0; i < client_count; ++i) {
    users.emplace_back([&] {
      const auto client = connected();
      for (int round = 0; round < 50; ++round) {
        if (run(*client, "SELECT key FROM system.local").row_count() == 1) ++good_count;
      }
    });
  }
  for (std::thread& user : users) user.join();
  EXPECT_EQ(good_count, client_count * 50);
}

// What a forked child finds: 0 if all is as it should be, else the number of the first expectation that failed.
int child_result(std::unique_ptr<CqlClient> inherited, const ConnectionSettings& settings) {
  std::atomic<int> not_sent{0};
  inherited->execute({}, [&](const Answer& answer) { not_sent += answer.outcome == Outcome::not_sent ? 1 : 0; });
  inherited->batch({}, [&](const Answer& answer) { not_sent += answer.outcome == Outcome::not_sent ? 1 : 0; });
  if (not_sent != 2) return 1;
  if (inherited->has_window(1)) return 2;
  if (inherited->status().connected) return 3;
  if (inherited->statement("SELECT key FROM system.local", StatementKind::idempotent)) return 4;
  if (inherited->wait_connected(seconds(1))) return 5;
  inherited.reset();  // lets go of it: its thread is not here
  auto own = CqlClient::open(settings);
  if (!own || !(*own)->wait_connected(patience)) return 6;
  const auto statement = (*own)->statement("SELECT key FROM system.local", StatementKind::idempotent);
  if (!statement) return 7;
  return execute_and_wait(**own, {.statement = *statement, .values = {}}, patience).row_count() == 1 ? 0 : 8;
}

TEST_F(ClientTest, AForkedChildSendsNothingByTheClientOfItsParentAndMayOpenItsOwn) {
  auto client = connected();
  const ConnectionSettings known = settings();
  ASSERT_TRUE(support::rest_before_fork());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(child_result(std::move(client), known));
  int status = 0;
  const bool has_ended = support::wait_until([&] { return ::waitpid(child, &status, WNOHANG) == child; }, patience);
  if (!has_ended) ::kill(child, SIGKILL);
  ASSERT_TRUE(has_ended) << "the child hangs";
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(run(*client, "SELECT key FROM system.local").row_count(), 1U) << "the parent's goes on";
}

TEST_F(ClientTest, AKeyspaceThatIsDroppedMeanwhileIsNamedAndMayComeBack) {
  const auto client = connected();
  const SchemaSettings schema = new_keyspace();
  ASSERT_TRUE(apply_schema(*client, schema, patience));
  const auto store = CqlStore::create(*client, schema.keyspace);
  ASSERT_TRUE(store);
  SegmentHead head;
  head.name.id = random_uuid(os::system_random());
  head.opened_at = std::chrono::system_clock::now();
  const auto open = [&] { return wait_done([&](StoreDone done) { (*store)->open_segment(head, std::move(done)); }); };
  const auto take = [&] {
    return wait_read<Lease>([&](auto done) { (*store)->take_lease(3, head.name.id, seconds(30), std::move(done)); });
  };
  ASSERT_TRUE(open().ok());
  ASSERT_TRUE(take().status.ok());

  ASSERT_TRUE(run(*client, "DROP KEYSPACE " + schema.keyspace).ok());
  const StoreStatus gone = open();
  EXPECT_EQ(gone.outcome, Outcome::refused) << gone.message;
  EXPECT_EQ(gone.refusal, Refusal::schema);
  EXPECT_EQ(take().status.outcome, Outcome::refused);

  const auto report = apply_schema(*client, schema, patience);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->fits());
  const StoreStatus back = open();
  EXPECT_TRUE(back.ok()) << back.message;
  const auto lease = take();
  EXPECT_TRUE(lease.status.ok()) << lease.status.message;
  EXPECT_TRUE(lease.value.held);
  run(*client, "DROP KEYSPACE " + schema.keyspace);
}

TEST(ClientWithPasswordTest, TheRightOneConnectsAndTheWrongOneIsToldAtOnceWithoutIt) {
  support::CassandraOptions options;
  options.auth = true;
  const auto cluster = support::Cassandra::start(options);
  ASSERT_TRUE(cluster) << cluster.error().message();
  ConnectionSettings settings = NodeTest::settings_for(**cluster);
  settings.user = (*cluster)->user();
  settings.password = (*cluster)->password();
  {
    auto client = CqlClient::open(settings);
    ASSERT_TRUE(client) << client.error().message();
    const auto reached = (*client)->wait_connected(patience);
    EXPECT_TRUE(reached) << reached.error().message();
  }
  settings.password = "not-the-password";
  auto client = CqlClient::open(settings);
  ASSERT_TRUE(client) << client.error().message();
  const auto reached = (*client)->wait_connected(patience);
  ASSERT_FALSE(reached);
  EXPECT_EQ(reached.error().code(), ErrorCode::invalid_config) << reached.error().message();
  EXPECT_THAT(reached.error().message(), Not(HasSubstr(settings.password)));

  const auto statement = (*client)->statement("SELECT key FROM system.local", StatementKind::idempotent);
  ASSERT_TRUE(statement);
  const Answer answer = execute_and_wait(**client, {.statement = *statement, .values = {}}, patience);
  EXPECT_EQ(answer.outcome, Outcome::refused) << answer.message;
  EXPECT_EQ(answer.refusal, Refusal::authentication);
}

}  // namespace
}  // namespace arca::cassandra
