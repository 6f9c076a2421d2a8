// What CqlStore makes of outcomes, in every order: the statements that one operation is made of, one status, one
// callback.
#include <gmock/gmock.h>

#include <optional>

#include "cassandra/cql_store.hpp"
#include "os/random.hpp"
#include "scripted_cql.hpp"

namespace arca::cassandra {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class StoreOutcomesTest : public ::testing::Test {
 protected:
  void SetUp() override { store_ = std::move(*CqlStore::create(cql_, "space")); }

  StoreDone keep_status() {
    return [this](StoreStatus status) {
      EXPECT_FALSE(status_) << "called twice";
      status_ = std::move(status);
    };
  }
  StoreRead<Lease> keep_lease() {
    return [this](StoreStatus status, Lease lease) {
      EXPECT_FALSE(status_) << "called twice";
      status_ = std::move(status);
      lease_ = lease;
    };
  }
  static std::unique_ptr<Answer::Rows> no_rows() {
    return std::make_unique<ScriptedRows>(std::vector<std::string>{"owner", "epoch"}, Values());
  }
  static std::unique_ptr<Answer::Rows> not_applied(const Uuid& owner, std::int64_t epoch) {
    Values values;
    values.boolean(false).smallint(3).bigint(epoch).uuid(owner);
    return std::make_unique<ScriptedRows>(std::vector<std::string>{"[applied]", "shard", "epoch", "owner"},
                                          std::move(values));
  }
  static std::unique_ptr<Answer::Rows> applied() {
    Values values;
    values.boolean(true);
    return std::make_unique<ScriptedRows>(std::vector<std::string>{"[applied]"}, std::move(values));
  }

