#include "cli/state_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "cli/journal_view.hpp"
#include "cli/look_again.hpp"
#include "journal/pool_view.hpp"
#include "journal/writer_directory.hpp"

namespace arca::cli {

namespace {

constexpr int looks_max = 10;
constexpr base::Duration look_pause = std::chrono::milliseconds(100);

void add(SignalStatus& sum, const SignalStatus& part) {
  sum.accepted += part.accepted;
  sum.delivered += part.delivered;
  sum.parked += part.parked;
  sum.quarantined += part.quarantined;
  sum.in_journal += part.in_journal;
  sum.in_memory += part.in_memory;
  sum.refused += part.refused;
  sum.lost += part.lost;
}

void add(Law& sum, const Law& part) {
  for (std::size_t i = 0; i < sum.size(); ++i) add(sum[i], part[i]);
}

void take_oldest(std::optional<base::WallTime>& oldest, base::WallTime time) {
  oldest = std::min(oldest.value_or(time), time);
}

// Items that the journal holds too, or has settled already: the writer died, or is just now, between append and note.
// They count once: ranges that lie there unsettled in the journal, the rest where it was when the pool was looked at.
void subtract_doubles(const journal::PoolInfo& pool, const JournalView& kept, WriterView& view) {
  std::array<std::uint64_t, model::signal_count> noted{};  // of what the journal was ever given
  for (std::size_t i = 0; i < noted.size(); ++i) noted[i] = pool.totals[i].journaled;
  for (const journal::ChunkInfo& chunk : pool.chunks) {
    for (const journal::RangeInfo& range : chunk.ranges) {
      if (range.state != journal::layout::RangeState::sealed) continue;
      if (!kept.unsettled.contains({view.id, range.sequence})) continue;
      std::uint64_t& in_memory = view.law[model::index_of(chunk.signal)].in_memory;
      in_memory -= std::min<std::uint64_t>(in_memory, range.item_count);
      noted[model::index_of(chunk.signal)] += range.item_count;
      view.pool_bytes -= std::min<std::uint64_t>(view.pool_bytes, range.end - range.begin);
    }
  }
  for (std::size_t i = 0; i < noted.size(); ++i) {
    SignalStatus& law = view.law[i];
    std::uint64_t left = kept.totals[i].journaled - std::min(kept.totals[i].journaled, noted[i]);
    for (std::uint64_t* const count : {&law.in_journal, &law.delivered, &law.quarantined, &law.parked, &law.lost}) {
      const std::uint64_t part = std::min(left, *count);
      *count -= part;
      left -= part;
    }
  }
}

void add_pool(const journal::PoolInfo& pool, WriterView& view) {
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    const model::SignalTotals& totals = pool.totals[i];
    SignalStatus& law = view.law[i];
    // Refused records were never accepted into a chunk; the law counts them on both sides.
    law.accepted = totals.accepted + totals.refused;
    law.refused = totals.refused;
    law.delivered = totals.delivered;
    law.parked = totals.parked;
    law.quarantined = totals.quarantined;
    law.lost = totals.lost;
    law.in_memory = pool.in_memory[i];
  }
  view.process_id = pool.process_id;
  view.pool_bytes = pool.bytes_in_memory;
  view.process_status = pool.status_json;
  if (pool.oldest_sealed_at_ns) take_oldest(view.oldest, base::WallTime(base::Duration(*pool.oldest_sealed_at_ns)));
  for (const std::string& damage : pool.damage) view.notes.push_back("pool: " + damage);
  if (!pool.consistent) view.notes.emplace_back("pool: it changed while it was read");
}

void add_journal(const JournalView& kept, bool has_pool, WriterView& view) {
  const auto in_journal = kept.unsettled_items();
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    const model::SignalTotals& totals = kept.totals[i];
    SignalStatus& law = view.law[i];
    // Without a pool (gone with a reboot) the journal is all that is known of the writer.
    if (!has_pool) law.accepted = totals.journaled;
    law.delivered += totals.delivered;
    law.parked += totals.parked;
    law.quarantined += totals.quarantined;
    law.lost += totals.lost;
    law.in_journal = in_journal[i];
  }
  view.journal_bytes = kept.unsettled_bytes();
  view.journal_file_bytes = kept.size;
  for (const auto& [id, chunk] : kept.unsettled) take_oldest(view.oldest, chunk.sealed_at);
  for (const std::string& damage : kept.damage) view.notes.push_back("journal: " + damage);
}

// What recovery has made of items that the writer parked: only the process itself has asked Cassandra.
void count_replayed(WriterView& view) {
  const nlohmann::json process = nlohmann::json::parse(view.process_status, nullptr, false);
  if (!process.is_object() || !process.contains("cassandra")) return;
  const nlohmann::json& cassandra = process.at("cassandra");
  const auto count = [&](const char* what, model::Signal signal) -> std::uint64_t {
    const auto counts = cassandra.find(what);
    if (counts == cassandra.end() || !counts->is_object()) return 0;
    const auto found = counts->find(std::string(to_string(signal)));
    return found != counts->end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
  };
  for (const model::Signal signal : model::all_signals) {
    SignalStatus& law = view.law[model::index_of(signal)];
    const std::uint64_t quarantined = std::min(law.parked, count("replay_quarantined", signal));
    const std::uint64_t delivered = std::min(law.parked - quarantined, count("replayed", signal));
    const std::uint64_t lost = std::min(law.parked - quarantined - delivered, count("parked_lost", signal));
    law.parked -= quarantined + delivered + lost;
    law.quarantined += quarantined;
    law.delivered += delivered;
    law.lost += lost;
  }
}

