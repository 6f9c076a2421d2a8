// Filter: the conditions of one `arca query`, exactly. A trace is found when one of its spans fulfils all of them; a
// log record or metric when it does. Used by everything that looks through what the places give.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/query/telemetry_place.hpp"
#include "otlp/reader.hpp"

namespace arca::cli::query {

// What stands above a record.
struct Owner {
  std::string service;  // "" if the resource names none
  otlp::AttributesView resource;
};

struct Filter {
  std::string service;
  std::string operation;
  std::optional<base::WallTime> since;
  std::optional<base::WallTime> until;
  base::Duration duration_min{};
  std::optional<std::uint32_t> status;  // as OTLP numbers it: 0 unset, 1 ok, 2 error
  std::vector<std::pair<std::string, std::string>> attributes;
  std::optional<TraceId> trace;
  std::uint32_t severity_min = 0;
  std::string contains;
  std::string metric;  // a name, or its beginning and '*'

  // The part of it that the places understand.
  [[nodiscard]] Wanted wanted(model::SignalSet signals) const;

  [[nodiscard]] bool takes(const Owner& owner, const otlp::SpanView& span) const;
  [[nodiscard]] bool takes(const Owner& owner, const otlp::LogView& log) const;
  // Judges the metric as a whole; some of its points may lie outside the time range.
  [[nodiscard]] bool takes(const Owner& owner, const otlp::MetricView& view) const;
  [[nodiscard]] bool takes_point(const Owner& owner, const otlp::PointView& point) const;
  [[nodiscard]] bool takes_time(std::uint64_t nanos) const noexcept;

 private:
  [[nodiscard]] bool takes_attributes(const Owner& owner, const otlp::AttributesView& attributes) const;
};

// The time of a log record: its own, else that at which it was seen.
std::uint64_t time_of(const otlp::LogView& log) noexcept;
base::WallTime to_wall_time(std::uint64_t nanos) noexcept;
// Whether it names a parent; an id of zeros names none.
bool has_parent(const otlp::SpanView& span) noexcept;
// End minus start; 0 if the end is not behind the start.
base::Duration duration_of(const otlp::SpanView& span) noexcept;

// "trace", "debug", "info", "warn", "error", "fatal" in any case, or a number from 1 to 24.
std::optional<std::uint32_t> parse_severity(std::string_view text) noexcept;
// "TRACE" to "FATAL"; "" for 0.
std::string_view severity_name(std::uint32_t number) noexcept;
std::optional<TraceId> parse_trace_id(std::string_view hex) noexcept;

}  // namespace arca::cli::query
