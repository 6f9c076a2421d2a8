// How fast the journal appends, and how fast a large one opens.
//   append/process   256 KiB chunks, durable against the death of the process
//   append/power     the same, each synced; by 1 and 8 threads, which share syncs
//   open             a journal of several GB that was closed in order
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "journal/journal.hpp"
#include "os/clock.hpp"

namespace {

using namespace arca;

constexpr std::size_t chunk_size = 256U << 10U;

journal::JournalOptions options_for(const std::string& name, journal::Durability durability) {
  journal::JournalOptions options;
  options.directory =
      std::filesystem::temp_directory_path() / ("arca-bench-" + std::to_string(::getpid()) + "-" + name);
  options.writer = model::WriterId{1};
  options.size_max = 16ULL << 30U;
  options.durability = durability;
  return options;
}

model::Chunk chunk_of(std::uint64_t sequence, const model::Payload& payload) {
  model::Chunk chunk;
  chunk.id = {model::WriterId{1}, sequence};
  chunk.item_count = 500;
  chunk.payload = payload;
  return chunk;
}

os::SystemClock the_clock;
std::unique_ptr<journal::Journal> the_journal;
std::atomic<std::uint64_t> next_sequence{1};

void append(benchmark::State& state, journal::Durability durability) {
  const journal::JournalOptions options = options_for("append", durability);
  if (state.thread_index() == 0) {
    the_journal = journal::Journal::open(os::posix_file_system(), the_clock, options).value();
  }
  const model::Payload payload = model::Payload::own(std::vector<std::byte>(chunk_size, std::byte{7}));
  for (auto _ : state) {
    const std::uint64_t sequence = next_sequence.fetch_add(1);
    if (!the_journal->append(chunk_of(sequence, payload))) state.SkipWithError("append failed");
    model::Ack ack;
    ack.chunk_id = {model::WriterId{1}, sequence};
    ack.verdict = model::Verdict::delivered;
    static_cast<void>(the_journal->settle(ack));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(static_cast<std::uint64_t>(state.iterations()) * chunk_size));
  if (state.thread_index() == 0) {
    the_journal.reset();
    std::filesystem::remove_all(options.directory);
  }
}
BENCHMARK_CAPTURE(append, process, journal::Durability::process)->UseRealTime();
BENCHMARK_CAPTURE(append, power, journal::Durability::power)->UseRealTime();
BENCHMARK_CAPTURE(append, power, journal::Durability::power)->Threads(8)->UseRealTime();

void open(benchmark::State& state) {
  const journal::JournalOptions options = options_for("open", journal::Durability::process);
  const model::Payload payload = model::Payload::own(std::vector<std::byte>(chunk_size, std::byte{7}));
  {
    const auto journal = journal::Journal::open(os::posix_file_system(), the_clock, options).value();
    const auto count = static_cast<std::uint64_t>(state.range(0)) * (1ULL << 30U) / chunk_size;
    for (std::uint64_t i = 1; i <= count; ++i) {
      if (!journal->append(chunk_of(i, payload))) state.SkipWithError("append failed");
    }
  }
  for (auto _ : state) {
    const auto journal = journal::Journal::open(os::posix_file_system(), the_clock, options).value();
    benchmark::DoNotOptimize(journal->backlog().chunk_count);
  }
  std::filesystem::remove_all(options.directory);
}
BENCHMARK(open)->Arg(4)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
