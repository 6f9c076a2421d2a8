#include "simulation/oracle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace arca::simulation {

namespace {
constexpr std::size_t examples_max = 5;
}  // namespace

void Oracle::accepted(RecordNumber number, model::Signal signal, model::WriterId writer, std::size_t host) {
  records_[number] = {.signal = signal, .writer = writer, .host = host};
  ++accepted_[writer];
}

std::uint64_t Oracle::accepted_count(model::WriterId writer) const {
  const auto found = accepted_.find(writer);
  return found == accepted_.end() ? 0 : found->second;
}

void Oracle::kept(const std::vector<RecordNumber>& numbers, Safety safety) {
  for (const RecordNumber number : numbers) {
    // One that was not accepted any more because its process died meanwhile is nobody's promise.
    if (const auto found = records_.find(number); found != records_.end())
      found->second.safety = std::max(found->second.safety, safety);
  }
}

void Oracle::power_failed(std::size_t host) {
  for (auto& [number, record] : records_) {
    if (record.host != host) continue;
    damaged_.insert(record.writer);
    if (record.safety < Safety::disk) record.is_excused = true;
  }
}

void Oracle::host_was_lost(std::size_t host) {
  for (auto& [number, record] : records_) {
    if (record.host != host) continue;
    damaged_.insert(record.writer);
    if (record.safety < Safety::cluster) record.is_excused = true;
  }
}

void Oracle::arrived(const std::vector<RecordNumber>& numbers, const std::string& chunk) {
  for (const RecordNumber number : numbers) {
    const auto found = records_.find(number);
    if (found == records_.end()) continue;
    Record& record = found->second;
    if (record.arrival_count++ == 0) record.chunk = chunk;
    if (record.chunk != chunk)
      broke(fmt::format("record {:x} came in chunk {} and again in chunk {}", number, record.chunk, chunk));
  }
}

void Oracle::quarantined(const std::vector<RecordNumber>& numbers) {
  for (const RecordNumber number : numbers) {
    if (const auto found = records_.find(number); found != records_.end()) found->second.is_quarantined = true;
  }
}

void Oracle::finished(model::WriterId writer, const model::Totals& totals) {
  finished_.try_emplace(writer, totals);
}  // as the ledger does

void Oracle::broke(std::string what) {
  if (broken_.size() < examples_max) broken_.push_back(std::move(what));
}

Verdict Oracle::judge() {
  Verdict verdict;
  std::uint64_t missing = 0;
  for (const auto& [number, record] : records_) {
    ++verdict.accepted;
    if (record.arrival_count > 0) {
      ++verdict.arrived;
      verdict.duplicates += record.arrival_count - 1;
    } else if (record.is_quarantined) {
      ++verdict.quarantined;
    } else if (record.is_excused) {
      ++verdict.excused;
    } else if (missing++ < examples_max) {
      broke(fmt::format("{} record {:x} of writer {} on host {}, which the {} kept, is lost",
                        model::to_string(record.signal), number, model::to_string(record.writer), record.host,
                        std::array{"memory", "disk", "cluster"}[static_cast<std::size_t>(record.safety)]));
    }
  }
  if (missing > 0) broke(fmt::format("{} of {} accepted records are lost", missing, verdict.accepted));
  judge_totals();
  verdict.broken = broken_;
  return verdict;
}

// The law, from the ledgers.
void Oracle::judge_totals() {
  for (const auto& [writer, totals] : finished_) {
    std::uint64_t accepted = 0;
    for (const model::Signal signal : model::all_signals) {
      const model::SignalTotals& of = totals[model::index_of(signal)];
      accepted += of.accepted;
      if (damaged_.contains(writer)) continue;
      if (of.lost != 0)
        broke(fmt::format("the ledger says of writer {}: {} {} lost", model::to_string(writer), of.lost,
                          model::to_string(signal)));
      if (of.accepted != of.delivered + of.parked + of.quarantined + of.lost)
        broke(
            fmt::format("the law does not hold for {} of writer {}: {} accepted, {} delivered, {} parked, {} "
                        "quarantined, {} lost",
                        model::to_string(signal), model::to_string(writer), of.accepted, of.delivered, of.parked,
                        of.quarantined, of.lost));
    }
    // A record whose process died between commit and return is in the pool, and nobody promised it.
    if (!damaged_.contains(writer) && accepted < accepted_count(writer))
      broke(fmt::format("the ledger says of writer {}: {} accepted, and there were {}", model::to_string(writer),
                        accepted, accepted_count(writer)));
  }
}

}  // namespace arca::simulation
