// TraceList: one line of knowledge about each trace that is met: when, how long, how many spans and errors, whether one
// of its spans is what is looked for. Used by `arca query traces`.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cli/query/records.hpp"
#include "cli/sink/id_set.hpp"

namespace arca::cli::query {

struct TraceSummary {
  TraceId id{};
  std::uint64_t start = UINT64_MAX;  // of the first span
  std::uint64_t end = 0;             // of the last one
  std::uint32_t span_count = 0;
  std::uint32_t error_count = 0;
  std::uint32_t root_service = 0;  // TraceList::name()
  std::uint32_t root_operation = 0;
  std::uint64_t root_start = UINT64_MAX;
  std::vector<std::uint32_t> services;  // few, each once
  bool has_root = false;
  bool is_match = false;
  bool is_changed = false;   // since TraceList::take_changed()
  bool is_complete = false;  // see set_complete()
  PlaceSet places;
};

// Not thread-safe.
class TraceList final : public RecordVisitor {
 public:
  static constexpr std::size_t traces_max = 2'000'000;
  // The filter outlives it.
  explicit TraceList(const Filter& filter) : filter_(&filter), seen_(spans_max) {}

  void on_span(const otlp::SpanView& span) override;

  // Those that match, the newest first, at most so many.
  [[nodiscard]] std::vector<const TraceSummary*> newest(std::size_t limit) const;
  [[nodiscard]] std::size_t match_count() const noexcept { return match_count_; }
  // Whether a trace was met that was not remembered.
  [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }
  [[nodiscard]] const std::string& name(std::uint32_t number) const { return names_[number]; }
  [[nodiscard]] bool contains(const TraceId& id) const { return traces_.contains(id); }
  // Null if it was never met.
  [[nodiscard]] const TraceSummary* find(const TraceId& id) const;
  // Traces to which a span has come since the last call.
  std::vector<TraceId> take_changed();
  // Whether all places with an index have been asked for this trace.
  [[nodiscard]] bool is_complete(const TraceId& id) const;
  void set_complete(const TraceId& id);

 private:
  static constexpr std::uint64_t spans_max = 100'000'000;
  struct Hash {
    std::size_t operator()(const TraceId& id) const noexcept { return base::load<std::uint64_t>(id.data() + 8); }
  };
  std::uint32_t number_of(std::string_view name);

  const Filter* filter_;
  std::unordered_map<TraceId, TraceSummary, Hash> traces_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<std::string> names_;
  sink::IdSet seen_;  // spans
  std::vector<TraceId> changed_;
  std::size_t match_count_ = 0;
  bool overflowed_ = false;
};

}  // namespace arca::cli::query
