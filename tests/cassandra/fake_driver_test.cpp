// CqlClient over a driver that answers on command: what each status means, and that every callback is called once.
#include "fake_driver/fake_driver.hpp"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "cassandra/cql_client.hpp"
#include "cassandra/cql_library.hpp"
#include "support/fork_quiet.hpp"
#include "support/wait.hpp"

namespace arca::cassandra {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

// The control functions of the same library that the client loads.
struct Controls {
  decltype(&fake_cql_reset) reset = nullptr;
  decltype(&fake_cql_set_abi_version) set_abi_version = nullptr;
  decltype(&fake_cql_set_open_status) set_open_status = nullptr;
  decltype(&fake_cql_set_connection) set_connection = nullptr;
  decltype(&fake_cql_set_call_status) set_call_status = nullptr;
  decltype(&fake_cql_hold_calls) hold_calls = nullptr;
  decltype(&fake_cql_held_count) held_count = nullptr;
  decltype(&fake_cql_pending_count) pending_count = nullptr;
  decltype(&fake_cql_latest_consistency) latest_consistency = nullptr;
  decltype(&fake_cql_complete) complete = nullptr;
  decltype(&fake_cql_open_client_count) open_client_count = nullptr;
  decltype(&fake_cql_result_count) result_count = nullptr;
};

class FakeDriverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    void* const library = ::dlopen(ARCA_FAKE_CQL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << ::dlerror();
    find(library, "fake_cql_reset", driver_.reset);
    find(library, "fake_cql_set_abi_version", driver_.set_abi_version);
    find(library, "fake_cql_set_open_status", driver_.set_open_status);
    find(library, "fake_cql_set_connection", driver_.set_connection);
    find(library, "fake_cql_set_call_status", driver_.set_call_status);
    find(library, "fake_cql_hold_calls", driver_.hold_calls);
    find(library, "fake_cql_held_count", driver_.held_count);
    find(library, "fake_cql_pending_count", driver_.pending_count);
    find(library, "fake_cql_latest_consistency", driver_.latest_consistency);
    find(library, "fake_cql_complete", driver_.complete);
    find(library, "fake_cql_open_client_count", driver_.open_client_count);
    find(library, "fake_cql_result_count", driver_.result_count);
    driver_.reset();
    settings_.contact_points = "nowhere";
    settings_.driver_library = ARCA_FAKE_CQL_LIBRARY;
    settings_.in_flight_max = 2;
    settings_.in_flight_bytes_max = 1000;
  }
  template <class Pointer>
  static void find(void* library, const char* name, Pointer& pointer) {
    pointer = reinterpret_cast<Pointer>(::dlsym(library, name));
    ASSERT_NE(pointer, nullptr) << name;
  }
  std::unique_ptr<CqlClient> open() {
    auto client = CqlClient::open(settings_);
    if (!client) throw std::runtime_error(client.error().message());
    return std::move(*client);
  }
  // Begins a request; the future has its answer.
  static std::future<Answer> begin(Cql& cql, std::string value = "v") {
    auto promise = std::make_shared<std::promise<Answer>>();
    Request request;
    request.values.text(value);
    cql.execute(std::move(request), [promise](Answer answer) { promise->set_value(std::move(answer)); });
    return promise->get_future();
  }
  static bool is_ready(std::future<Answer>& answer) {
    return answer.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  }

  Controls driver_;
  ConnectionSettings settings_;
};

// What one of them has acknowledged, the other must see.
TEST_F(FakeDriverTest, WritesAndReadsMeetWhateverTheConsistency) {
  const struct {
    Consistency configured;
    std::uint16_t of_writes, of_reads;
  } all[] = {{Consistency::local_quorum, ARCA_CQL_LOCAL_QUORUM, ARCA_CQL_LOCAL_QUORUM},
             {Consistency::quorum, ARCA_CQL_QUORUM, ARCA_CQL_QUORUM},
             {Consistency::each_quorum, ARCA_CQL_EACH_QUORUM, ARCA_CQL_LOCAL_QUORUM},
             {Consistency::all, ARCA_CQL_ALL, ARCA_CQL_LOCAL_QUORUM}};
  settings_.in_flight_max = 100;
  for (const auto& each : all) {
    settings_.consistency = each.configured;
    const auto client = open();
    const auto latest = [&](const char* text) {
      client->execute({.statement = *client->statement(text, StatementKind::idempotent), .values = {}}, [](auto) {});
      return driver_.latest_consistency();
    };
    EXPECT_EQ(latest("INSERT INTO t (a) VALUES (?)"), each.of_writes);
    EXPECT_EQ(latest("UPDATE t SET a = ? WHERE b = ?"), each.of_writes);
    EXPECT_EQ(latest("SELECT a FROM t"), each.of_reads);
    client->batch({.statement = {}, .values = {}, .row_count = 1}, [](auto) {});
    EXPECT_EQ(driver_.latest_consistency(), each.of_writes);
  }
}

