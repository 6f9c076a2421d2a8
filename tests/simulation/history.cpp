#include "simulation/history.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/crash_point.hpp"
#include "journal/journal.hpp"

namespace arca::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t steps_at_a_moment_max = 20'000;  // more is a hot loop
constexpr minutes rest_time{20};                         // by then everything must have come to rest

// Named points of the code under test: whoever runs at the moment passes them.
thread_local Life* at_work = nullptr;
void pass_point(const char* /*name*/) noexcept {
  if (at_work != nullptr) at_work->pass_point();
}

}  // namespace

History::History(HistoryOptions options)
    : options_(std::move(options)),
      dice_(options_.seed, "history"),
      collector_(world_, oracle_, options_.seed),
      cluster_{store_, world_, {}, Dice(options_.seed, "cluster")},
      surroundings_{world_, oracle_, collector_, cluster_},
      durability_(dice_.chance(50) ? journal::Durability::power : journal::Durability::process),
      uses_cassandra_(dice_.chance(65)) {
  world_.tell(options_.tells);
  base::crash_hook.store(&pass_point);
}

History::~History() {
  processes_.clear();
  base::crash_hook.store(nullptr);
}

HistoryResult History::run(const HistoryOptions& options) {
  HistoryResult outcome;
  std::thread([&] { outcome = History(options).live(); }).join();
  return outcome;
}

HistoryResult History::live() {
  make_hosts();
  for (std::uint32_t turn = 0; turn < options_.turns; ++turn) take_turn();
  end_faults();
  come_to_rest();
  processes_.clear();
  collect_quarantine();
  HistoryResult outcome;
  outcome.verdict = oracle_.judge();
  outcome.digest = world_.digest();
  outcome.steps = steps_;
  outcome.fault_count = fault_count_;
  outcome.parked = store_.count(fakes::StoreCall::put_chunk);
  outcome.time = world_.age();
  return outcome;
}

void History::make_hosts() {
  const std::uint64_t count = dice_.between(1, 3);
  for (std::uint64_t i = 0; i < count; ++i) {
    hosts_.push_back(std::make_unique<Host>(world_, i, options_.memory_directory));
    for (std::uint64_t n = dice_.between(1, 2); n > 0; --n) start_process(*hosts_.back());
  }
}

void History::start_process(Host& host) {
  ProcessOptions options;
  options.name = fmt::format("process{}", ++started_);
  options.uses_cassandra = uses_cassandra_;
  options.recovers = dice_.chance(85);
  options.durability = durability_;
  options.pool_size = dice_.chance(30) ? 512U << 10U : 2U << 20U;
  options.journal_size = dice_.chance(20) ? 4U << 20U : 64U << 20U;
  auto process = Process::start(host, surroundings_, options, options_.seed);
  if (process) processes_.push_back(std::move(process));
}

void History::take_turn() {
  record_some();
  pass(dice_.chance(5) ? dice_.between(seconds(1), seconds(40)) : dice_.between(milliseconds(1), milliseconds(1500)));
  if (dice_.chance(20)) fault();
}

void History::record_some() {
  for (const auto& process : processes_) {
    if (!process->life().runs() || process->has_ended() || !dice_.chance(60)) continue;
    at_work = &process->life();
    for (std::uint64_t n = dice_.between(1, 20); n > 0 && process->life().runs(); --n) {
      const model::Signal signal = model::all_signals[dice_.below(3)];
      const std::size_t size = dice_.chance(2)    ? dice_.between(100'000, 300'000)
                               : dice_.chance(10) ? dice_.between(5'000, 30'000)
                                                  : dice_.between(0, 600);
      process->record(signal, ++last_record_, size);
    }
    at_work = nullptr;
  }
  bury_dead();
}

// --- time ----------------------------------------------------------------------------------------

void History::pass(base::Duration time) { run_until(world_.now() + time); }

Process* History::next_due(base::SteadyTime& due) {
  Process* next = nullptr;
  due = base::never;
  for (const auto& process : processes_) {
    if (!process->life().runs() || process->has_ended()) continue;
    const base::SteadyTime wake = process->wake_at();
    if (wake < due) {
      due = wake;
      next = process.get();
    }
  }
  return next;
}

void History::run_until(base::SteadyTime time) {
  std::uint64_t steps_here = 0;
  for (;;) {
    base::SteadyTime due = base::never;
    Process* next = next_due(due);
    const base::SteadyTime event = world_.next_event_at();
    if (std::min(due, event) > time) break;
    const base::SteadyTime before = world_.now();
    if (event <= due) {
      world_.run_next_event();
    } else {
      world_.move_to(due);
      at_work = &next->life();
      next->step();
      at_work = nullptr;
      ++steps_;
    }
    bury_dead();
    steps_here = world_.now() == before ? steps_here + 1 : 0;
    if (steps_here > steps_at_a_moment_max) {
      oracle_.broke(
          fmt::format("{} turns in a hot loop: {}", next ? next->name() : "the world", next ? next->describe() : ""));
      break;
    }
  }
  world_.move_to(time);
}

