// The metrics of the semantic conventions (1.44) that one HostSnapshot gives: a table of name, unit, kind and
// the function that reads the snapshot, and the observable instruments that publish it. Used by the agent;
// tests walk the table without any SDK.
#pragma once

#include <opentelemetry/common/attribute_value.h>
#include <opentelemetry/metrics/async_instruments.h>
#include <opentelemetry/metrics/meter.h>

#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "cli/agent/host_reader.hpp"

namespace arca::cli::agent {

using Attributes = std::vector<std::pair<opentelemetry::nostd::string_view, opentelemetry::common::AttributeValue>>;

// Takes the points of one metric. `count` for metrics of whole numbers, `real` for the others.
class PointObserver {
 public:
  virtual ~PointObserver() = default;
  virtual void count(std::uint64_t value, const Attributes& attributes) = 0;
  virtual void real(double value, const Attributes& attributes) = 0;
};

enum class MetricKind { counter, up_down_counter, gauge };

struct MetricDescription {
  const char* name;
  const char* unit;
  const char* description;
  MetricKind kind;
  bool whole_numbers;  // int64 points; else double
  void (*observe)(const HostSnapshot&, PointObserver&);
};

std::span<const MetricDescription> host_metric_table();
std::span<const MetricDescription> process_metric_table();

// Publishes the newest snapshot through observable instruments. Thread-safe: the SDK collects on its own thread.
class HostMetrics {
 public:
  HostMetrics(opentelemetry::metrics::Meter& meter, bool host, bool processes);
  ~HostMetrics();
  HostMetrics(const HostMetrics&) = delete;
  HostMetrics& operator=(const HostMetrics&) = delete;

  void publish(HostSnapshot snapshot);

 private:
  struct Instrument {
    HostMetrics* owner;
    const MetricDescription* metric;
    opentelemetry::nostd::shared_ptr<opentelemetry::metrics::ObservableInstrument> instrument;
  };
  static void collect(opentelemetry::metrics::ObserverResult result, void* state);
  void add(opentelemetry::metrics::Meter& meter, std::span<const MetricDescription> descriptions);

  std::mutex mutex_;
  std::shared_ptr<const HostSnapshot> snapshot_;          // protected by mutex_
  std::vector<std::unique_ptr<Instrument>> instruments_;  // constant after construction
};

}  // namespace arca::cli::agent
