// What happens when there is no memory at one moment: whoever asked the store is told, once. Every allocation of each
// operation fails once.
#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "cassandra/cql_store.hpp"
#include "fakes/memory_that_fails.hpp"

namespace arca::cassandra {
namespace {

// Keeps callbacks without taking memory.
class FrugalCql final : public Cql {
 public:
  Result<Statement> statement(std::string_view, StatementKind) override { return Statement{}; }
  void execute(Request, AnswerCallback done) noexcept override { keep(std::move(done)); }
  void batch(Batch, AnswerCallback done) noexcept override { keep(std::move(done)); }
  [[nodiscard]] bool has_window(std::uint64_t) const noexcept override { return true; }
  [[nodiscard]] ConnectionStatus status() const override { return {}; }

  // As the client's thread does: what a callback throws ends there.
  void answer_all(Outcome outcome) {
    for (; first_ < count_; ++first_) {
      Answer answer;
      answer.outcome = outcome;
      try {
        answer.message = "no answer came within the time that a request may take";
      } catch (const std::bad_alloc&) {  // as the client does
      }
      try {
        std::exchange(kept_[first_], nullptr)(std::move(answer));
      } catch (const std::bad_alloc&) {
        ADD_FAILURE() << "a callback has thrown";
      }
    }
    first_ = count_ = 0;
  }

 private:
  void keep(AnswerCallback done) noexcept { kept_.at(count_++) = std::move(done); }
  std::array<AnswerCallback, 16> kept_;
  std::size_t first_ = 0, count_ = 0;
};

class StoreMemoryTest : public testing::Test {
 protected:
  // Calls `start` with each of its allocations failing, and with each of those that follow from the answers.
  template <class Start>
  void expect_one_word(Start start) {
    for (const Outcome outcome : {Outcome::ok, Outcome::unknown}) {
      bool has_failed = true;
      for (long n = 0; has_failed; ++n) {
        ASSERT_LT(n, 1000);
        calls_ = 0;
        has_failed = fakes::fails_at(n, [&] {
          start();
          cql_.answer_all(outcome);
        });
        cql_.answer_all(outcome);
        EXPECT_EQ(calls_, 1) << "allocation " << n << ", " << to_string(outcome);
      }
    }
  }
  StoreDone done() {
    return [this](const StoreStatus&) { ++calls_; };
  }
  template <class T>
  StoreRead<T> read() {
    return [this](const StoreStatus&, const T&) { ++calls_; };
  }

  FrugalCql cql_;
  std::unique_ptr<CqlStore> store_ = std::move(*CqlStore::create(cql_, "space"));
  const SegmentName name_{};
  int calls_ = 0;
};

TEST_F(StoreMemoryTest, WithoutMemoryEveryOperationIsAnsweredOnce) {
  store_->set_datacenter("a datacenter whose name is kept in memory of its own");
  StoredChunk chunk;
  chunk.payload = std::make_shared<const std::vector<std::byte>>(100);
  SegmentSummary summary;
  summary.services = {"a", "b"};
  TraceRows rows{"trace", {}};
  rows.rows.resize(300);
  TraceEntries entries;
  entries.service = "service";
  entries.entries.resize(2);
  const QuarantinedChunk rejected{chunk, 1, "a reason that is longer than fits into a small text", {}};
  const std::vector<std::string> names{"a", "b"};

  expect_one_word([&] { store_->open_segment({}, done()); });
  expect_one_word([&] { store_->put_chunk(name_, chunk, 1, done()); });
  expect_one_word([&] { store_->seal_segment(name_, {}, summary, done()); });
  expect_one_word([&] { store_->put_rows(rows, 1, done()); });
  expect_one_word([&] { store_->put_entries(entries, 1, done()); });
  expect_one_word([&] { store_->put_names("service", names, done()); });
  expect_one_word([&] { store_->mark_rows(name_, 1, done()); });
  expect_one_word([&] { store_->list_buckets(1, read<std::vector<base::WallTime>>()); });
  expect_one_word([&] { store_->list_segments({}, 1, {}, read<Page<SegmentEntry>>()); });
  expect_one_word([&] { store_->read_segment(name_, read<std::optional<SegmentEntry>>()); });
  expect_one_word([&] { store_->read_chunks({}, 0, 10, read<std::vector<StoredChunk>>()); });
  expect_one_word([&] { store_->take_lease(1, {}, std::chrono::seconds(30), read<Lease>()); });
  expect_one_word([&] { store_->renew_lease(1, {}, 1, std::chrono::seconds(30), read<Lease>()); });
  expect_one_word([&] { store_->release_lease(1, {}, 1, done()); });
  expect_one_word([&] { store_->mark_replayed(name_, {1, std::nullopt, {}}, done()); });
  expect_one_word([&] { store_->put_quarantined(rejected, done()); });
}

}  // namespace
}  // namespace arca::cassandra
