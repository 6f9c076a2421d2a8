#include "cassandra/closable_cql.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace arca::cassandra {
namespace {

// Keeps what it is asked until it dies; then it calls back for all of it, as the client does.
class KeepingCql final : public Cql {
 public:
  explicit KeepingCql(std::atomic<bool>& gone, base::SteadyTime* deadline = nullptr)
      : gone_(gone), deadline_(deadline) {}
  ~KeepingCql() override {
    gone_ = true;
    for (AnswerCallback& done : kept_) done(answer(Outcome::unknown));
  }
  static Answer answer(Outcome outcome, Refusal refusal = Refusal::none) {
    Answer made;
    made.outcome = outcome;
    made.refusal = refusal;
    return made;
  }

  Result<Statement> statement(std::string_view, StatementKind) override { return Statement{1}; }
  void execute(Request, AnswerCallback done) noexcept override { kept_.push_back(std::move(done)); }
  void batch(Batch, AnswerCallback done) noexcept override { done(answer(Outcome::refused, Refusal::schema)); }
  bool has_window(std::uint64_t) const noexcept override { return true; }
  ConnectionStatus status() const override {
    ConnectionStatus made;
    made.connected = true;
    return made;
  }
  void close(base::SteadyTime deadline) noexcept override {
    if (deadline_ != nullptr) *deadline_ = deadline;
  }

 private:
  std::atomic<bool>& gone_;
  base::SteadyTime* const deadline_;
  std::vector<AnswerCallback> kept_;
};

TEST(ClosableCql, AtItsEndEveryRequestIsAnsweredAndLaterOnesAreNotSent) {
  std::atomic<bool> gone{false};
  ClosableCql cql(std::make_unique<KeepingCql>(gone));
  std::vector<Outcome> outcomes;
  cql.execute({}, [&](Answer answer) {
    outcomes.push_back(answer.outcome);
    // Whoever is told may ask again, also now.
    cql.execute({}, [&](Answer second) { outcomes.push_back(second.outcome); });
  });
  EXPECT_TRUE(outcomes.empty());
  EXPECT_TRUE(cql.has_window(1));
  cql.close({});
  EXPECT_TRUE(gone);
  EXPECT_EQ(outcomes, (std::vector<Outcome>{Outcome::unknown, Outcome::not_sent}));
  EXPECT_FALSE(cql.has_window(1));
  EXPECT_FALSE(cql.status().connected);
  EXPECT_FALSE(cql.statement("SELECT", StatementKind::idempotent));
  cql.close({});
}

TEST(ClosableCql, TheDeadlineOfItsEndIsThatOfTheClient) {
  std::atomic<bool> gone{false};
  base::SteadyTime told{};
  ClosableCql cql(std::make_unique<KeepingCql>(gone, &told));
  const base::SteadyTime deadline = base::SteadyTime{} + std::chrono::seconds(7);
  cql.close(deadline);
  EXPECT_EQ(told, deadline);
  EXPECT_TRUE(gone);
}

TEST(ClosableCql, SeveralThreadsMayAskWhileItEnds) {
  std::atomic<bool> gone{false};
  std::atomic<int> asked{0};
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  {
    ClosableCql cql(std::make_unique<KeepingCql>(gone));
    std::atomic<bool> stop{false};
    threads.emplace_back([&] {
      while (!stop) {
        ++asked;
        cql.execute({}, [&](Answer) { ++answered; });
      }
    });
    while (asked < 100) std::this_thread::yield();
    cql.close({});
    const int then = asked;
    while (asked < then + 100) std::this_thread::yield();
    stop = true;
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(asked, answered);
}

TEST(ClosableCql, TellsWhenAServerSaysThatTablesAreNotAsTheyWere) {
  std::atomic<bool> gone{false};
  ClosableCql cql(std::make_unique<KeepingCql>(gone));
  int told = 0;
  cql.set_schema_watch([&] { ++told; });
  Refusal refusal = Refusal::none;
  cql.batch({}, [&](Answer answer) { refusal = answer.refusal; });
  EXPECT_EQ(told, 1);
  EXPECT_EQ(refusal, Refusal::schema);
}

}  // namespace
}  // namespace arca::cassandra
