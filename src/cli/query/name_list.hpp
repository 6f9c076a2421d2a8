// NameList: the services and their operations, with how much of each was met. Used by `arca query services` and `arca
// query operations`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "cli/query/records.hpp"
#include "cli/query/screen.hpp"

namespace arca::cli::query {

// Not thread-safe.
class NameList final : public RecordVisitor {
 public:
  static constexpr std::size_t names_max = 200'000;
  // The filter outlives it; only its service and time range count here.
  NameList(const Filter& filter, bool operations) : filter_(filter), operations_(operations) {}

  void on_span(const otlp::SpanView& span) override;
  void on_log(const otlp::LogView& log) override;
  void on_metric(const otlp::MetricView& metric) override;
  // A name that an index has told. Whether there is room for more.
  bool add(const NamePair& name, Place place);

  struct Counts {
    std::uint64_t spans = 0;
    std::uint64_t errors = 0;
    std::uint64_t logs = 0;
    std::uint64_t points = 0;
    PlaceSet places;
  };
  using Key = std::pair<std::string, std::string>;  // service, operation
  [[nodiscard]] const std::map<Key, Counts>& all() const noexcept { return names_; }
  [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }
  [[nodiscard]] Table table(std::size_t limit) const;

 private:
  Counts* find(const std::string& service, std::string_view operation);

  const Filter& filter_;
  const bool operations_;
  std::map<Key, Counts> names_;
  bool overflowed_ = false;
};

}  // namespace arca::cli::query
