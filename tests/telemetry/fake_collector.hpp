// A Collector for the tests of this floor: takes OTLP/HTTP on a free loopback port, keeps what it was sent, parsed by
// the official classes, and answers with whatever status the test wants.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "opentelemetry/proto/collector/logs/v1/logs_service.pb.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"

namespace arca::test {

namespace proto = opentelemetry::proto;

// Thread-safe.
class FakeCollector {
 public:
  explicit FakeCollector(int port = 0) {
    take("/v1/traces", traces_);
    take("/v1/metrics", metrics_);
    take("/v1/logs", logs_);
    port_ = port == 0 ? server_.bind_to_any_port("127.0.0.1") : (server_.bind_to_port("127.0.0.1", port) ? port : -1);
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~FakeCollector() {
    while (!server_.is_running()) std::this_thread::yield();  // stop() before that would be forgotten
    server_.stop();
    thread_.join();
  }

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void answer_with(int status) { status_ = status; }

  template <class Item, class Requests, class Extract>
  std::vector<Item> all(const Requests& requests, Extract extract) const {
    const std::lock_guard lock(mutex_);
    std::vector<Item> items;
    for (const auto& request : requests) extract(request, items);
    return items;
  }
  [[nodiscard]] std::vector<proto::trace::v1::ResourceSpans> traces() const {
    return all<proto::trace::v1::ResourceSpans>(traces_, [](const auto& request, auto& items) {
      items.insert(items.end(), request.resource_spans().begin(), request.resource_spans().end());
    });
  }
  [[nodiscard]] std::vector<proto::trace::v1::Span> spans() const {
    std::vector<proto::trace::v1::Span> items;
    for (const auto& resource : traces()) {
      for (const auto& scope : resource.scope_spans()) {
        items.insert(items.end(), scope.spans().begin(), scope.spans().end());
      }
    }
    return items;
  }
  [[nodiscard]] std::vector<proto::logs::v1::ResourceLogs> resource_logs() const {
    return all<proto::logs::v1::ResourceLogs>(logs_, [](const auto& request, auto& items) {
      items.insert(items.end(), request.resource_logs().begin(), request.resource_logs().end());
    });
  }
  [[nodiscard]] std::vector<proto::metrics::v1::ResourceMetrics> resource_metrics() const {
    return all<proto::metrics::v1::ResourceMetrics>(metrics_, [](const auto& request, auto& items) {
      items.insert(items.end(), request.resource_metrics().begin(), request.resource_metrics().end());
    });
  }
  [[nodiscard]] std::vector<proto::logs::v1::LogRecord> logs() const {
    return all<proto::logs::v1::LogRecord>(logs_, [](const auto& request, auto& items) {
      for (const auto& resource : request.resource_logs()) {
        for (const auto& scope : resource.scope_logs()) {
          items.insert(items.end(), scope.log_records().begin(), scope.log_records().end());
        }
      }
    });
  }
  [[nodiscard]] std::vector<proto::metrics::v1::Metric> metrics() const {
    return all<proto::metrics::v1::Metric>(metrics_, [](const auto& request, auto& items) {
      for (const auto& resource : request.resource_metrics()) {
        for (const auto& scope : resource.scope_metrics()) {
          items.insert(items.end(), scope.metrics().begin(), scope.metrics().end());
        }
      }
    });
  }
  // Waits until the predicate holds, asking again after each request.
  template <class Predicate>
  bool wait_until(Predicate predicate, std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!predicate()) {
      std::unique_lock lock(mutex_);
      if (arrived_.wait_until(lock, deadline) == std::cv_status::timeout) {
        lock.unlock();
        return predicate();
      }
    }
    return true;
  }

 private:
  template <class Requests>
  void take(const char* path, Requests& requests) {
    server_.Post(path, [this, &requests](const httplib::Request& request, httplib::Response& response) {
      response.status = status_;
      if (status_ != 200) return;
      const std::lock_guard lock(mutex_);
      requests.emplace_back();
      if (!requests.back().ParseFromString(request.body)) response.status = 400;
      response.set_content("", "application/x-protobuf");
      arrived_.notify_all();
    });
  }

  httplib::Server server_;
  std::thread thread_;
  int port_ = 0;
  std::atomic<int> status_{200};
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<proto::collector::trace::v1::ExportTraceServiceRequest> traces_;  // these protected by mutex_
  std::vector<proto::collector::metrics::v1::ExportMetricsServiceRequest> metrics_;
  std::vector<proto::collector::logs::v1::ExportLogsServiceRequest> logs_;
};

}  // namespace arca::test
