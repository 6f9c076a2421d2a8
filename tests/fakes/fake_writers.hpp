// A state directory in memory: writers with a pool and a journal each, that live, die and are finished, and a ledger.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fakes/fake_source.hpp"
#include "flow/dead_writer.hpp"

namespace arca::fakes {

// What a writer leaves behind: it outlives "processes".
struct WriterRemains {
  FakeSource pool;
  FakeSource journal;
  bool has_pool = true;
  bool live = false;
  bool locked = false;
  std::optional<Error> unreadable;
  std::string missing;
};

// Not thread-safe.
class FakeWriters final : public flow::Writers {
 public:
  WriterRemains& add(std::uint64_t id) {
    auto& remains = writers[id];
    remains = std::make_unique<WriterRemains>();
    return *remains;
  }
  WriterRemains& at(std::uint64_t id) { return *writers.at(id); }

  // The process that recovered has died: the kernel drops its locks.
  void crash() {
    for (auto& [id, remains] : writers) {
      remains->locked = false;
      remains->pool.forget_claims();
      remains->journal.forget_claims();
    }
  }

  Result<std::vector<journal::WriterEntry>> list() override {
    ++list_count;
    if (fail_list) return failure(ErrorCode::io, "cannot list");
    std::vector<journal::WriterEntry> entries;
    for (const auto& [id, remains] : writers) entries.push_back({model::WriterId{id}, "", remains->live});
    return entries;
  }
  Result<std::unique_ptr<flow::DeadWriter>> adopt(model::WriterId id) override {
    ++adopt_count;
    const auto found = writers.find(id.value);
    if (found == writers.end()) return failure(ErrorCode::not_found, "no such writer");
    WriterRemains& remains = *found->second;
    if (remains.unreadable) return failure(*remains.unreadable);
    if (remains.live || remains.locked) return failure(ErrorCode::busy, "locked");
    remains.locked = true;
    return std::unique_ptr<flow::DeadWriter>(std::make_unique<Dead>(*this, id.value, remains));
  }

  std::map<std::uint64_t, std::unique_ptr<WriterRemains>> writers;
  std::map<std::uint64_t, model::Totals> ledger;
  int list_count = 0;
  int adopt_count = 0;
  int finish_failures = 0;
  bool fail_list = false;

 private:
  class Dead final : public flow::DeadWriter {
   public:
    Dead(FakeWriters& all, std::uint64_t id, WriterRemains& remains) : all_(all), id_(id), remains_(remains) {}
    ~Dead() override {
      if (all_.writers.contains(id_)) remains_.locked = false;
    }
    model::ChunkSource* pool() override { return remains_.has_pool ? &remains_.pool : nullptr; }
    model::ChunkSource& journal() override { return remains_.journal; }
    bool journal_contains(const model::ChunkId& id) const override { return remains_.journal.contains_unsettled(id); }
    bool journal_holds(model::Signal signal) const override { return remains_.journal.holds(signal); }
    model::Totals pool_totals() const override {
      return remains_.has_pool ? totals_of(remains_.pool, true) : model::Totals{};
    }
    model::Totals journal_totals() const override { return totals_of(remains_.journal, false); }
    std::string missing() const override { return remains_.missing; }
    Result<void> finish(const model::Totals& totals) override {
      if (all_.finish_failures > 0 && all_.finish_failures-- > 0) return failure(ErrorCode::io, "finish fails");
      all_.ledger.emplace(id_, totals);  // the first entry counts
      all_.graveyard_.push_back(std::move(all_.writers.at(id_)));
      all_.writers.erase(id_);
      return {};
    }

   private:
    static model::Totals totals_of(const FakeSource& source, bool is_pool) {
      model::Totals totals{};
      for (const model::Signal signal : model::all_signals) {
        model::SignalTotals& sum = totals[model::index_of(signal)];
        const std::uint64_t parked = source.settled_items(model::Verdict::parked, signal);
        sum.accepted = is_pool ? source.item_count(signal) : 0;
        sum.delivered = source.settled_items(model::Verdict::delivered, signal);
        sum.quarantined = source.settled_items(model::Verdict::rejected, signal);
        sum.journaled = is_pool ? parked : source.item_count(signal);
      }
      return totals;
    }
    FakeWriters& all_;
    std::uint64_t id_;
    WriterRemains& remains_;
  };
  std::vector<std::unique_ptr<WriterRemains>> graveyard_;  // a dispatcher may still point into it
};

}  // namespace arca::fakes
