// Reads what a Collector's file exporter wrote: one OTLP JSON request per line. The judge of the integration and crash
// tests compares these records with what was accepted.
#pragma once

#include <chrono>
#include <cstddef>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace arca::support {

// One span or log record, as OTLP JSON: ids in hex, 64-bit integers as text.
struct CollectedRecord {
  std::shared_ptr<const nlohmann::json> resource;  // the resource object, with "attributes"
  std::shared_ptr<const nlohmann::json> scope;     // the scope object
  nlohmann::json json;
  std::size_t request = 0;  // number of the request that brought it: one chunk, or a part of one

  // A field that is text, or "" when it is not there.
  [[nodiscard]] std::string text(const std::string& field) const;
  // The AnyValue object of an attribute, or null.
  [[nodiscard]] nlohmann::json attribute(const std::string& name) const;
};

// One data point of a metric.
struct CollectedPoint {
  std::shared_ptr<const nlohmann::json> resource;
  std::shared_ptr<const nlohmann::json> scope;
  std::string metric_name;
  std::string unit;
  std::string kind;  // "gauge", "sum", "histogram", "exponentialHistogram", "summary"
  nlohmann::json json;
  nlohmann::json data{};  // what all points of the metric share: aggregationTemporality, isMonotonic
};

// Not thread-safe: one test thread. Reads on from where it stopped.
class CollectorOutput {
 public:
  explicit CollectorOutput(std::string path) : path_(std::move(path)) {}

  // Reads the complete lines that were added.
  void refresh();
  // Refreshes until `condition` holds or `timeout` has passed; returns whether it holds.
  bool wait_for(const std::function<bool()>& condition, std::chrono::milliseconds timeout = std::chrono::seconds(30));

  [[nodiscard]] const std::vector<CollectedRecord>& spans() const noexcept { return spans_; }
  [[nodiscard]] const std::vector<CollectedRecord>& log_records() const noexcept { return log_records_; }
  [[nodiscard]] const std::vector<CollectedPoint>& metric_points() const noexcept { return metric_points_; }
  // How often each span id was written; 2 or more is a duplicate.
  [[nodiscard]] const std::map<std::string, std::size_t>& span_ids() const noexcept { return span_ids_; }
  // Spans with that name.
  [[nodiscard]] std::vector<const CollectedRecord*> spans_named(const std::string& name) const;
  // Lines cut by a SIGKILL of the Collector: requests that it had not acknowledged.
  [[nodiscard]] std::size_t torn_line_count() const noexcept { return torn_line_count_; }

 private:
  void take_line(const std::string& line);
  void take_metric(const std::shared_ptr<const nlohmann::json>& resource,
                   const std::shared_ptr<const nlohmann::json>& scope, const nlohmann::json& metric);

  std::string path_;
  std::streamoff offset_ = 0;
  std::vector<CollectedRecord> spans_;
  std::vector<CollectedRecord> log_records_;
  std::vector<CollectedPoint> metric_points_;
  std::map<std::string, std::size_t> span_ids_;
  std::size_t torn_line_count_ = 0;
  std::size_t request_count_ = 0;
};

}  // namespace arca::support
