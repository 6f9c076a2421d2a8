// What is written is what is read: statements, batches, pages, conditional statements and the schema, on one real node.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "driver/driver.hpp"
#include "driver/node.hpp"

namespace arca::driver {
namespace {

constexpr const char* insert = "INSERT INTO data.blobs (id, seq, body, note) VALUES (?, ?, ?, ?)";
constexpr const char* select_one = "SELECT body, note FROM data.blobs WHERE id = ? AND seq = ?";

class DriverData : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    node_ = new Node;
    client_ = new Client(node_->contact_points());
    ASSERT_TRUE(client_->wait_connected());
    ddl("CREATE KEYSPACE data WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    ddl("CREATE TABLE data.blobs (id text, seq int, body blob, note text, PRIMARY KEY (id, seq))");
    ddl("CREATE TABLE data.leases (shard int PRIMARY KEY, owner text)");
  }
  static void TearDownTestSuite() {
    delete client_;
    delete node_;
  }
  static void ddl(const std::string& text) {
    const Answer done = client_->run(text, {}, 0);
    ASSERT_EQ(done.status, ARCA_CQL_OK) << text << ": " << done.message;
  }
  // Answers of all that was sent.
  static std::vector<Answer> take(std::size_t count) {
    std::vector<Answer> answers;
    while (answers.size() < count) {
      auto answer = client_->take();
      if (!answer) ADD_FAILURE() << "only " << answers.size() << " of " << count;
      if (!answer) break;
      answers.push_back(*answer);
    }
    return answers;
  }

