#include "cli/inspect_output.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/terminal_text.hpp"
#include "cli/units.hpp"
#include "otlp/json.hpp"
#include "otlp/reader.hpp"

namespace arca::cli {

namespace {

using Json = nlohmann::ordered_json;

std::string time_text(std::uint64_t nanos) {
  return format_wall_time(base::WallTime(base::Duration(static_cast<std::int64_t>(nanos))));
}

// One line per resource, scope and record.
class RecordPrinter final : public otlp::RequestVisitor {
 public:
  RecordPrinter(Console& console, int depth) : console_(console), indent_(static_cast<std::size_t>(depth) * 2, ' ') {}

  void on_resource(const otlp::ResourceView& resource) override { line("resource " + value_text(resource.attributes)); }
  void on_scope(const otlp::ScopeView& scope) override {
    line(fmt::format("  scope {} {}", printable(scope.name), printable(scope.version)));
  }
  void on_span(const otlp::SpanView& span) override {
    const auto length = base::Duration(static_cast<std::int64_t>(span.end_time - span.start_time));
    line(fmt::format("    span {} trace {} parent {} \"{}\" {} {} events {} links {} {}", otlp::to_hex(span.span_id),
                     otlp::to_hex(span.trace_id), span.parent_span_id.empty() ? "-" : otlp::to_hex(span.parent_span_id),
                     printable(span.name), time_text(span.start_time), format_duration(length), span.events().size(),
                     span.links().size(), value_text(span.attributes)));
  }
  void on_log(const otlp::LogView& log) override {
    line(fmt::format("    log {} {} {} {}", time_text(log.time != 0 ? log.time : log.observed_time),
                     printable(log.severity_text), value_text(log.body), value_text(log.attributes)));
  }
  void on_metric(const otlp::MetricView& metric) override {
    const auto points = metric.points();
    line(
        fmt::format("    metric {} {} points {}", printable(metric.name), otlp::to_string(metric.kind), points.size()));
    for (const otlp::PointView& point : points) {
      std::string value = "-";
      if (const auto* integer = std::get_if<std::int64_t>(&point.value)) value = std::to_string(*integer);
      if (const auto* real = std::get_if<double>(&point.value)) value = fmt::format("{}", *real);
      line(fmt::format("      {} {} count {} {}", time_text(point.time), value, point.count,
                       value_text(point.attributes)));
    }
  }

 private:
  void line(const std::string& text) { console_.print(indent_ + text); }
  Console& console_;
  std::string indent_;
};

std::string fact_text(const Json& value) {
  return value.is_string() ? printable(value.get<std::string>()) : value.dump();
}

}  // namespace

void InspectOutput::show(int depth, std::string_view kind, const Json& facts) {
  if (options_.json) {
    Json object = {{"kind", kind}};
    object.update(facts);
    console_.print(object.dump(-1, ' ', false, Json::error_handler_t::replace));
    return;
  }
  std::string line(static_cast<std::size_t>(depth) * 2, ' ');
  line += kind;
  for (const auto& [key, value] : facts.items()) line += fmt::format("  {} {}", key, fact_text(value));
  console_.print(line);
}

void InspectOutput::damage(int depth, std::string_view where, std::string_view what) {
  ++damage_count_;
  show(depth, "damage", {{"where", where}, {"what", what}});
}

void InspectOutput::show_request(int depth, model::Signal signal, base::Bytes request) {
  if (!options_.records) return;
  if (options_.json) {
    const auto text = otlp::to_json(signal, request);
    if (!text) return damage(depth, "records", text.error().message());
    const Json parsed = Json::parse(*text, nullptr, false);
    return show(depth, "records", {{"signal", model::to_string(signal)}, {"otlp", parsed}});
  }
  RecordPrinter printer(console_, depth);
  if (const auto done = otlp::visit_request(signal, request, printer); !done) {
    damage(depth, "records", done.error().message());
  }
}

}  // namespace arca::cli
