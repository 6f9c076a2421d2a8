#include "flow/recovery.hpp"

#include <set>
#include <thread>

#include "flow/recovery_fixture.hpp"

namespace arca::flow {
namespace {

TEST_F(RecoveryTest, delivers_the_own_journal_and_every_dead_writer) {
  put(source, 1, 1, 5);
  put(writers.add(2).journal, 2, 1, 4);
  put(writers.at(2).pool, 2, 5, 9);
  put(writers.add(3).pool, 3, 1, 3);
  const auto recovery = make();
  live(*recovery, 60s);
  EXPECT_EQ(arrivals().size(), 17U);
  EXPECT_EQ(sink.submitted().size(), 17U);
  EXPECT_TRUE(writers.writers.empty());
  EXPECT_EQ(writers.ledger.at(2)[0].accepted, 50U);
  EXPECT_EQ(recovery->status().finished_writer_count, 2U);
}

TEST_F(RecoveryTest, a_live_writer_is_never_touched) {
  put(writers.add(2).pool, 2, 1, 3);
  writers.at(2).live = true;
  const auto recovery = make();
  live(*recovery, 60s);
  EXPECT_TRUE(sink.submitted().empty());
  EXPECT_EQ(writers.adopt_count, 0);
  writers.at(2).live = false;  // it dies, and the next scan finds it
  live(*recovery, 7s);
  EXPECT_EQ(sink.submitted().size(), 3U);
}

TEST_F(RecoveryTest, somebody_elses_lock_is_respected_and_no_error) {
  put(writers.add(2).pool, 2, 1, 3);
  writers.at(2).locked = true;
  const auto recovery = make();
  live(*recovery, 60s);
  EXPECT_TRUE(sink.submitted().empty());
  EXPECT_TRUE(reports.empty());
}

TEST_F(RecoveryTest, writers_go_oldest_first) {
  put(writers.add(2).journal, 2, 500, 503);
  put(writers.add(3).journal, 3, 100, 103);
  const auto recovery = make();
  live(*recovery, 60s);
  EXPECT_EQ(sink.submitted_sequences(), (std::vector<std::uint64_t>{100, 101, 102, 103, 500, 501, 502, 503}));
}

TEST_F(RecoveryTest, metrics_of_the_pool_follow_those_of_the_journal_one_at_a_time) {
  sink.answer_later();
  put(writers.add(2).journal, 2, 1, 2, Signal::metrics);
  put(writers.at(2).pool, 2, 3, 4, Signal::metrics);
  const auto recovery = make();
  for (std::uint64_t expected = 1; expected <= 4; ++expected) {
    live(*recovery, 2s);
    ASSERT_EQ(sink.pending_count(), 1U);
    if (expected == 2) {  // a retry does not let the next one overtake
      sink.ack(0, Verdict::retry);
      live(*recovery, 3s);
      ASSERT_EQ(sink.pending_count(), 1U);
    }
    EXPECT_EQ(sink.pending_id(0).sequence, expected);
    sink.ack(0, Verdict::delivered);
  }
  live(*recovery, 1s);
  EXPECT_TRUE(writers.writers.empty());
}

TEST_F(RecoveryTest, a_chunk_in_both_pool_and_journal_is_sent_once_and_counts_once) {
  put(writers.add(2).journal, 2, 1, 3);
  put(writers.at(2).pool, 2, 1, 5);  // 1 to 3 were appended, then the writer died before it settled them
  const auto recovery = make();
  live(*recovery, 60s);
  EXPECT_EQ(sink.submitted().size(), 5U);
  EXPECT_EQ(writers.ledger.at(2)[0].accepted, 50U);
  EXPECT_EQ(writers.ledger.at(2)[0].delivered, 50U);
  EXPECT_EQ(writers.ledger.at(2)[0].lost, 0U);
}

TEST_F(RecoveryTest, the_ledger_holds_the_law_for_every_verdict) {
  sink.answer_by([](const model::Chunk& chunk) {
    return FakeSink::make(chunk.id, chunk.id.sequence % 3 == 0 ? Verdict::rejected : Verdict::delivered);
  });
  put(writers.add(2).journal, 2, 1, 6, Signal::logs);
  put(writers.at(2).pool, 2, 7, 12, Signal::logs);
  for (std::uint64_t i = 1; i <= 6; ++i) {  // the pool knows of them as journaled
    writers.at(2).pool.put(make_chunk(i, Signal::logs, 10, 100, 2));
    ASSERT_TRUE(writers.at(2).pool.settle(FakeSink::make({WriterId{2}, i}, Verdict::parked)));
  }
  const auto recovery = make();
  live(*recovery, 60s);
  const model::SignalTotals& logs = writers.ledger.at(2)[model::index_of(Signal::logs)];
  EXPECT_EQ(logs.accepted, 120U);
  EXPECT_EQ(logs.delivered, 80U);
  EXPECT_EQ(logs.quarantined, 40U);
  EXPECT_EQ(logs.journaled, 0U);
  EXPECT_EQ(logs.lost, 0U);
}

TEST_F(RecoveryTest, what_was_accepted_and_is_nowhere_counts_as_lost_and_is_reported) {
  put(writers.add(2).pool, 2, 1, 2);
  ASSERT_TRUE(writers.at(2).pool.settle(FakeSink::make({WriterId{2}, 1}, Verdict::parked)));  // but no journal has it
  const auto recovery = make();
  live(*recovery, 60s);
  EXPECT_EQ(writers.ledger.at(2)[0].lost, 10U);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_NE(reports[0].message().find("10 items of traces are lost"), std::string::npos);
}

TEST_F(RecoveryTest, a_pool_that_went_with_a_reboot_is_reported_and_the_journal_is_drained) {
  put(writers.add(2).journal, 2, 1, 3);
  writers.at(2).has_pool = false;
  writers.at(2).missing = "its pool is gone";
  const auto recovery = make();
  live(*recovery, 60s);
  EXPECT_EQ(sink.submitted().size(), 3U);
  EXPECT_EQ(writers.ledger.at(2)[0].accepted, 30U);
  EXPECT_EQ(writers.ledger.at(2)[0].delivered, 30U);
  ASSERT_EQ(reports.size(), 1U);
}

TEST_F(RecoveryTest, an_unreadable_writer_is_left_alone_reported_once_and_shown) {
  put(writers.add(2).pool, 2, 1, 3);
  writers.at(2).unreadable = Error(ErrorCode::unsupported_version, "pool format 9 is not known to this build");
  put(writers.add(3).pool, 3, 1, 3);
  const auto recovery = make();
  live(*recovery, 1h);
  EXPECT_EQ(sink.submitted().size(), 3U);
  EXPECT_EQ(reports.size(), 1U);
  EXPECT_TRUE(writers.writers.contains(2));
  EXPECT_LE(writers.adopt_count, 70);
  const RecoveryStatus status = recovery->status();
  ASSERT_EQ(status.writers.size(), 1U);
  EXPECT_EQ(status.writers[0].state, RecoveryWriter::State::unreadable);
  EXPECT_EQ(status.writers[0].note, "pool format 9 is not known to this build");
}

TEST_F(RecoveryTest, a_writer_whose_files_only_fail_does_not_hold_up_the_others) {
  put(writers.add(2).pool, 2, 1, 3);
  writers.at(2).journal.fail_claims(1'000'000);
  put(writers.add(3).pool, 3, 5, 8);
  const auto recovery = make();
  live(*recovery, 30s);
  EXPECT_EQ(writers.ledger.count(3), 1U);
  EXPECT_EQ(recovery->status().writers.at(0).state, RecoveryWriter::State::unreadable);
  writers.at(2).journal.fail_claims(0);
  live(*recovery, 2min);
  EXPECT_TRUE(writers.writers.empty());
}

TEST_F(RecoveryTest, a_failing_finish_is_repeated) {
  writers.finish_failures = 3;
  put(writers.add(2).pool, 2, 1, 3);
  const auto recovery = make();
  live(*recovery, 30s);
  EXPECT_TRUE(writers.writers.empty());
  EXPECT_EQ(sink.submitted().size(), 3U);
}

TEST_F(RecoveryTest, more_writers_than_it_holds_at_a_time_are_drained_all) {
  for (std::uint64_t id = 2; id < 52; ++id) put(writers.add(id).pool, id, 1, 2);
  const auto recovery = make();
  live(*recovery, 4s);  // without waiting for a further scan
  EXPECT_TRUE(writers.writers.empty());
  EXPECT_EQ(sink.submitted().size(), 100U);
}

TEST_F(RecoveryTest, keeps_its_rate_over_all_writers_together) {
  RecoveryOptions limited = recovery_options();
  limited.limits = {.bytes_per_second = 10'000};
  for (std::uint64_t i = 1; i <= 600; ++i) {
    source.put(make_chunk(i, Signal::traces, 10, 1000));
    writers.writers.contains(2) ? void() : void(writers.add(2));
    writers.at(2).pool.put(make_chunk(i, Signal::traces, 10, 1000, 2));
  }
  const auto recovery = make(limited);
  live(*recovery, 1s);  // start jitter
  const auto before = recovery->status().counters.settled_bytes;
  live(*recovery, 40s);
  EXPECT_NEAR(static_cast<double>(recovery->status().counters.settled_bytes - before), 400'000, 20'000);
}

TEST_F(RecoveryTest, idle_it_wakes_for_its_scans_only) {
  const auto recovery = make();
  EXPECT_LE(live(*recovery, 10min), 170);
  writers.fail_list = true;
  live(*recovery, 1min);
  EXPECT_EQ(reports.size(), 1U);
}

TEST_F(RecoveryTest, a_dry_run_counts_and_changes_nothing) {
  put(writers.add(2).journal, 2, 1, 4);
  put(writers.at(2).pool, 2, 5, 9);
  writers.add(3).live = true;
  const auto plan = make()->dry_run();
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->writers.size(), 2U);
  EXPECT_EQ(plan->writers[0].backlog.chunk_count, 9U);
  EXPECT_EQ(plan->writers[0].backlog.item_count[0], 90U);
  EXPECT_EQ(plan->writers[1].state, RecoveryWriter::State::live);
  EXPECT_TRUE(sink.submitted().empty());
  EXPECT_FALSE(writers.at(2).locked);
}

TEST_F(RecoveryTest, resumes_after_a_crash_at_any_step) {
  // The first process dies after n steps, the second after n too, the third does the rest.
  for (int steps = 0; steps < 60; ++steps) {
    fakes::FakeWriters fresh;
    std::swap(writers.writers, fresh.writers);
    std::swap(writers.ledger, fresh.ledger);
    FakeSink collector;
    put(writers.add(2).journal, 2, 1, 4);
    put(writers.at(2).journal, 2, 5, 6, Signal::metrics);
    put(writers.at(2).pool, 2, 3, 4);  // in both
    for (std::uint64_t i : {1U, 2U}) {
      writers.at(2).pool.put(make_chunk(i, Signal::traces, 10, 100, 2));
      ASSERT_TRUE(writers.at(2).pool.settle(FakeSink::make({WriterId{2}, i}, Verdict::parked)));
    }
    put(writers.at(2).pool, 2, 6, 8, Signal::metrics);
    writers.at(2).pool.put(make_chunk(5, Signal::metrics, 10, 100, 2));
    collector.answer_at_once(Verdict::delivered);
    for (int life = 0; life < 3; ++life) {
      Recovery recovery(writers, nullptr, collector, clock, recovery_options());
      if (life < 2) {
        for (int step = 0; step < steps; ++step) {
          const base::SteadyTime wake = recovery.step(now());
          if (wake > now()) clock.advance(wake - now());
        }
        writers.crash();
      } else {
        live(recovery, 1min);
      }
    }
    ASSERT_TRUE(writers.writers.empty()) << "after " << steps << " steps";
    const model::Totals& totals = writers.ledger.at(2);
    EXPECT_EQ(totals[0].accepted, 40U);
    EXPECT_EQ(totals[0].delivered, 40U) << "after " << steps << " steps";
    EXPECT_EQ(totals[1].accepted, 40U);
    EXPECT_EQ(totals[1].delivered, 40U) << "after " << steps << " steps";
    EXPECT_EQ(totals[0].lost + totals[1].lost, 0U);
    std::set<std::uint64_t> arrived;
    std::uint64_t latest_metric = 0;
    for (const model::Chunk& chunk : collector.submitted()) {
      arrived.insert(chunk.id.sequence);
      if (chunk.signal != Signal::metrics) continue;
      EXPECT_GE(chunk.id.sequence, latest_metric);
      latest_metric = chunk.id.sequence;
    }
    EXPECT_EQ(arrived.size(), 8U);
    EXPECT_LE(collector.submitted().size(), 8U + 2U * 2U);  // at most the window again for each crash
  }
}

TEST_F(RecoveryTest, drain_once_tells_its_progress_and_ends_when_nothing_is_left) {
  os::SystemClock real;
  put(source, 1, 1, 5);
  put(writers.add(2).pool, 2, 1, 5);
  writers.add(3).live = true;
  writers.add(4).unreadable = Error(ErrorCode::unsupported_version, "pool format 9");
  Recovery recovery(writers, &source, sink, real, recovery_options());
  std::vector<RecoveryProgress> told;
  const RecoveryReport done =
      recovery.drain_once(real.steady_now() + 60s, [&](const RecoveryProgress& progress) { told.push_back(progress); });
  EXPECT_TRUE(done.complete);
  EXPECT_EQ(done.progress.items_done.sum(), 100U);
  EXPECT_EQ(done.progress.items_left, 0U);
  EXPECT_EQ(done.progress.bytes_done, 1000U);
  EXPECT_EQ(done.progress.writers_done, 1U);
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back().items_done.sum(), 100U);
}

TEST_F(RecoveryTest, drain_once_keeps_its_deadline) {
  os::SystemClock real;
  sink.answer_later();
  put(source, 1, 1, 5);
  RecoveryOptions brief = recovery_options();
  brief.stop_grace = 10ms;
  Recovery recovery(writers, &source, sink, real, brief);
  const RecoveryReport done = recovery.drain_once(real.steady_now() + 30ms, {});
  EXPECT_FALSE(done.complete);
  EXPECT_EQ(done.progress.items_left, 50U);
  EXPECT_EQ(source.claimed_count(), 0U);
}

TEST_F(RecoveryTest, runs_in_a_thread_and_stops_when_told) {
  os::SystemClock real;
  RecoveryOptions prompt = recovery_options();
  prompt.start_jitter = 0s;
  put(writers.add(2).pool, 2, 1, 50);
  {
    Recovery recovery(writers, &source, sink, real, prompt);
    std::jthread thread([&](const std::stop_token& stop) { recovery.run(stop); });
    for (std::uint64_t i = 1; i <= 200; ++i) source.put(make_chunk(i));
    const auto latest = real.steady_now() + 60s;
    while (recovery.status().counters.settled_bytes < 25'000 && real.steady_now() < latest) std::this_thread::yield();
  }
  EXPECT_EQ(source.settled_count(Verdict::delivered), 200U);
}

}  // namespace
}  // namespace arca::flow