  static inline Node* node_ = nullptr;
  static inline Client* client_ = nullptr;
};

std::string noise(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = static_cast<std::uint32_t>(size) | 1;
  for (auto& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

TEST_F(DriverData, ABlobComesBackAsItWasWhateverItsSize) {
  int seq = 0;
  for (const std::size_t size : {0U, 1U, 255U, 4096U, 65535U, 131072U, 262144U, 1048576U}) {
    const std::string body = noise(size);
    const Answer put = client_->run(insert, {"sizes", big_endian(++seq), body, "n"});
    ASSERT_EQ(put.status, ARCA_CQL_OK) << put.message;
    EXPECT_FALSE(put.has_rows);
    const Answer got = client_->run(select_one, {"sizes", big_endian(seq)});
    ASSERT_EQ(got.status, ARCA_CQL_OK) << got.message;
    ASSERT_EQ(got.rows.size(), 1U);
    EXPECT_TRUE(got.rows[0][0] == body) << size;
    EXPECT_EQ(got.columns, (std::vector<std::string>{"body", "note"}));
    EXPECT_GT(got.latency.count(), 0);
  }
}

TEST_F(DriverData, NullIsNullAndUnsetLeavesTheColumnAlone) {
  ASSERT_EQ(client_->run(insert, {"nulls", big_endian(1), "body", "note"}).status, ARCA_CQL_OK);
  ASSERT_EQ(client_->run(insert, {"nulls", big_endian(1), std::nullopt, unset}).status, ARCA_CQL_OK);
  const Answer got = client_->run(select_one, {"nulls", big_endian(1)});
  ASSERT_EQ(got.rows.size(), 1U);
  EXPECT_EQ(got.rows[0][0], std::nullopt);
  EXPECT_EQ(got.rows[0][1], "note");
}

TEST_F(DriverData, ARowThatIsNotThereIsNoRowAndNoFailure) {
  const Answer got = client_->run(select_one, {"nobody", big_endian(1)});
  EXPECT_EQ(got.status, ARCA_CQL_OK);
  EXPECT_TRUE(got.has_rows);
  EXPECT_TRUE(got.rows.empty());
}

TEST_F(DriverData, ABatchWritesAllItsRows) {
  Send batch{.text = insert, .rows = 100};
  for (int i = 0; i < 100; ++i) {
    for (const auto& value : Values{"batch", big_endian(i), noise(400), std::nullopt}) batch.values.push_back(value);
  }
  const Answer put = client_->run(batch);
  ASSERT_EQ(put.status, ARCA_CQL_OK) << put.message;
  const Answer got = client_->run("SELECT seq, body FROM data.blobs WHERE id = ?", {"batch"});
  ASSERT_EQ(got.rows.size(), 100U);
  EXPECT_EQ(got.rows[99][0], big_endian(99));
  EXPECT_TRUE(got.rows[99][1] == noise(400));
}

TEST_F(DriverData, PagesFollowEachOtherByTheirStateAndMissNoRow) {
  Send batch{.text = insert, .rows = 250};
  for (int i = 0; i < 250; ++i) {
    for (const auto& value : Values{"pages", big_endian(i), "b", "n"}) batch.values.push_back(value);
  }
  ASSERT_EQ(client_->run(batch).status, ARCA_CQL_OK);
  Send page{.text = "SELECT seq FROM data.blobs WHERE id = ?", .values = {"pages"}, .page_size = 100};
  std::vector<std::size_t> sizes;
  std::set<std::string> seen;
  do {
    const Answer got = client_->run(page);
    ASSERT_EQ(got.status, ARCA_CQL_OK) << got.message;
    sizes.push_back(got.rows.size());
    for (const auto& row : got.rows) seen.insert(*row[0]);
    page.paging_state = got.paging_state;
  } while (!page.paging_state.empty() && sizes.size() < 10);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{100, 100, 50}));
  EXPECT_EQ(seen.size(), 250U);
}

TEST_F(DriverData, AConditionalStatementSaysWhetherItWasAppliedAndWhoIsThere) {
  constexpr const char* acquire = "INSERT INTO data.leases (shard, owner) VALUES (?, ?) IF NOT EXISTS USING TTL 30";
  const Answer first = client_->run(acquire, {big_endian(7), "me"}, ARCA_CQL_SERIAL);
  ASSERT_EQ(first.status, ARCA_CQL_OK) << first.message;
  ASSERT_EQ(first.columns.at(0), "[applied]");
  EXPECT_EQ(first.rows.at(0).at(0), std::string("\1", 1));
  const Answer second = client_->run(acquire, {big_endian(7), "you"}, ARCA_CQL_SERIAL);
  ASSERT_EQ(second.status, ARCA_CQL_OK) << second.message;
  EXPECT_EQ(second.rows.at(0).at(0), std::string("\0", 1));
  const auto owner = std::find(second.columns.begin(), second.columns.end(), "owner") - second.columns.begin();
  EXPECT_EQ(second.rows.at(0).at(static_cast<std::size_t>(owner)), "me");
  const Answer read = client_->run(
      Send{.text = "SELECT owner FROM data.leases WHERE shard = ?", .values = {big_endian(7)}, .serial = 1});
  ASSERT_EQ(read.status, ARCA_CQL_OK) << read.message;
  EXPECT_EQ(read.rows.at(0).at(0), "me");
}

TEST_F(DriverData, TheTimestampIsTheOneOfTheRequest) {
  Send send{.text = insert, .values = {"time", big_endian(1), "new", "n"}, .timestamp_us = 2'000'000};
  ASSERT_EQ(client_->run(send).status, ARCA_CQL_OK);
  send.values[2] = "old";
  send.timestamp_us = 1'000'000;
  ASSERT_EQ(client_->run(send).status, ARCA_CQL_OK);
  const Answer got =
      client_->run("SELECT body, WRITETIME(body) FROM data.blobs WHERE id = ? AND seq = ?", {"time", big_endian(1)});
  EXPECT_EQ(got.rows.at(0).at(0), "new");
  EXPECT_EQ(got.rows.at(0).at(1), big_endian(0) + big_endian(2'000'000));
}

TEST_F(DriverData, AMissingTableIsToldByNameAndFoundOnceItIsThere) {
  const std::string text = "INSERT INTO data.later (id) VALUES (?)";
  for (int i = 0; i < 2; ++i) {
    const Answer missing = client_->run(text, {"a"});
    EXPECT_EQ(missing.status, ARCA_CQL_SCHEMA);
    EXPECT_EQ(missing.server_code, 0x2200);
    EXPECT_NE(missing.message.find("later"), std::string::npos) << missing.message;
  }
  ddl("CREATE TABLE data.later (id text PRIMARY KEY)");
  EXPECT_EQ(client_->run(text, {"a"}).status, ARCA_CQL_OK);
  ddl("DROP TABLE data.later");
  EXPECT_EQ(client_->run(text, {"a"}).status, ARCA_CQL_SCHEMA);
  ddl("CREATE TABLE data.later (id text PRIMARY KEY)");
  EXPECT_EQ(client_->run(text, {"a"}).status, ARCA_CQL_OK);
  ddl("DROP TABLE data.later");
  EXPECT_EQ(client_->run("SELECT nothing FROM data.blobs", {}).status, ARCA_CQL_SCHEMA);
  EXPECT_EQ(client_->run("SELECT a FROM nowhere.b", {}).status, ARCA_CQL_SCHEMA);
}

TEST_F(DriverData, ATableMadeAnewWithOtherColumnsIsPreparedAnew) {
  const std::string text = "SELECT * FROM data.changing WHERE id = ?";
  ddl("CREATE TABLE data.changing (id text PRIMARY KEY, a text)");
  ASSERT_EQ(client_->run("INSERT INTO data.changing (id, a) VALUES (?, ?)", {"x", "1"}).status, ARCA_CQL_OK);
  ASSERT_EQ(client_->run(text, {"x"}).columns, (std::vector<std::string>{"id", "a"}));
  ddl("ALTER TABLE data.changing ADD b text");
  const Answer altered = client_->run(text, {"x"});
  EXPECT_EQ(altered.columns, (std::vector<std::string>{"id", "a", "b"}));
  EXPECT_EQ(altered.rows.at(0).at(2), std::nullopt);
  ddl("DROP TABLE data.changing");
}

TEST_F(DriverData, AHundredRequestsThatNeedOneStatementAreAllAnswered) {
  const std::string text = "SELECT note FROM data.blobs WHERE id = ? AND seq = 4711";
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client_->send({.text = text, .values = {"x"}}), ARCA_CQL_OK);
  for (const auto& answer : take(100)) EXPECT_EQ(answer.status, ARCA_CQL_OK) << answer.message;
}

