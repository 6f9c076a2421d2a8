#include "cli/query/metric_list.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/terminal_text.hpp"

namespace arca::cli::query {

namespace {

std::string number_text(const otlp::PointView& point) {
  if (const auto* integer = std::get_if<std::int64_t>(&point.value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&point.value)) return fmt::format("{:.6g}", *real);
  return "-";
}

// The one number of a point; of a distribution its count, sum and mean.
std::string point_text(const otlp::MetricView& metric, const otlp::PointView& point) {
  if (metric.kind == otlp::MetricKind::gauge || metric.kind == otlp::MetricKind::sum) return number_text(point);
  std::string text = fmt::format("count {}", point.count);
  const auto* const sum = std::get_if<double>(&point.value);
  if (sum != nullptr) text += fmt::format(" sum {:.6g}", *sum);
  if (sum != nullptr && point.count != 0) text += fmt::format(" mean {:.6g}", *sum / static_cast<double>(point.count));
  return text;
}

std::string attributes_text(const otlp::AttributesView& attributes) {
  std::string text = value_text(attributes);
  return text.substr(1, text.size() - 2);  // without its braces
}

}  // namespace

void MetricList::on_metric(const otlp::MetricView& metric) {
  if (!filter_.takes(owner(), metric)) return;
  const std::uint64_t key = hash_of(metric.message) ^ hash_of(owner().resource.message);
  if (seen_.size() < seen_max ? !seen_.insert(key).second : seen_.contains(key)) return;
  const auto points = metric.points();
  if (records_) {
    std::uint64_t time = 0;
    for (const otlp::PointView& point : points) time = std::max(time, point.time);
    if (kept_.takes(time)) {
      kept_.put(time, metric.message.size(), keep(metric.message));
    } else {
      kept_.leave_out();
    }
    return;
  }
  for (const otlp::PointView& point : points) {
    if (!filter_.takes_point(owner(), point)) continue;
    Key name{printable(metric.name), printable(owner().service), attributes_text(point.attributes)};
    if (series_.size() == series_max && !series_.contains(name)) {
      overflowed_ = true;
      continue;
    }
    Series& series = series_[std::move(name)];
    ++series.point_count;
    series.places.insert(place());
    if (point.time < series.time) continue;
    series.time = point.time;
    series.kind = otlp::to_string(metric.kind);
    series.unit = printable(metric.unit);
    series.value = point_text(metric, point);
    series.is_new = true;
  }
}

namespace {
Table empty_table() {
  return Table({{"METRIC", Table::always},
                {"SERVICE", 3},
                {"VALUE", Table::always, true},
                {"KIND", 1},
                {"TIME (UTC)", 2, true},
                {"POINTS", 0},
                {"ATTRIBUTES", 4}});
}
}  // namespace

void MetricList::add_row(Table& table, const Key& key, const Series& series, const Screen& screen) {
  // "1" is how the semantic conventions write that a number has no unit, "{item}" that it counts items.
  const bool has_unit = !series.unit.empty() && series.unit != "1";
  table.add({{key.name, false, true, Colour::strong},
             {key.service.empty() ? "-" : key.service, false, true, Colour::service},
             {series.value + (has_unit ? " " + series.unit : ""), true},
             {series.kind},
             {format_time(to_wall_time(series.time), screen), false, true, Colour::faint},
             {std::to_string(series.point_count), true},
             {key.attributes, false, true, Colour::faint}});
}

Table MetricList::table(std::size_t limit, const Screen& screen) const {
  Table table = empty_table();
  for (const auto& [key, series] : series_) {
    if (limit-- == 0) break;
    add_row(table, key, series, screen);
  }
  return table;
}

Table MetricList::take_changes(const Screen& screen) {
  Table table = empty_table();
  for (auto& [key, series] : series_) {
    if (series.is_new) add_row(table, key, series, screen);
    series.is_new = false;
  }
  return table;
}

}  // namespace arca::cli::query
