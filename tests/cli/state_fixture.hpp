// A state directory with real pools and journals in it, and a sink beside the command. Used by the tests of status,
// inspect and recover.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <thread>

#include "cli/otlp_request.hpp"
#include "cli/run_command.hpp"
#include "cli/sink/sink_server.hpp"
#include "journal/journal.hpp"
#include "journal/pool.hpp"
#include "journal/writer_directory.hpp"
#include "support/temporary_directory.hpp"

namespace arca::cli::testing {

using Json = nlohmann::ordered_json;
using model::Signal;

// One process's files. Destroying it leaves them as a crash would: nothing is finished.
struct Writer {
  std::unique_ptr<journal::WriterDirectory> directory;
  std::unique_ptr<journal::Pool> pool;
  std::unique_ptr<journal::Journal> journal;
  model::ContextId context = 0;
};

class StateTest : public ::testing::Test {
 protected:
  Writer make_writer(std::uint64_t segment_size = 4U << 20U) {
    Writer writer;
    writer.directory = std::move(*journal::WriterDirectory::create(state_));
    journal::PoolOptions pool;
    pool.writer = writer.directory->id();
    pool.path = journal::choose_pool_place(*writer.directory, 2U << 20U, writer.directory->path())->path;
    pool.size_max = pool.size_initial = 2U << 20U;
    writer.pool = std::move(*journal::Pool::create(pool, clock_));
    journal::JournalOptions journal;
    journal.directory = writer.directory->journal_path();
    journal.writer = writer.directory->id();
    journal.size_max = 16U << 20U;
    journal.segment_size = segment_size;
    writer.journal = std::move(*journal::Journal::open(os::posix_file_system(), clock_, journal));
    const std::string resource = field(1, field(1, text_attribute("service.name", "shop")));
    const std::string scope = field(1, field(1, "tests"));
    writer.context = *writer.pool->intern({base::as_bytes(resource), base::as_bytes(scope)});
    return writer;
  }
  static void append(Writer& writer, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t i = first; i <= last; ++i) {
      const std::string record = field(2, span_record(i, "a", i));
      ASSERT_EQ(writer.pool->append(Signal::traces, writer.context, base::as_bytes(record), 1),
                journal::AppendStatus::accepted);
    }
  }
  // Moves the oldest chunk of the pool into the journal; `settle` is what a crash in between leaves out.
  void spill(Writer& writer, bool settle = true) {
    writer.pool->seal_all();
    const auto claim = writer.pool->claim(model::SignalSet::all(), clock_.steady_now());
    ASSERT_TRUE(claim && *claim);
    ASSERT_TRUE(writer.journal->append((*claim)->chunk));
    if (!settle) return;
    model::Ack ack;
    ack.chunk_id = (*claim)->chunk.id;
    ack.verdict = model::Verdict::parked;
    ack.tier = model::Tier::journal;
    ASSERT_TRUE(writer.pool->settle(ack));
  }
  Json status() {
    const Outcome outcome = run({"status", "--state", state_, "--json", "--sample", "0"});
    EXPECT_NE(outcome.out, "") << outcome.err;
    return Json::parse(outcome.out);
  }

  support::TemporaryDirectory directory_;
  std::string state_ = directory_ / "state";
  os::SystemClock clock_;
};

// A sink beside the command, on its own thread.
class RunningSink {
 public:
  // `behaviour` as `arca sink` takes it.
  explicit RunningSink(std::string_view behaviour = "ok") {
    sink::SinkOptions options;
    options.behaviour = *sink::parse_behaviour(behaviour);
    options.track = {.ids = true, .sequences = true};
    server_ = std::move(*sink::SinkServer::open(options, loop_));
    thread_ = std::thread([this] {
      while (!stopping_) loop_.step(std::chrono::milliseconds(5));
    });
  }
  ~RunningSink() {
    if (thread_.joinable()) stop();
  }
  Json stop() {
    stopping_ = true;
    thread_.join();
    return server_->report();
  }
  [[nodiscard]] std::string grpc() const { return "http://127.0.0.1:" + std::to_string(server_->ports().grpc); }
  [[nodiscard]] std::string http() const { return "http://127.0.0.1:" + std::to_string(server_->ports().http); }

 private:
  os::SystemClock clock_;
  sink::EventLoop loop_{clock_};
  std::unique_ptr<sink::SinkServer> server_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace arca::cli::testing
