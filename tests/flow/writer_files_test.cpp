// Recovery over real pools, journals and writer directories.
#include "flow/writer_files.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/varint.hpp"
#include "fakes/fake_clock.hpp"
#include "fakes/fake_sink.hpp"
#include "flow/recovery.hpp"
#include "flow/spiller.hpp"
#include "journal/journal.hpp"
#include "journal/pool.hpp"
#include "journal/pool_view.hpp"
#include "model/record_grammar.hpp"
#include "support/temporary_directory.hpp"

namespace arca::flow {
namespace {

using namespace std::chrono_literals;
using fakes::FakeSink;
using model::Signal;
using model::Verdict;

// A writer as the library has it, in this process; destroying it drops the lock, like death.
struct Writer {
  Writer(const std::string& state_directory, os::Clock& clock) {
    directory = journal::WriterDirectory::create(state_directory).value();
    constexpr std::uint64_t size = 8U << 20U;
    const auto place = journal::choose_pool_place(*directory, size, state_directory + "/shm").value();
    pool = journal::Pool::create(
               {.writer = directory->id(), .path = place.path, .size_max = size, .size_initial = size}, clock)
               .value();
    journal = journal::Journal::open(os::posix_file_system(), clock,
                                     {.directory = directory->journal_path(), .writer = directory->id()})
                  .value();
    context =
        pool->intern({.resource_fields = base::as_bytes("\x0A\x02RR"), .scope_fields = base::as_bytes("\x0A\x02SS")})
            .value();
    pool_file = place.path;
  }
  // Appends as many records of 1000 bytes and seals them as one chunk or more.
  void record(int count, Signal signal = Signal::traces) {
    std::vector<std::byte> bytes(1 + base::varint_size(1000));
    bytes[0] = model::record_tag;
    base::write_varint(bytes.data() + 1, 1000);
    bytes.resize(bytes.size() + 1000);
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(pool->append(signal, context, bytes, 1), journal::AppendStatus::accepted);
    }
    pool->seal_all();
  }

  std::unique_ptr<journal::WriterDirectory> directory;
  std::unique_ptr<journal::Pool> pool;
  std::unique_ptr<journal::Journal> journal;
  model::ContextId context = model::no_context;
  std::string pool_file;
};

class WriterFilesTest : public testing::Test {
 protected:
  WriterFilesTest() {
    sink.answer_at_once(Verdict::delivered);
    std::filesystem::create_directory(directory / "shm");
    std::filesystem::permissions(directory / "shm", std::filesystem::perms::owner_all);
  }
  void recover() {
    RecoveryOptions options;
    options.report = [this](const Error& error) { reports.push_back(error.message()); };
    Recovery recovery(files, nullptr, sink, clock, std::move(options));
    for (int steps = 0; steps < 2000; ++steps) {
      if (recovery.step(clock.steady_now()) > clock.steady_now()) clock.advance(50ms);
    }
    status = recovery.status();
  }
  std::uint64_t delivered_items() {
    std::uint64_t items = 0;
    for (const model::Chunk& chunk : sink.submitted()) items += chunk.item_count;
    return items;
  }
  std::vector<journal::WriterEntry> writers() { return files.list().value(); }
  model::SignalTotals ledger(Signal signal = Signal::traces) {
    model::Totals sum{};
    const journal::Ledger read = journal::read_ledger(directory.path()).value();
    for (const journal::LedgerEntry& entry : read.entries) {
      for (std::size_t i = 0; i < model::signal_count; ++i) sum[i] += entry.totals[i];
    }
    return sum[model::index_of(signal)];
  }