struct Meaning {
  std::int32_t status;
  Outcome of_call;
  Outcome of_completion;
  Refusal refusal = Refusal::none;
};

const Meaning meanings[] = {
    {ARCA_CQL_WINDOW_FULL, Outcome::not_sent, Outcome::not_sent},
    {ARCA_CQL_NOT_CONNECTED, Outcome::not_sent, Outcome::not_sent},
    {ARCA_CQL_CLOSED, Outcome::not_sent, Outcome::unknown},  // it was under way
    {ARCA_CQL_FORKED, Outcome::not_sent, Outcome::unknown},
    {ARCA_CQL_NO_RESOURCES, Outcome::not_sent, Outcome::unknown},
    {ARCA_CQL_UNAVAILABLE, Outcome::not_taken, Outcome::not_taken},
    {ARCA_CQL_OVERLOADED, Outcome::not_taken, Outcome::not_taken},
    {ARCA_CQL_TIMED_OUT, Outcome::unknown, Outcome::unknown},
    {ARCA_CQL_WRITE_TIMEOUT, Outcome::unknown, Outcome::unknown},
    {ARCA_CQL_READ_TIMEOUT, Outcome::unknown, Outcome::unknown},
    {ARCA_CQL_CONNECTION_LOST, Outcome::unknown, Outcome::unknown},
    {ARCA_CQL_SERVER, Outcome::unknown, Outcome::unknown},
    {ARCA_CQL_PANIC, Outcome::unknown, Outcome::unknown},
    {ARCA_CQL_AUTHENTICATION, Outcome::refused, Outcome::refused, Refusal::authentication},
    {ARCA_CQL_TLS, Outcome::refused, Outcome::refused, Refusal::tls},
    {ARCA_CQL_SCHEMA, Outcome::refused, Outcome::refused, Refusal::schema},
    {ARCA_CQL_INVALID, Outcome::refused, Outcome::refused, Refusal::invalid},
    {ARCA_CQL_USAGE, Outcome::refused, Outcome::refused, Refusal::usage},
    {999, Outcome::unknown, Outcome::unknown},  // of a driver to come
};

TEST_F(FakeDriverTest, EachStatusMeansWhatWhoeverAsksMustDo) {
  const auto client = open();
  for (const Meaning& meaning : meanings) {
    driver_.set_call_status(meaning.status);
    auto refused = begin(*client);
    ASSERT_TRUE(is_ready(refused));
    const Answer of_call = refused.get();
    EXPECT_EQ(of_call.outcome, meaning.of_call) << meaning.status;
    EXPECT_EQ(of_call.refusal, meaning.refusal) << meaning.status;
    EXPECT_FALSE(of_call.message.empty()) << meaning.status;

    driver_.set_call_status(ARCA_CQL_OK);
    auto begun = begin(*client);
    driver_.complete(meaning.status, "what the server said", 0);
    ASSERT_TRUE(is_ready(begun));
    const Answer of_completion = begun.get();
    EXPECT_EQ(of_completion.outcome, meaning.of_completion) << meaning.status;
    EXPECT_EQ(of_completion.refusal, meaning.refusal) << meaning.status;
    EXPECT_EQ(of_completion.message, "what the server said");
  }
  EXPECT_EQ(driver_.result_count(), 0U) << "results that nobody freed";
}

TEST_F(FakeDriverTest, AnAnswerOutlivesItsClient) {
  Answer answer;
  {
    const auto client = open();
    auto begun = begin(*client);
    driver_.complete(ARCA_CQL_OK, nullptr, 1);
    ASSERT_TRUE(is_ready(begun));
    answer = begun.get();
  }
  EXPECT_TRUE(answer.applied());
  EXPECT_EQ(answer.rows->columns(), std::vector<std::string>{"[applied]"});
  answer.rows.reset();
  EXPECT_EQ(driver_.result_count(), 0U);
}