void History::bury_dead() {
  std::erase_if(processes_, [&](const std::unique_ptr<Process>& process) {
    if (!process->life().is_dead()) return false;
    if (!process->has_ended()) world_.note("{} is dead", process->name());
    return true;
  });
}

// --- the end -------------------------------------------------------------------------------------

void History::end_faults() {
  world_.note("all faults end");
  collector_.weather = {};
  cluster_.weather = {};
  for (const auto& host : hosts_) {
    host->disk.heal();
    host->disk.set_capacity(~std::uint64_t{0});
  }
  for (const auto& process : processes_) {
    process->life().die_at_operation(0);
    process->life().die_at_point(0);
    if (process->life().is_frozen()) process->life().thaw();
  }
}

bool History::is_at_rest() const {
  for (const auto& host : hosts_) {
    for (const auto& [id, writer] : host->writers)
      if (!host->is_lost && !writer.is_owned()) return false;
  }
  for (const auto& entry : store_.segments())
    if (!entry.replayed_at && entry.head.purpose == cassandra::Purpose::overflow) return false;
  return std::all_of(processes_.begin(), processes_.end(), [](const auto& process) { return process->is_idle(); });
}

// Everybody ends; on each host that is left somebody looks after what was left behind; then he, too, ends.
void History::come_to_rest() {
  pass(seconds(30));
  for (const auto& process : processes_)
    if (!process->has_ended()) process->begin_shutdown(seconds(5));
  pass(seconds(10));
  // Somebody recovers from the cluster, though every host there was is lost.
  if (std::all_of(hosts_.begin(), hosts_.end(), [](const auto& host) { return host->is_lost; }))
    hosts_.push_back(std::make_unique<Host>(world_, hosts_.size(), options_.memory_directory));
  for (const auto& host : hosts_) {
    if (host->is_lost) continue;
    ProcessOptions options;
    options.name = fmt::format("last{}", host->number());
    options.uses_cassandra = uses_cassandra_;
    options.durability = durability_;
    if (auto process = Process::start(*host, surroundings_, options, options_.seed)) {
      processes_.push_back(std::move(process));
    } else {
      oracle_.broke("a process cannot start although nothing fails any more");
    }
  }
  const base::SteadyTime latest = world_.now() + rest_time;
  while (!is_at_rest() && world_.now() < latest && oracle_.broken().empty()) pass(seconds(1));
  if (!is_at_rest()) note_unrest();
  for (const auto& process : processes_) process->begin_shutdown(seconds(5));
  pass(seconds(10));
  for (const auto& process : processes_) oracle_.broke(process->name() + " does not end");
  for (const auto& host : hosts_) {
    for (const auto& [id, writer] : host->writers)
      if (!host->is_lost)
        oracle_.broke(fmt::format("the files of writer {} are left on host {}", model::to_string(id), host->number()));
  }
}

void History::note_unrest() {
  std::string what = fmt::format("no rest {} minutes after all faults have ended", rest_time.count());
  for (const auto& process : processes_) what += "; " + process->describe();
  for (const auto& entry : store_.segments()) {
    if (entry.replayed_at) continue;
    what += fmt::format("; segment of writer {} at {} of {} chunks, {}", model::to_string(entry.head.writer),
                        entry.replay_position, entry.summary.chunk_count, entry.sealed_at ? "sealed" : "not sealed");
  }
  oracle_.broke(what);
}

void History::collect_quarantine() {
  for (const auto& kept : store_.quarantined()) {
    if (const auto chunk = cassandra::unpack(kept.chunk)) oracle_.quarantined(records_in(chunk->payload.flatten()));
  }
  for (const auto& host : hosts_) {
    if (host->is_lost) continue;
    const auto names = host->disk.list(std::string(state_directory) + "/quarantine");
    if (!names) continue;
    for (const std::string& name : *names) {
      journal::JournalOptions options;
      options.directory = std::string(state_directory) + "/quarantine/" + name;
      options.writer = {std::strtoull(name.c_str(), nullptr, 16)};
      options.sync_interval = {};
      const auto journal = journal::Journal::open(host->disk, host->clock, options);
      if (!journal) {
        oracle_.broke("a quarantine cannot be opened: " + journal.error().message());
        continue;
      }
      while (const auto claim = (*journal)->claim(model::SignalSet::all(), base::never)) {
        if (!*claim) break;
        oracle_.quarantined(records_in((*claim)->chunk.payload.flatten()));
        model::Ack seen;
        seen.chunk_id = (*claim)->chunk.id;
        seen.verdict = model::Verdict::delivered;
        if (!(*journal)->settle(seen)) break;
      }
    }
  }
}

}  // namespace arca::simulation