  ScriptedCql cql_;
  std::unique_ptr<CqlStore> store_;
  std::optional<StoreStatus> status_;
  Lease lease_;
  const Uuid me_ = random_uuid(os::system_random());
  const Uuid other_ = random_uuid(os::system_random());
};

TEST_F(StoreOutcomesTest, ASegmentIsOpenWhenBothOfItsRowsAreAcknowledged) {
  store_->open_segment({}, keep_status());
  ASSERT_EQ(cql_.asked.size(), 2U);
  EXPECT_THAT(cql_.asked[0].text, HasSubstr("space.overflow_buckets"));
  EXPECT_THAT(cql_.asked[1].text, HasSubstr("space.overflow_segments"));
  cql_.answer(Outcome::ok);
  EXPECT_FALSE(status_);
  cql_.answer(Outcome::ok);
  ASSERT_TRUE(status_);
  EXPECT_TRUE(status_->ok());
}

TEST_F(StoreOutcomesTest, OfSeveralOutcomesTheGravestCounts) {
  constexpr Outcome by_gravity[] = {Outcome::ok, Outcome::not_sent, Outcome::not_taken, Outcome::unknown,
                                    Outcome::refused};
  for (std::size_t i = 0; i < std::size(by_gravity); ++i) {
    for (std::size_t j = 0; j < std::size(by_gravity); ++j) {
      status_.reset();
      store_->open_segment({}, keep_status());
      cql_.answer(by_gravity[i]);
      cql_.answer(by_gravity[j]);
      ASSERT_TRUE(status_);
      EXPECT_EQ(status_->outcome, by_gravity[std::max(i, j)]);
    }
  }
}

TEST_F(StoreOutcomesTest, AChunkIsBorrowedNotCopiedAndWrittenWithTheTimeOfItsFirstAttempt) {
  StoredChunk chunk;
  chunk.payload = std::make_shared<const std::vector<std::byte>>(100'000, std::byte{1});
  store_->put_chunk({}, chunk, 123, keep_status());
  ASSERT_EQ(cql_.asked.size(), 1U);
  const ScriptedCql::Asked& asked = cql_.asked[0];
  EXPECT_EQ(asked.timestamp_us, 123);
  ASSERT_EQ(asked.values.count(), 11U);
  EXPECT_EQ(asked.values.at(10).data, chunk.payload->data());
  EXPECT_EQ(chunk.payload.use_count(), 2) << "held until it is answered";
  cql_.answer(Outcome::unknown);
  EXPECT_EQ(status_->outcome, Outcome::unknown);
  EXPECT_EQ(chunk.payload.use_count(), 1);
}

TEST_F(StoreOutcomesTest, ALargeTraceIsCutByBytesASmallOneIsOneBatch) {
  TraceRows rows;
  rows.trace_id = "t";
  const std::vector<std::byte> data(100'000);
  for (int i = 0; i < 9; ++i) rows.rows.push_back({"s", {}, "", "", data});
  store_->put_rows(rows, 5, keep_status());
  std::uint32_t row_count = 0;
  ASSERT_GT(cql_.asked.size(), 2U);
  while (!cql_.asked.empty()) {
    EXPECT_FALSE(status_);
    EXPECT_LE(cql_.asked.front().values.bytes(), 400'000U);
    EXPECT_EQ(cql_.asked.front().timestamp_us, 5);
    row_count += cql_.asked.front().row_count;
    cql_.answer(Outcome::ok);
  }
  EXPECT_EQ(row_count, 9U);
  EXPECT_TRUE(status_->ok());

  status_.reset();
  rows.rows.resize(2);
  store_->put_rows(rows, 5, keep_status());
  ASSERT_EQ(cql_.asked.size(), 1U);
  EXPECT_TRUE(cql_.asked[0].is_batch);
  cql_.answer(Outcome::ok);
  rows.rows.resize(1);
  status_.reset();
  store_->put_rows(rows, 5, keep_status());
  EXPECT_FALSE(cql_.asked[0].is_batch) << "one row needs no batch";
}

TEST_F(StoreOutcomesTest, ALeaseWhoseOutcomeIsUnknownIsAskedForOnceMoreAndThenKnown) {
  store_->take_lease(3, me_, seconds(30), keep_lease());
  cql_.answer(Outcome::ok, no_rows());
  EXPECT_THAT(cql_.asked.at(0).text, HasSubstr("IF owner = null"));
  cql_.answer(Outcome::unknown);
  EXPECT_FALSE(status_);
  EXPECT_THAT(cql_.asked.at(0).text, HasSubstr("IF owner = null"));
  cql_.answer(Outcome::ok, not_applied(me_, 1));  // because the first was
  ASSERT_TRUE(status_);
  EXPECT_TRUE(status_->ok());
  EXPECT_TRUE(lease_.held);
  EXPECT_EQ(lease_.epoch, 1);
}

TEST_F(StoreOutcomesTest, ALeaseThatStaysUnknownIsNotHeld) {
  store_->take_lease(3, me_, seconds(30), keep_lease());
  cql_.answer(Outcome::ok, no_rows());
  cql_.answer(Outcome::unknown);
  cql_.answer(Outcome::unknown);
  ASSERT_TRUE(status_);
  EXPECT_EQ(status_->outcome, Outcome::unknown);
  EXPECT_FALSE(lease_.held);
  EXPECT_TRUE(cql_.asked.empty());
}

TEST_F(StoreOutcomesTest, WhoLosesTheRaceForALeaseLearnsTheWinner) {
  store_->take_lease(3, me_, seconds(30), keep_lease());
  cql_.answer(Outcome::ok, no_rows());
  cql_.answer(Outcome::ok, not_applied(other_, 1));
  ASSERT_TRUE(status_);
  EXPECT_FALSE(lease_.held);
  EXPECT_EQ(lease_.owner, other_);
}

TEST_F(StoreOutcomesTest, ARenewalThatWasNotAppliedIsALostLeaseAlsoWhenTheOwnerIsTheSameInAnotherEpoch) {
  store_->renew_lease(3, me_, 4, seconds(30), keep_lease());
  cql_.answer(Outcome::ok, not_applied(me_, 5));
  ASSERT_TRUE(status_);
  EXPECT_FALSE(lease_.held);
  EXPECT_EQ(lease_.epoch, 5);
  status_.reset();
  store_->renew_lease(3, me_, 5, seconds(30), keep_lease());
  cql_.answer(Outcome::unknown);
  cql_.answer(Outcome::ok, applied());
  EXPECT_TRUE(lease_.held);
}

TEST_F(StoreOutcomesTest, ARefusalKeepsItsWordsAndReadsNothing) {
  std::vector<StoredChunk> chunks{{}};
  store_->read_chunks(me_, 0, 10, [&](StoreStatus status, std::vector<StoredChunk> read) {
    status_ = std::move(status);
    chunks = std::move(read);
  });
  cql_.answer(Outcome::refused);
  EXPECT_EQ(status_->outcome, Outcome::refused);
  EXPECT_EQ(status_->message, "as scripted");
  EXPECT_TRUE(chunks.empty());
}

}  // namespace
}  // namespace arca::cassandra