TEST_F(DriverData, WhatTheServerRefusesAsSuchIsInvalid) {
  EXPECT_EQ(client_->run("SELEC nothing", {}).status, ARCA_CQL_INVALID);
  const Answer wrong = client_->run(insert, {"x", "three bytes too many", "b", "n"});
  EXPECT_EQ(wrong.status, ARCA_CQL_INVALID) << wrong.message;
  EXPECT_EQ(wrong.server_code, 0x2200);
}

TEST_F(DriverData, TheWrongNumberOfValuesIsUsage) {
  EXPECT_EQ(client_->run(insert, {"x"}).status, ARCA_CQL_USAGE);
  EXPECT_EQ(client_->run(Send{.text = insert, .values = {"x", "y"}, .rows = 2}).status, ARCA_CQL_USAGE);
}

TEST_F(DriverData, TooFewReplicasForTheConsistencyIsUnavailable) {
  const Answer answer =
      client_->run(Send{.text = insert, .values = {"x", big_endian(1), "b", "n"}, .consistency = ARCA_CQL_THREE});
  EXPECT_EQ(answer.status, ARCA_CQL_UNAVAILABLE) << answer.message;
  EXPECT_EQ(answer.server_code, 0x1000);
}

TEST_F(DriverData, TheWindowIsBoundByCount) {
  Client small(node_->contact_points(), [](arca_cql_options& options) { options.in_flight_max = 3; });
  ASSERT_TRUE(small.wait_connected());
  const Send send{.text = insert, .values = {"window", big_endian(1), "b", "n"}};
  for (int i = 0; i < 3; ++i) ASSERT_EQ(small.send(send), ARCA_CQL_OK);
  EXPECT_EQ(small.send(send), ARCA_CQL_WINDOW_FULL);
  EXPECT_EQ(small.status().in_flight, 3U);
  ASSERT_TRUE(small.take());
  EXPECT_EQ(small.send(send), ARCA_CQL_OK);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(small.take()->status, ARCA_CQL_OK);
  EXPECT_EQ(small.status().in_flight, 0U);
  EXPECT_EQ(small.status().in_flight_bytes, 0U);
}

TEST_F(DriverData, TheWindowIsBoundByBytesAndOneRequestMayAlwaysGo) {
  Client small(node_->contact_points(), [](arca_cql_options& options) { options.in_flight_bytes_max = 1000; });
  ASSERT_TRUE(small.wait_connected());
  Send large{.text = insert, .values = {"window", big_endian(2), noise(5000), "n"}};
  ASSERT_EQ(small.send(large), ARCA_CQL_OK);
  EXPECT_EQ(small.send(large), ARCA_CQL_WINDOW_FULL);
  ASSERT_EQ(small.take()->status, ARCA_CQL_OK);
  Send half = large;
  half.values[2] = noise(480);
  ASSERT_EQ(small.send(half), ARCA_CQL_OK);
  ASSERT_EQ(small.send(half), ARCA_CQL_OK);
  EXPECT_EQ(small.send(half), ARCA_CQL_WINDOW_FULL);
  EXPECT_EQ(small.take()->status, ARCA_CQL_OK);
  EXPECT_EQ(small.take()->status, ARCA_CQL_OK);
}

TEST_F(DriverData, ACloseWaitsForWhatIsInFlight) {
  Client client(node_->contact_points());
  ASSERT_TRUE(client.wait_connected());
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(client.send({.text = insert, .values = {"closing", big_endian(i), noise(1000), "n"}}), ARCA_CQL_OK);
  }
  EXPECT_EQ(client.close(std::chrono::seconds(20)), ARCA_CQL_OK);
  EXPECT_EQ(client_->run("SELECT seq FROM data.blobs WHERE id = ?", {"closing"}).rows.size(), 50U);
}

}  // namespace
}  // namespace arca::driver