TEST_F(FakeDriverTest, WhatIsUnderWayWhenTheClientClosesIsUnknownAndCalledBackOnce) {
  auto client = open();
  std::atomic<int> call_count{0};
  Outcome outcome = Outcome::ok;
  client->execute({}, [&](const Answer& answer) {
    outcome = answer.outcome;
    ++call_count;
  });
  client.reset();
  EXPECT_EQ(call_count, 1);
  EXPECT_EQ(outcome, Outcome::unknown);
  driver_.complete(ARCA_CQL_OK, nullptr, 0);  // an answer that comes after the end
  EXPECT_EQ(call_count, 1);
  EXPECT_EQ(driver_.open_client_count(), 0U);
}

TEST_F(FakeDriverTest, TheEndWaitsForAnswersUnderWay) {
  auto client = open();
  auto begun = begin(*client);
  auto ended = std::async(std::launch::async, [&] { client.reset(); });
  driver_.complete(ARCA_CQL_OK, nullptr, 0);
  ended.get();
  ASSERT_TRUE(is_ready(begun));
  EXPECT_TRUE(begun.get().ok());
}

TEST_F(FakeDriverTest, ACallbackMayCallBackAlsoWhileTheClientCloses) {
  auto client = open();
  Cql* const cql = client.get();
  std::atomic<bool> was_closed{false};
  cql->execute({}, [&, cql](const Answer&) {
    cql->execute({}, [&](const Answer& second) { was_closed = second.outcome == Outcome::not_sent; });
  });
  client.reset();  // nobody completes the first
  EXPECT_TRUE(was_closed);
}

TEST_F(FakeDriverTest, ACallbackThatThrowsHarmsNobodyElse) {
  const auto client = open();
  client->execute({}, [](const Answer&) { throw std::runtime_error("a broken invariant of a test"); });
  auto next = begin(*client);
  driver_.complete(ARCA_CQL_OK, nullptr, 0);
  driver_.complete(ARCA_CQL_OK, nullptr, 0);
  ASSERT_TRUE(is_ready(next));
  EXPECT_TRUE(next.get().ok());
}

TEST_F(FakeDriverTest, AForkWhileAnotherThreadIsInACallHangsNeitherSide) {
  auto client = open();
  driver_.hold_calls(1);
  std::promise<void> answered;
  std::thread caller([&] { client->execute({}, [&](const Answer&) { answered.set_value(); }); });
  ASSERT_TRUE(support::wait_until([&] { return driver_.held_count() == 1; }));
  ASSERT_TRUE(support::rest_before_fork());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    client.reset();  // while a thread that is not here is inside
    ::_exit(0);
  }
  int status = -1;
  const bool has_ended = support::wait_until([&] { return ::waitpid(child, &status, WNOHANG) == child; });
  if (!has_ended) ::kill(child, SIGKILL);
  driver_.hold_calls(0);
  caller.join();
  driver_.complete(ARCA_CQL_OK, nullptr, 0);
  answered.get_future().get();
  ASSERT_TRUE(has_ended) << "the child hangs";
  EXPECT_EQ(status, 0);
}

TEST_F(FakeDriverTest, CloseKeepsItsDeadlineAndAnswersForWhoStillWaits) {
  const auto client = open();
  std::atomic<int> unknown{0};
  client->execute({}, [&](const Answer& answer) { unknown += answer.outcome == Outcome::unknown ? 1 : 0; });
  const auto begin = std::chrono::steady_clock::now();
  client->close(begin + milliseconds(100));
  EXPECT_EQ(unknown, 1);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(100)) << "an answer may still come";
  std::atomic<int> late{0};
  client->execute({}, [&](const Answer&) { ++late; });
  EXPECT_EQ(late, 1);
  EXPECT_EQ(driver_.open_client_count(), 0);
}

TEST_F(FakeDriverTest, ABorrowedValueIsHeldUntilTheAnswerAndNoLonger) {
  const auto client = open();
  auto owner = std::make_shared<const std::vector<std::byte>>(10, std::byte{1});
  const std::weak_ptr<const std::vector<std::byte>> watched = owner;
  Request request;
  request.values.borrow(*owner, owner);
  owner.reset();
  std::promise<void> answered;
  client->execute(std::move(request), [&](const Answer&) { answered.set_value(); });
  EXPECT_FALSE(watched.expired());
  driver_.complete(ARCA_CQL_OK, nullptr, 0);
  answered.get_future().get();
  EXPECT_TRUE(support::wait_until([&] { return watched.expired(); }));
}