  support::TemporaryDirectory directory;
  fakes::FakeClock clock;
  FakeSink sink;
  WriterFiles files{directory.path(), os::posix_file_system(), clock};
  std::vector<std::string> reports;
  RecoveryStatus status;
};

TEST_F(WriterFilesTest, a_dead_writer_is_delivered_counted_and_gone) {
  std::string pool_file;
  {
    Writer writer(directory.path(), clock);
    writer.record(700);
    Spiller spiller(*writer.pool, [&](const model::Chunk& chunk) { return writer.journal->append(chunk); },
                    std::make_shared<Doorbell>(), clock, {});
    ASSERT_TRUE(spiller.make_room());
    pool_file = writer.pool_file;
  }
  recover();
  EXPECT_TRUE(reports.empty()) << reports.front();
  EXPECT_EQ(delivered_items(), 700U);
  EXPECT_TRUE(writers().empty());
  EXPECT_FALSE(std::filesystem::exists(pool_file));
  EXPECT_EQ(ledger().accepted, 700U);
  EXPECT_EQ(ledger().delivered, 700U);
  EXPECT_EQ(ledger().lost, 0U);
}

TEST_F(WriterFilesTest, a_chunk_appended_to_the_journal_but_not_settled_in_the_pool_is_sent_once) {
  {
    Writer writer(directory.path(), clock);
    writer.record(10);
    const auto claim = writer.pool->claim(model::SignalSet::all(), clock.steady_now());
    ASSERT_TRUE(claim && *claim);
    ASSERT_TRUE(writer.journal->append((*claim)->chunk));
  }
  recover();
  EXPECT_EQ(sink.submitted().size(), 1U);
  EXPECT_EQ(delivered_items(), 10U);
  EXPECT_EQ(ledger().accepted, 10U);
  EXPECT_EQ(ledger().delivered, 10U);
  EXPECT_EQ(ledger().lost, 0U);
}

TEST_F(WriterFilesTest, a_live_writer_is_left_alone) {
  Writer writer(directory.path(), clock);
  writer.record(10);
  recover();
  EXPECT_TRUE(sink.submitted().empty());
  EXPECT_EQ(writers().size(), 1U);
}

TEST_F(WriterFilesTest, metrics_arrive_in_order_across_journal_and_pool) {
  {
    Writer writer(directory.path(), clock);
    Spiller spiller(*writer.pool, [&](const model::Chunk& chunk) { return writer.journal->append(chunk); },
                    std::make_shared<Doorbell>(), clock, {});
    for (int i = 0; i < 6; ++i) {
      writer.record(1, Signal::metrics);
      if (i < 3) {
        ASSERT_TRUE(spiller.make_room());
      }
      clock.advance(2s);
    }
  }
  recover();
  const auto sequences = sink.submitted_sequences();
  EXPECT_TRUE(std::is_sorted(sequences.begin(), sequences.end()));
  EXPECT_EQ(ledger(Signal::metrics).delivered, 6U);
}

TEST_F(WriterFilesTest, a_pool_that_a_reboot_took_is_reported_and_its_journal_is_drained) {
  std::string pool_file;
  {
    Writer writer(directory.path(), clock);
    writer.record(10);
    Spiller spiller(*writer.pool, [&](const model::Chunk& chunk) { return writer.journal->append(chunk); },
                    std::make_shared<Doorbell>(), clock, {});
    ASSERT_TRUE(spiller.make_room());
    writer.record(20);
    pool_file = writer.pool_file;
  }
  std::filesystem::remove(pool_file);
  recover();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_NE(reports[0].find("is gone"), std::string::npos) << reports[0];
  EXPECT_EQ(delivered_items(), 10U);
  EXPECT_TRUE(writers().empty());
}

TEST_F(WriterFilesTest, a_pool_that_a_copy_put_in_place_of_its_link_is_delivered) {
  std::filesystem::path link;
  {
    Writer writer(directory.path(), clock);
    writer.record(10);
    link = writer.directory->pool_link();
    std::filesystem::remove(link);
    std::filesystem::rename(writer.pool_file, link);  // what a copy that follows links leaves
  }
  recover();
  EXPECT_TRUE(reports.empty()) << reports.front();
  EXPECT_EQ(delivered_items(), 10U);
  EXPECT_TRUE(writers().empty());
  EXPECT_EQ(ledger().delivered, 10U);
}

TEST_F(WriterFilesTest, a_pool_in_a_directory_that_was_moved_is_delivered) {
  for (const bool falls_back : {false, true}) {  // <id>.pool and pool.data: both names that a pool may have there
    const std::string before = directory / (falls_back ? "before" : "earlier");
    {
      Writer writer(before, clock);
      writer.record(10);
      const std::filesystem::path link = writer.directory->pool_link();
      const std::string name = falls_back ? "pool.data" : std::filesystem::path(writer.pool_file).filename().string();
      std::filesystem::rename(writer.pool_file, link.parent_path() / name);
      std::filesystem::remove(link);
      std::filesystem::create_symlink(link.parent_path() / name, link);
    }
    std::filesystem::create_directories(directory / "writers");
    for (const auto& writer : std::filesystem::directory_iterator(before + "/writers")) {
      std::filesystem::rename(writer.path(), directory / "writers" / writer.path().filename());
    }
    recover();
    EXPECT_TRUE(reports.empty()) << reports.front();
    EXPECT_TRUE(writers().empty());
  }
  EXPECT_EQ(delivered_items(), 20U);
  EXPECT_EQ(ledger().delivered, 20U);
}

// As with a damaged record of the journal: what is around it arrives, the bytes are there for people.
TEST_F(WriterFilesTest, damaged_bytes_of_a_pool_are_kept_aside_and_counted_as_lost) {
  std::string id;
  {
    Writer writer(directory.path(), clock);
    writer.record(3);  // sealed
    writer.record(3);
    id = model::to_string(writer.directory->id());
    const auto view = journal::PoolView::open(writer.pool_file).value();
    const auto info = view.read().value();
    const journal::layout::Geometry geometry{info.small_count, info.large_count};
    std::fstream file(writer.pool_file, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(geometry.chunk_offset(info.chunks.front().index)) + 5 + 1003);
    file.put('\x7F');  // the tag of the second record
  }
  recover();
  EXPECT_EQ(ledger().lost, 2U);
  EXPECT_EQ(ledger().delivered, 4U);
  const std::filesystem::path kept = (directory / "damaged") + "/" + id;
  ASSERT_TRUE(std::filesystem::exists(kept));
  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kept)) {
    if (entry.is_regular_file() && entry.path().extension() == ".bytes") bytes += entry.file_size();
  }
  EXPECT_EQ(bytes, 5U + 3 * 1003);
}

