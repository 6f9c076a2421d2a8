// Oracle: knows what was accepted, what was promised about it, and what came out. It stands outside of everything that
// can fail.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/chunk.hpp"
#include "model/totals.hpp"
#include "simulation/records.hpp"

namespace arca::simulation {

// How far what keeps a record reaches. Each outlives what the one before it does not.
enum class Safety : std::uint8_t {
  memory,   // the death of its process
  disk,     // a power loss too
  cluster,  // the loss of its host too
};

struct Verdict {
  std::uint64_t accepted = 0;
  std::uint64_t arrived = 0;        // at the Collector, at least once
  std::uint64_t duplicates = 0;     // further arrivals, all of them under the same chunk id
  std::uint64_t quarantined = 0;    // and not arrived
  std::uint64_t excused = 0;        // gone with what kept them, as promised
  std::vector<std::string> broken;  // what was promised and did not hold
};

class Oracle {
 public:
  // Of one host, by its number.
  void accepted(RecordNumber number, model::Signal signal, model::WriterId writer, std::size_t host);
  void refused() noexcept { ++refused_; }
  [[nodiscard]] std::uint64_t accepted_count(model::WriterId writer) const;

  // Something acknowledged that it keeps them.
  void kept(const std::vector<RecordNumber>& numbers, Safety safety);
  void power_failed(std::size_t host);
  void host_was_lost(std::size_t host);
  void arrived(const std::vector<RecordNumber>& numbers, const std::string& chunk);
  void quarantined(const std::vector<RecordNumber>& numbers);
  void finished(model::WriterId writer, const model::Totals& totals);
  void broke(std::string what);

  // After everything has come to rest.
  [[nodiscard]] Verdict judge();
  [[nodiscard]] const std::vector<std::string>& broken() const noexcept { return broken_; }

 private:
  struct Record {
    model::Signal signal{};
    model::WriterId writer;
    std::size_t host = 0;
    Safety safety = Safety::memory;
    bool is_excused = false;  // what kept it is gone, and nothing that outlives that had acknowledged it
    std::string chunk{};      // in which it arrived first
    std::uint32_t arrival_count = 0;
    bool is_quarantined = false;
  };
  void judge_totals();

  std::map<RecordNumber, Record> records_;
  std::map<model::WriterId, std::uint64_t> accepted_;
  std::map<model::WriterId, model::Totals> finished_;
  std::set<model::WriterId> damaged_;  // a power loss took their pool: how much was in it nobody knows
  std::uint64_t refused_ = 0;
  std::vector<std::string> broken_;
};

}  // namespace arca::simulation