TEST_F(FakeDriverTest, TheWindowIsBoundedByCountByBytesAndByConnection) {
  const auto client = open();
  EXPECT_TRUE(client->has_window(5000)) << "one may always be under way";
  auto first = begin(*client, std::string(600, 'x'));
  EXPECT_TRUE(client->has_window(400));
  EXPECT_FALSE(client->has_window(401));
  auto second = begin(*client);
  EXPECT_FALSE(client->has_window(1));
  driver_.complete(ARCA_CQL_OK, nullptr, 0);
  driver_.complete(ARCA_CQL_OK, nullptr, 0);
  EXPECT_TRUE(support::wait_until([&] { return client->has_window(1); }));
  driver_.set_connection(0, ARCA_CQL_NOT_CONNECTED, "nobody listens");
  EXPECT_TRUE(support::wait_until([&] { return !client->has_window(1); }));
}

TEST_F(FakeDriverTest, WaitingForAConnectionEndsAtOnceWhenCredentialsOrCertificatesAreWrong) {
  const auto client = open();
  EXPECT_TRUE(client->wait_connected(milliseconds(1)));
  driver_.set_connection(0, ARCA_CQL_AUTHENTICATION, "wrong password");
  auto refused = client->wait_connected(std::chrono::hours(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::invalid_config);
  EXPECT_THAT(refused.error().message(), HasSubstr("wrong password"));
  driver_.set_connection(0, ARCA_CQL_NOT_CONNECTED, "nobody listens");
  auto none = client->wait_connected(milliseconds(1));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::unavailable);
  EXPECT_THAT(none.error().message(), AllOf(HasSubstr("nowhere"), HasSubstr("nobody listens")));
}

TEST_F(FakeDriverTest, WhoWaitsTooLongIsToldThatTheOutcomeIsUnknown) {
  const auto client = open();
  const Answer answer = execute_and_wait(*client, {}, milliseconds(5));
  EXPECT_EQ(answer.outcome, Outcome::unknown);
  EXPECT_EQ(answer.error().code(), ErrorCode::timeout);
  driver_.complete(ARCA_CQL_OK, nullptr, 0);  // nobody waits for it any more
}

TEST_F(FakeDriverTest, AnotherVersionOfTheInterfaceIsRefused) {
  driver_.set_abi_version(77);
  const auto client = CqlClient::open(settings_);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), ErrorCode::unsupported_version);
  EXPECT_THAT(client.error().message(), AllOf(HasSubstr("77"), HasSubstr(ARCA_FAKE_CQL_LIBRARY)));
}

TEST_F(FakeDriverTest, AnOptionThatCannotWorkIsSaidInTheWordsOfTheDriver) {
  driver_.set_open_status(ARCA_CQL_USAGE);
  const auto client = CqlClient::open(settings_);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), ErrorCode::invalid_config);
  EXPECT_THAT(client.error().message(), HasSubstr("ca_file: there is no such file"));
}

TEST_F(FakeDriverTest, AMissingDriverIsToldWithTheCureAndEveryPlaceLookedAt) {
  settings_.driver_library = "/nowhere/libarca_cql.so";
  const auto client = CqlClient::open(settings_);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), ErrorCode::not_found);
  EXPECT_THAT(client.error().message(), AllOf(HasSubstr("/nowhere/libarca_cql.so"), HasSubstr("ARCA_WITH_CASSANDRA"),
                                              HasSubstr("no Cassandra tier")));
}

TEST(DriverPlacesTest, BesideTheProgramFirstThenInLibThenWhereTheLoaderLooks) {
  const std::vector<std::string> places = driver_places("");
  ASSERT_GE(places.size(), 6U);
  EXPECT_TRUE(places.front().starts_with(ARCA_BINARY_DIRECTORY)) << places.front();
  EXPECT_THAT(places[0], ::testing::EndsWith("/libarca_cql.so.1"));
  EXPECT_THAT(places[1], ::testing::EndsWith("/libarca_cql.so"));
  EXPECT_THAT(places[2], HasSubstr("/lib/"));
  EXPECT_EQ(places[places.size() - 2], "libarca_cql.so.1");
  EXPECT_EQ(driver_places("/a/b.so"), std::vector<std::string>{"/a/b.so"});
}

}  // namespace
}  // namespace arca::cassandra
