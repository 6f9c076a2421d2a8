// status, inspect and query beside a process that is at work: what it is just writing, moving or removing is no damage.
#include <atomic>
#include <functional>
#include <sstream>
#include <streambuf>
#include <thread>
#include <utility>

#include "cli/run_command.hpp"
#include "cli/state_fixture.hpp"
#include "support/wait.hpp"

namespace arca::cli {
namespace {

using testing::Writer;

// Of many sizes: what stands in used memory ends elsewhere than before.
std::string record_of(std::uint64_t number) {
  const std::string padding(1 + number * 37 % 600, 'x');
  return testing::field(
      2, testing::span_record(number, "a", number) + testing::field(9, testing::text_attribute("pad", padding)));
}

// Records into its pool, moves every chunk into its journal, of small segments, and delivers from there what is oldest:
// memory is used again and segments are removed all the time. Beside it a quarantine grows and shrinks.
class LiveWriterTest : public testing::StateTest {
 protected:
  void SetUp() override {
    writer_ = make_writer(256U << 10U);
    journal::JournalOptions options;
    options.directory = state_ + "/quarantine/" + model::to_string(writer_.directory->id());
    options.writer = writer_.directory->id();
    options.size_max = 16U << 20U;
    options.segment_size = 256U << 10U;
    quarantine_ = std::move(*journal::Journal::open(os::posix_file_system(), clock_, options));
    host_ = std::thread([this] { work(); });
    ASSERT_TRUE(support::wait_until([this] { return round_count_ > 20; }));
  }
  void TearDown() override {
    stopping_ = true;
    host_.join();
  }

  // Runs a command again and again until the writer has been at work for so many rounds, and for as many runs.
  void beside(const std::vector<std::string>& command, const std::function<bool(const Outcome&)>& is_good) {
    constexpr int runs_min = 40;
    const std::uint64_t enough = round_count_ + 400;
    for (int i = 0; i < runs_min || round_count_ < enough; ++i) {
      const Outcome outcome = run(command);
      ASSERT_TRUE(is_good(outcome)) << outcome.code << "\n" << lines_with(outcome.out, "damage") << outcome.err;
    }
  }

 private:
  static std::string lines_with(const std::string& text, const std::string& word) {
    std::string found;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
      found += line.find(word) != std::string::npos ? line + "\n" : "";
    return found;
  }

  void work() {
    for (std::uint64_t i = 1; !stopping_; ++round_count_) {
      for (int n = 0; n < 200; ++n, ++i) {
        const std::string record = record_of(i);
        if (writer_.pool->append(model::Signal::traces, writer_.context, base::as_bytes(record), 1) !=
            journal::AppendStatus::accepted) {
          break;
        }
      }
      writer_.pool->seal_all();
      while (move_one()) continue;
      deliver(*writer_.journal);
      deliver(*quarantine_);
    }
  }
  bool move_one() {
    const auto claim = writer_.pool->claim(model::SignalSet::all(), clock_.steady_now());
    if (!claim || !*claim) return false;
    const model::Chunk& chunk = (*claim)->chunk;
    model::Ack ack;
    ack.chunk_id = chunk.id;
    ack.verdict = model::Verdict::parked;
    ack.tier = model::Tier::journal;
    return writer_.journal->append(chunk) && quarantine_->append(chunk) && writer_.pool->settle(ack);
  }
  // All but the newest half a megabyte.
  void deliver(journal::Journal& journal) {
    while (journal.backlog().bytes > 512U << 10U) {
      const auto claim = journal.claim(model::SignalSet::all(), clock_.steady_now());
      if (!claim || !*claim) return;
      model::Ack ack;
      ack.chunk_id = (*claim)->chunk.id;
      ack.verdict = model::Verdict::delivered;
      if (!journal.settle(ack)) return;
    }
  }

  Writer writer_;
  std::unique_ptr<journal::Journal> quarantine_;
  std::atomic<std::uint64_t> round_count_{0};
  std::atomic<bool> stopping_{false};
  std::thread host_;
};

TEST_F(LiveWriterTest, InspectCallsNothingDamage) {
  beside({"inspect", state_, "--json"},
         [](const Outcome& outcome) { return outcome.code == 0 && outcome.out.find("damage") == std::string::npos; });
}

TEST_F(LiveWriterTest, StatusCallsNothingDamageAndTheLawHolds) {
  beside({"status", "--state", state_, "--sample", "0"},
         [](const Outcome& outcome) { return outcome.code == 0 && outcome.out.find("damage") == std::string::npos; });
}

TEST_F(LiveWriterTest, QueryCallsNothingDamage) {
  beside({"query", "traces", "--limit", "1", "--state", state_},
         [](const Outcome& outcome) { return outcome.code == 0 && outcome.err.find("damage") == std::string::npos; });
}

// What is printed; calls somebody when a line of a chunk has come, once.
class WatchedText final : public std::stringbuf {
 public:
  explicit WatchedText(std::function<void()> at_chunk) : at_chunk_(std::move(at_chunk)) {}

 private:
  std::streamsize xsputn(const char* from, std::streamsize size) override {
    const std::streamsize done = std::stringbuf::xsputn(from, size);
    if (at_chunk_ && str().find("\"kind\":\"chunk\"") != std::string::npos) std::exchange(at_chunk_, {})();
    return done;
  }
  std::function<void()> at_chunk_;
};

using InspectedPoolTest = testing::StateTest;

TEST_F(InspectedPoolTest, AChunkWhoseMemoryIsUsedAgainMeanwhileIsNoDamage) {
  Writer writer = make_writer();
  std::uint64_t number = 0;
  const auto work = [&] {
    for (int round = 0; round < 50; ++round) {
      writer.pool->seal_all();
      while (const auto claim = writer.pool->claim(model::SignalSet::all(), clock_.steady_now())) {
        if (!*claim) break;
        model::Ack ack;
        ack.chunk_id = (*claim)->chunk.id;
        ack.verdict = model::Verdict::delivered;
        ASSERT_TRUE(writer.pool->settle(ack));
      }
      for (int i = 0; i < 400; ++i) {
        const std::string record = record_of(++number);
        ASSERT_EQ(writer.pool->append(model::Signal::traces, writer.context, base::as_bytes(record), 1),
                  journal::AppendStatus::accepted);
      }
    }
  };
  work();
  const std::uint64_t before = number;
  WatchedText text(work);
  std::ostream out(&text);
  std::ostringstream err;
  Console console(out, err, false, false);
  EXPECT_EQ(run_command_line({"inspect", writer.directory->pool_link(), "--json"}, console), 0) << text.str();
  EXPECT_GT(number, before);
  EXPECT_NE(text.str().find("\"kind\":\"changed\""), std::string::npos) << text.str();
}

}  // namespace
}  // namespace arca::cli