// The copied link names the pool of the original, which lives.
TEST_F(WriterFilesTest, recovering_a_copy_of_a_live_state_directory_does_not_rob_the_original) {
  Writer writer(directory.path(), clock);
  writer.record(3);
  const std::string name = model::to_string(writer.directory->id());
  support::TemporaryDirectory copy;
  std::filesystem::create_directories(copy / "writers");
  std::filesystem::copy(writer.directory->path(), (copy / "writers") + "/" + name,
                        std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
  WriterFiles copied(copy.path(), os::posix_file_system(), clock);
  const auto taken = copied.adopt(writer.directory->id());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), ErrorCode::busy) << taken.error().message();
  EXPECT_TRUE(std::filesystem::exists(writer.pool_file));
  writer.record(1);
  EXPECT_EQ(writer.pool->in_memory()[0], 4U);
}

// As tidying programs do, in directories that nobody seems to use.
TEST_F(WriterFilesTest, a_live_writer_whose_lock_file_was_removed_is_not_robbed) {
  Writer writer(directory.path(), clock);
  writer.record(3);
  std::filesystem::remove(writer.directory->path() + "/lock");
  recover();
  EXPECT_EQ(delivered_items(), 0U);
  EXPECT_EQ(writers().size(), 1U);
  EXPECT_TRUE(std::filesystem::exists(writer.pool_file));
}

