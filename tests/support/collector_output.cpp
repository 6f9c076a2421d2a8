#include "support/collector_output.hpp"

#include "support/wait.hpp"

namespace arca::support {
namespace {

using nlohmann::json;

const json& field(const json& object, const char* name) {
  static const json nothing = json::array();
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

std::shared_ptr<const json> shared_field(const json& object, const char* name) {
  return std::make_shared<const json>(object.value(name, json::object()));
}

}  // namespace

std::string CollectedRecord::text(const std::string& name) const {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

nlohmann::json CollectedRecord::attribute(const std::string& name) const {
  for (const auto& entry : field(json, "attributes")) {
    if (entry.value("key", "") == name) return entry.value("value", nlohmann::json());
  }
  return nullptr;
}

void CollectorOutput::refresh() {
  std::ifstream file(path_, std::ios::binary);
  if (!file.seekg(offset_)) return;  // not there yet
  std::string line;
  while (std::getline(file, line)) {
    if (file.eof()) break;  // no newline yet: half a line
    offset_ += static_cast<std::streamoff>(line.size()) + 1;
    if (!line.empty()) take_line(line);
  }
}

bool CollectorOutput::wait_for(const std::function<bool()>& condition, std::chrono::milliseconds timeout) {
  return wait_until(
      [&] {
        refresh();
        return condition();
      },
      timeout);
}

void CollectorOutput::take_line(const std::string& line) {
  const auto request = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (request.is_discarded()) {
    ++torn_line_count_;
    return;
  }
  ++request_count_;
  for (const auto& group : field(request, "resourceSpans")) {
    const auto resource = shared_field(group, "resource");
    for (const auto& scoped : field(group, "scopeSpans")) {
      const auto scope = shared_field(scoped, "scope");
      for (const auto& span : field(scoped, "spans")) {
        spans_.push_back({resource, scope, span, request_count_});
        ++span_ids_[spans_.back().text("spanId")];
      }
    }
  }
  for (const auto& group : field(request, "resourceLogs")) {
    const auto resource = shared_field(group, "resource");
    for (const auto& scoped : field(group, "scopeLogs")) {
      const auto scope = shared_field(scoped, "scope");
      for (const auto& record : field(scoped, "logRecords"))
        log_records_.push_back({resource, scope, record, request_count_});
    }
  }
  for (const auto& group : field(request, "resourceMetrics")) {
    const auto resource = shared_field(group, "resource");
    for (const auto& scoped : field(group, "scopeMetrics")) {
      const auto scope = shared_field(scoped, "scope");
      for (const auto& metric : field(scoped, "metrics")) take_metric(resource, scope, metric);
    }
  }
}

void CollectorOutput::take_metric(const std::shared_ptr<const json>& resource, const std::shared_ptr<const json>& scope,
                                  const json& metric) {
  for (const char* kind : {"gauge", "sum", "histogram", "exponentialHistogram", "summary"}) {
    if (!metric.contains(kind)) continue;
    json data = metric.at(kind);
    data.erase("dataPoints");
    for (const auto& point : field(metric.at(kind), "dataPoints")) {
      metric_points_.push_back(
          {resource, scope, metric.value("name", ""), metric.value("unit", ""), kind, point, data});
    }
  }
}

std::vector<const CollectedRecord*> CollectorOutput::spans_named(const std::string& name) const {
  std::vector<const CollectedRecord*> result;
  for (const auto& span : spans_) {
    if (span.text("name") == name) result.push_back(&span);
  }
  return result;
}

}  // namespace arca::support
