#include "cli/query/name_list.hpp"

#include "cli/terminal_text.hpp"
#include "cli/units.hpp"

namespace arca::cli::query {

namespace {

// What only an index has told was not counted.
Table::Cell count_cell(std::uint64_t count, PlaceSet places) {
  return {count == 0 && places == PlaceSet(Place::cassandra) ? "?" : format_count(count), true};
}

Table::Cell name_cell(const std::string& name, Colour colour) {
  return {name.empty() ? "-" : printable(name), false, true, colour};
}

}  // namespace

NameList::Counts* NameList::find(const std::string& service, std::string_view operation) {
  if (!filter_.service.empty() && service != filter_.service) return nullptr;
  Key key{service, operations_ ? std::string(operation) : std::string()};
  const auto at = names_.find(key);
  if (at != names_.end()) return &at->second;
  if (names_.size() == names_max) {
    overflowed_ = true;
    return nullptr;
  }
  return &names_[std::move(key)];
}

void NameList::on_span(const otlp::SpanView& span) {
  if (!filter_.takes_time(span.start_time)) return;
  Counts* const counts = find(owner().service, span.name);
  if (counts == nullptr) return;
  ++counts->spans;
  if (span.status_code == otlp::span_status_error) ++counts->errors;
  counts->places.insert(place());
}

void NameList::on_log(const otlp::LogView& log) {
  if (operations_ || !filter_.takes_time(time_of(log))) return;
  if (Counts* const counts = find(owner().service, {})) {
    ++counts->logs;
    counts->places.insert(place());
  }
}

void NameList::on_metric(const otlp::MetricView& metric) {
  if (operations_) return;
  std::uint64_t points = 0;
  for (const otlp::PointView& point : metric.points()) points += filter_.takes_time(point.time) ? 1U : 0U;
  if (points == 0) return;
  if (Counts* const counts = find(owner().service, {})) {
    counts->points += points;
    counts->places.insert(place());
  }
}

bool NameList::add(const NamePair& name, Place place) {
  if (Counts* const counts = find(name.service, name.operation)) counts->places.insert(place);
  return !overflowed_;
}

Table NameList::table(std::size_t limit) const {
  constexpr int always = Table::always;
  Table table(
      operations_
          ? std::vector<Table::Column>{{"SERVICE", 3}, {"OPERATION", always}, {"SPANS"}, {"ERRORS", 2}, {"IN", 0}}
          : std::vector<Table::Column>{
                {"SERVICE", always}, {"SPANS", 4}, {"ERRORS", 3}, {"LOG RECORDS", 2}, {"POINTS"}, {"IN", 0}});
  for (const auto& [key, counts] : names_) {
    if (limit-- == 0) break;
    const Table::Cell spans = count_cell(counts.spans, counts.places);
    Table::Cell errors = count_cell(counts.errors, counts.places);
    errors.is_painted = counts.errors != 0;
    errors.colour = Colour::bad;
    const Table::Cell in{to_string(counts.places), false, true, Colour::faint};
    const Table::Cell service = name_cell(key.first, Colour::service);
    if (operations_) {
      table.add({service, name_cell(key.second, Colour::strong), spans, errors, in});
    } else {
      table.add({service, spans, errors, count_cell(counts.logs, counts.places),
                 count_cell(counts.points, counts.places), in});
    }
  }
  return table;
}

}  // namespace arca::cli::query