// A copy of a pool that lies beside its writer is the copy's own; the original, alive or not, keeps its file.
TEST_F(WriterFilesTest, a_copy_that_holds_its_pool_is_delivered_and_leaves_the_original_its_own) {
  Writer writer(directory.path(), clock);
  writer.record(3);
  const std::string name = model::to_string(writer.directory->id());
  support::TemporaryDirectory copy;
  std::filesystem::create_directories(copy / "writers");
  const std::string place = (copy / "writers") + "/" + name;
  std::filesystem::copy(writer.directory->path(), place,
                        std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
  std::filesystem::copy_file(writer.pool_file, place + "/" + name + ".pool");
  WriterFiles copied(copy.path(), os::posix_file_system(), clock);
  auto taken = copied.adopt(writer.directory->id());
  ASSERT_TRUE(taken) << taken.error().message();
  ASSERT_NE((*taken)->pool(), nullptr);
  EXPECT_EQ((*taken)->pool()->backlog().item_count[0], 3U);
  EXPECT_TRUE((*taken)->finish({}));
  EXPECT_TRUE(std::filesystem::exists(writer.pool_file));
}

TEST_F(WriterFilesTest, what_stands_in_place_of_a_pool_and_is_none_keeps_its_writer) {
  std::filesystem::path link;
  {
    Writer writer(directory.path(), clock);
    link = writer.directory->pool_link();
    std::filesystem::remove(link);
    std::ofstream(link) << "not a pool";
  }
  recover();
  EXPECT_EQ(reports.size(), 1U);
  EXPECT_EQ(writers().size(), 1U);
  EXPECT_TRUE(std::filesystem::exists(link));
}

TEST_F(WriterFilesTest, the_pool_of_another_writer_is_not_taken) {
  model::WriterId id;
  {
    Writer writer(directory.path(), clock);
    Writer other(directory.path(), clock);
    std::filesystem::remove(writer.directory->pool_link());
    std::filesystem::create_symlink(other.pool_file, writer.directory->pool_link());
    id = writer.directory->id();
  }
  const auto adopted = files.adopt(id);
  ASSERT_FALSE(adopted);
  EXPECT_EQ(adopted.error().code(), ErrorCode::corrupt);
}

TEST_F(WriterFilesTest, a_pool_of_an_unknown_version_is_left_as_it_is_reported_once_and_shown) {
  std::string pool_file;
  {
    Writer writer(directory.path(), clock);
    writer.record(10);
    pool_file = writer.pool_file;
  }
  std::fstream(pool_file, std::ios::in | std::ios::out | std::ios::binary).write("no pool!", 8);
  recover();
  EXPECT_EQ(reports.size(), 1U);
  EXPECT_EQ(writers().size(), 1U);
  EXPECT_TRUE(std::filesystem::exists(pool_file));
  ASSERT_EQ(status.writers.size(), 1U);
  EXPECT_EQ(status.writers[0].state, RecoveryWriter::State::unreadable);
}

TEST_F(WriterFilesTest, a_writer_that_died_before_it_had_a_pool_leaves_nothing) {
  { const auto unborn = journal::WriterDirectory::create(directory.path()).value(); }
  recover();
  EXPECT_TRUE(reports.empty()) << reports.front();
  EXPECT_TRUE(writers().empty());
}

TEST_F(WriterFilesTest, at_shutdown_the_pool_empties_into_the_journal) {
  Writer writer(directory.path(), clock);
  writer.record(700);
  writer.record(5, Signal::metrics);
  writer.pool->close();
  writer.pool->seal_all();
  Spiller spiller(*writer.pool, [&](const model::Chunk& chunk) { return writer.journal->append(chunk); },
                  std::make_shared<Doorbell>(), clock, {});
  const auto spilled = spiller.spill_all(clock.steady_now() + 1s);
  ASSERT_TRUE(spilled);
  EXPECT_TRUE(spilled->complete);
  EXPECT_EQ(spilled->item_count, 705U);
  EXPECT_TRUE(writer.pool->empty());
  EXPECT_EQ(writer.journal->backlog().item_count[0], 700U);
}

}  // namespace
}  // namespace arca::flow
