// status and inspect on a state directory with real pools and journals in it.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "cli/state_fixture.hpp"

namespace arca::cli {
namespace {

using Json = nlohmann::ordered_json;
using StateCommandsTest = testing::StateTest;
using testing::Writer;

TEST_F(StateCommandsTest, StatusAddsUpPoolAndJournalOfALiveWriter) {
  Writer writer = make_writer();
  append(writer, 1, 100);
  spill(writer);
  append(writer, 101, 130);
  const Json report = status();
  EXPECT_EQ(report["holds"], true);
  const Json& traces = report["signals"]["traces"];
  EXPECT_EQ(traces["accepted"], 130);
  EXPECT_EQ(traces["in_journal"], 100);
  EXPECT_EQ(traces["in_memory"], 30);
  EXPECT_EQ(report["writers"][0]["live"], true);
  EXPECT_GT(report["backlog_bytes"], 130 * 60);
  EXPECT_TRUE(report["oldest_age_seconds"].is_number());
}

TEST_F(StateCommandsTest, ChunkInPoolAndJournalCountsOnce) {
  {
    Writer writer = make_writer();
    append(writer, 1, 50);
    spill(writer, false);
  }
  const Json report = status();
  EXPECT_EQ(report["holds"], true) << report.dump(2);
  EXPECT_EQ(report["signals"]["traces"]["accepted"], 50);
  EXPECT_EQ(report["signals"]["traces"]["in_journal"], 50);
  EXPECT_EQ(report["signals"]["traces"]["in_memory"], 0);
  EXPECT_EQ(report["writers"][0]["live"], false);
}

// A live process is between the append and the note in its pool, while another of its threads has the chunk delivered.
TEST_F(StateCommandsTest, AChunkThatTheJournalHasSettledBeforeThePoolHasNotedItCountsOnce) {
  Writer writer = make_writer();
  append(writer, 1, 50);
  spill(writer, false);
  const auto claim = writer.journal->claim(model::SignalSet::all(), clock_.steady_now());
  ASSERT_TRUE(claim && *claim);
  model::Ack ack;
  ack.chunk_id = (*claim)->chunk.id;
  ack.verdict = model::Verdict::delivered;
  ASSERT_TRUE(writer.journal->settle(ack));
  const Json report = status();
  EXPECT_EQ(report["holds"], true) << report.dump(2);
  EXPECT_EQ(report["signals"]["traces"]["accepted"], 50);
  EXPECT_EQ(report["signals"]["traces"]["in_memory"], 50);
  EXPECT_EQ(report["signals"]["traces"]["delivered"], 0);
}

TEST_F(StateCommandsTest, StatusFailsWhenSomethingIsLost) {
  {
    const auto directory = std::move(*journal::WriterDirectory::create(state_));
    model::Totals totals{};
    totals[0] = {.accepted = 10, .delivered = 7, .lost = 3};
    ASSERT_TRUE(directory->finish(totals));
  }
  const Outcome outcome = run({"status", "--state", state_, "--sample", "0"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.out.find("lost"), std::string::npos);
}

TEST_F(StateCommandsTest, StatusSaysBrokenWhenTheLawIsBroken) {
  {
    const auto directory = std::move(*journal::WriterDirectory::create(state_));
    model::Totals totals{};
    totals[2] = {.accepted = 10, .delivered = 9};
    ASSERT_TRUE(directory->finish(totals));
  }
  const Outcome outcome = run({"status", "--state", state_, "--sample", "0"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.out.find("BROKEN"), std::string::npos);
}

TEST_F(StateCommandsTest, MissingStateIsAFailureWithItsName) {
  for (const char* command : {"status", "inspect"}) {
    const Outcome outcome =
        command == std::string("status") ? run({"status", "--state", state_}) : run({"inspect", state_});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.err.find(state_), std::string::npos);
  }
}

TEST_F(StateCommandsTest, InspectShowsEveryRecordOfPoolAndJournal) {
  Writer writer = make_writer();
  append(writer, 1, 3);
  spill(writer);
  append(writer, 4, 5);
  const Outcome outcome = run({"inspect", state_, "--records", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  std::size_t span_count = 0;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    const Json finding = Json::parse(line);
    if (finding["kind"] != "records") continue;
    span_count += finding["otlp"]["resourceSpans"][0]["scopeSpans"][0]["spans"].size();
  }
  EXPECT_EQ(span_count, 3U + 2U);
  const Outcome text = run({"inspect", state_, "--records"});
  EXPECT_NE(text.out.find("\"work\""), std::string::npos);
  EXPECT_NE(text.out.find("service.name=\"shop\""), std::string::npos);
}

TEST_F(StateCommandsTest, InspectShowsDamageAndGoesOn) {
  std::string segment;
  {
    Writer writer = make_writer();
    append(writer, 1, 10);
    spill(writer);
    append(writer, 11, 20);
    spill(writer);
    for (const auto& entry : std::filesystem::directory_iterator(writer.directory->journal_path())) {
      if (entry.path().extension() == ".segment") segment = entry.path();
    }
  }
  const int file = open(segment.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(file, 0);
  ASSERT_EQ(pwrite(file, "DAMAGE", 6, 500), 6);
  close(file);
  const Outcome outcome = run({"inspect", segment, "--records"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.out.find("damage"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("test.seq=20"), std::string::npos) << outcome.out;
}

TEST_F(StateCommandsTest, InspectKnowsWhatIsNotOurs) {
  const Outcome outcome = run({"inspect", "/proc/self/status"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("is no pool"), std::string::npos);
}

TEST_F(StateCommandsTest, InspectSurvivesFilesCutAtEveryPlace) {
  std::string pool;
  {
    Writer writer = make_writer();
    append(writer, 1, 3);
    pool = std::filesystem::canonical(writer.directory->pool_link());
  }
  const std::string cut = directory_ / "cut";
  for (std::size_t size = 0; size < 300'000; size += size < 9000 ? 61 : 7919) {
    std::filesystem::copy_file(pool, cut, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(cut, size);
    const int code = run({"inspect", cut, "--records"}).code;
    EXPECT_TRUE(code == 0 || code == 1) << size;
  }
}

}  // namespace
}  // namespace arca::cli