// Nothing if the writer has been finished meanwhile.
std::optional<WriterView> view_writer(os::FileSystem& file_system, const journal::WriterEntry& entry) {
  WriterView view;
  view.id = entry.id;
  view.live = entry.live;
  // The pool first: what moves to the journal in between is then seen twice (and told by its id), never not at all.
  std::optional<journal::PoolInfo> pool;
  const auto opened = journal::PoolView::open(entry.path + "/pool");
  if (opened) {
    auto seen = read_calmly([&] { return opened->read(); });
    if (seen) {
      pool = std::move(*seen);
    } else {
      view.notes.push_back("pool: " + seen.error().message());
    }
  } else if (opened.error().code() != ErrorCode::not_found) {
    view.notes.push_back("pool: " + opened.error().message());
  } else if (!file_system.exists(entry.path)) {
    return std::nullopt;
  } else {
    view.notes.emplace_back(entry.live ? "its pool is not there (yet)" : "its pool is gone, as after a reboot");
  }
  if (pool) add_pool(*pool, view);
  const auto kept = read_calmly([&] { return view_journal(file_system, entry.path + "/journal"); });
  if (!kept) {
    view.notes.push_back("journal: " + kept.error().message());
    return view;
  }
  add_journal(*kept, pool.has_value(), view);
  if (pool) subtract_doubles(*pool, *kept, view);
  count_replayed(view);
  return view;
}

QuarantineView view_quarantine(os::FileSystem& file_system, const std::string& directory,
                               std::vector<std::string>& notes) {
  QuarantineView view;
  const auto names = file_system.list(directory);
  if (!names) return view;
  for (const std::string& name : *names) {
    const auto kept = read_calmly([&] { return view_journal(file_system, directory + "/" + name); });
    if (!kept) {
      notes.push_back("quarantine/" + name + ": " + kept.error().message());
      continue;
    }
    for (const std::string& damage : kept->damage) notes.push_back("quarantine/" + name + "/" + damage);
    view.chunk_count += kept->unsettled.size();
    view.bytes += kept->unsettled_bytes();
    for (const std::uint64_t items : kept->unsettled_items()) view.item_count += items;
  }
  return view;
}

}  // namespace

bool law_holds(const Law& law) noexcept {
  return std::all_of(law.begin(), law.end(), [](const SignalStatus& status) { return status.holds(); });
}

std::uint64_t lost_items(const Law& law) noexcept { return law[0].lost + law[1].lost + law[2].lost; }

Law StateView::sum() const {
  Law sum = finished;
  for (const WriterView& writer : writers) add(sum, writer.law);
  return sum;
}

bool StateView::holds() const {
  return law_holds(finished) &&
         std::all_of(writers.begin(), writers.end(), [](const WriterView& writer) { return law_holds(writer.law); });
}

std::uint64_t StateView::backlog_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const WriterView& writer : writers) sum += writer.backlog_bytes();
  return sum;
}

std::optional<base::WallTime> StateView::oldest() const {
  std::optional<base::WallTime> oldest;
  for (const WriterView& writer : writers) {
    if (writer.oldest) take_oldest(oldest, *writer.oldest);
  }
  return oldest;
}

Result<StateView> view_state(os::FileSystem& file_system, const std::string& state_directory) {
  if (!file_system.exists(state_directory)) {
    return failure(ErrorCode::not_found, state_directory + " does not exist");
  }
  StateView view;
  const auto entries = journal::list_writers(state_directory);
  if (!entries) return failure(entries.error());
  for (const journal::WriterEntry& entry : *entries) {
    if (auto writer = view_writer(file_system, entry)) view.writers.push_back(std::move(*writer));
  }
  // The ledger last: a writer that was finished meanwhile is in it, and counts from there.
  const auto ledger = journal::read_ledger(state_directory);
  if (!ledger) return failure(ledger.error());
  std::set<model::WriterId> in_ledger;
  for (const journal::LedgerEntry& entry : ledger->entries) {
    in_ledger.insert(entry.writer);
    for (std::size_t i = 0; i < model::signal_count; ++i) {
      const model::SignalTotals& totals = entry.totals[i];
      add(view.finished[i], {totals.accepted + totals.refused, totals.delivered, totals.parked, totals.quarantined,
                             totals.journaled, 0, totals.refused, totals.lost});
    }
  }
  std::erase_if(view.writers, [&](const WriterView& writer) { return in_ledger.contains(writer.id); });
  view.finished_writer_count = in_ledger.size();
  if (ledger->damaged_count != 0) {
    view.notes.push_back(
        fmt::format("the ledger has {} damaged entries: the sums lack what they said", ledger->damaged_count));
  }
  view.quarantine = view_quarantine(file_system, state_directory + "/quarantine", view.notes);
  return view;
}

Result<StateView> view_state_calmly(os::FileSystem& file_system, const std::string& state_directory) {
  Result<StateView> view = view_state(file_system, state_directory);
  for (int look = 1; look < looks_max && view && !view->holds(); ++look) {
    const bool somebody_lives =
        std::any_of(view->writers.begin(), view->writers.end(), [](const WriterView& writer) { return writer.live; });
    if (!somebody_lives) break;
    std::this_thread::sleep_for(look_pause);
    view = view_state(file_system, state_directory);
  }
  return view;
}

}  // namespace arca::cli
