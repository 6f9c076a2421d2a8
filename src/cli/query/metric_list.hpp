// MetricList: the time series that fulfil a filter, each with its newest point, or the metrics themselves for JSON.
// Used by `arca query metrics`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "cli/query/newest.hpp"
#include "cli/query/records.hpp"
#include "cli/query/screen.hpp"

namespace arca::cli::query {

// Not thread-safe.
class MetricList final : public RecordVisitor {
 public:
  static constexpr std::size_t series_max = 1'000'000;
  // The filter outlives it. With `records` it keeps metrics as they are, the newest `limit`, instead of series.
  MetricList(const Filter& filter, bool records, std::size_t limit)
      : filter_(filter), records_(records), kept_(limit) {}

  void on_metric(const otlp::MetricView& metric) override;

  struct Series {
    std::string kind;
    std::string unit;
    std::string value;  // of the newest point
    std::uint64_t time = 0;
    std::uint64_t point_count = 0;
    PlaceSet places;
    bool is_new = true;  // since the last look
  };
  // By name, service and attributes; at most so many rows.
  [[nodiscard]] Table table(std::size_t limit, const Screen& screen) const;
  // Those that changed since the last call, for --follow.
  Table take_changes(const Screen& screen);
  // In the order of time; forgets them, but not that they were met.
  std::vector<Record> take_records() { return kept_.take_all(); }
  // How many of them were left out since the last call: they were too many, or too large.
  std::uint64_t take_left_out() noexcept { return kept_.take_left_out(); }

  void set_limit(std::size_t limit) noexcept { kept_.set_count_max(limit); }
  [[nodiscard]] std::size_t series_count() const noexcept { return series_.size(); }
  [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }

 private:
  struct Key {
    std::string name;
    std::string service;
    std::string attributes;
    auto operator<=>(const Key&) const = default;
  };
  static void add_row(Table& table, const Key& key, const Series& series, const Screen& screen);

  const Filter& filter_;
  const bool records_;
  std::map<Key, Series> series_;
  std::unordered_set<std::uint64_t> seen_;
  Newest<Record> kept_;
  bool overflowed_ = false;
};

}  // namespace arca::cli::query
