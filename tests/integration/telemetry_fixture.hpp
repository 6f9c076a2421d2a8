// What the integration tests of the front door share: a real Collector, a Telemetry that exports to it in one of the
// four ways, and the account of what the Collector wrote. Used by tests/integration/*_test.cpp.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "arca/telemetry.hpp"
#include "opentelemetry/trace/provider.h"
#include "support/collector.hpp"
#include "support/collector_output.hpp"
#include "support/temporary_directory.hpp"
#include "support/wait.hpp"

namespace arca::integration {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Json = nlohmann::json;

struct Way {
  const char* name;
  const char* protocol;
  const char* compression;
};
// GoogleTest prints parameters in the names that ctest shows; without this, as bytes that change from run to run.
inline void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }
inline constexpr Way grpc{"grpc", "grpc", "none"};
inline constexpr Way grpc_gzip{"grpc_gzip", "grpc", "gzip"};
inline constexpr Way http{"http", "http/protobuf", "none"};
inline constexpr Way http_gzip{"http_gzip", "http/protobuf", "gzip"};

inline std::string name_of_way(const testing::TestParamInfo<Way>& way) { return way.param.name; }

constexpr seconds patience{120};  // the machine is busy with others

// Not thread-safe: one test thread.
class TelemetryFixture : public testing::Test {
 protected:
  void start_collector(const support::CollectorOptions& options = {}) {
    auto started = support::Collector::start(options);
    ASSERT_TRUE(started.has_value()) << started.error().message();
    collector_ = std::move(*started);
    output_ = std::make_unique<support::CollectorOutput>(collector_->output_path());
  }

  Config config(const Way& way) const {
    Config config;
    config.service_name = "judged";
    config.state_directory = directory_ / "state";
    config.pool_directory = directory_.path();
    config.pool_size = 8U << 20U;
    config.otlp.protocol = way.protocol;
    config.otlp.compression = way.compression;
    config.otlp.endpoint =
        std::string(way.protocol) == "grpc" ? collector_->grpc_endpoint() : collector_->http_endpoint();
    config.otlp.timeout = seconds(2);
    config.schedule_delay = milliseconds(20);
    config.self_metrics = false;
    config.install_global = false;
    config.recovery.scan_interval = milliseconds(50);
    return config;
  }

  void start(const Config& with) {
    auto started = Telemetry::start(with);
    ASSERT_TRUE(started.has_value()) << started.error().message();
    telemetry_ = std::move(*started);
  }

  opentelemetry::nostd::shared_ptr<opentelemetry::trace::Tracer> tracer() const {
    return telemetry_->tracer_provider()->GetTracer("scope", "1.2", "http://schema");
  }

  // Ends that many spans and keeps the account of their ids.
  void record_spans(std::size_t count, std::size_t padding = 50) {
    const auto tracer = this->tracer();
    const std::string text(padding, 'p');
    for (std::size_t i = 0; i < count; ++i) {
      const auto span = tracer->StartSpan("load");
      span->SetAttribute("padding", text);
      accepted_.insert(hex(span->GetContext().span_id()));
      span->End();
    }
  }

  template <class Id>
  static std::string hex(const Id& id) {
    char text[2 * Id::kSize];
    id.ToLowerBase16(text);
    return {text, sizeof text};
  }

  // Everything accepted is delivered, says our side, and the law holds.
  void expect_delivered(seconds timeout = seconds(60)) {
    EXPECT_EQ(telemetry_->force_flush(timeout).outcome, FlushOutcome::delivered) << telemetry_->status().last_error;
    expect_law();
    output_->refresh();
  }
  void expect_law() const {
    const Status status = telemetry_->status();
    EXPECT_TRUE(status.holds()) << to_json(status);
    EXPECT_EQ(status.traces.lost + status.logs.lost + status.metrics.lost, 0U);
    EXPECT_EQ(status.traces.refused + status.logs.refused + status.metrics.refused, 0U);
  }

  // The Collector's file holds the accepted spans: all, and no others.
  void expect_all_spans_written() const {
    std::size_t missing = 0;
    for (const auto& id : accepted_) missing += 1 - output_->span_ids().count(id);
    EXPECT_EQ(missing, 0U) << "of " << accepted_.size();
    EXPECT_EQ(output_->span_ids().size(), accepted_.size());
  }
  void expect_no_duplicates() const { EXPECT_EQ(output_->spans().size(), output_->span_ids().size()); }
  // A chunk keeps its id and its bytes: what comes twice comes as the same whole request.
  void expect_duplicates_only_as_whole_chunks() const {
    std::map<std::size_t, std::set<std::string>> requests;
    for (const auto& span : output_->spans()) requests[span.request].insert(span.text("spanId"));
    std::map<std::string, std::size_t> first;
    for (const auto& [number, ids] : requests) {
      for (const auto& id : ids) {
        const auto [at, is_new] = first.emplace(id, number);
        if (is_new) continue;
        ASSERT_EQ(requests.at(at->second), ids) << "a duplicate that is not a whole chunk: " << id;
      }
    }
  }

  support::TemporaryDirectory directory_;
  std::unique_ptr<support::Collector> collector_;
  std::unique_ptr<support::CollectorOutput> output_;
  std::unique_ptr<Telemetry> telemetry_;
  std::set<std::string> accepted_;
};

// The same over all four ways.
class EveryWay : public TelemetryFixture, public testing::WithParamInterface<Way> {};

// OTLP JSON values, as the Collector writes them.
inline Json text_value(const std::string& text) { return {{"stringValue", text}}; }
inline Json int_value(std::int64_t value) { return {{"intValue", std::to_string(value)}}; }
inline Json double_value(double value) { return {{"doubleValue", value}}; }
inline Json bool_value(bool value) { return {{"boolValue", value}}; }
inline Json array_value(const std::vector<Json>& values) { return {{"arrayValue", {{"values", values}}}}; }

// The attributes of any object that has some, by key.
inline std::map<std::string, Json> attributes_of(const Json& object, const char* field = "attributes") {
  std::map<std::string, Json> result;
  const auto list = object.find(field);
  if (list == object.end()) return result;
  for (const auto& entry : *list) {
    EXPECT_EQ(result.count(entry.at("key").get<std::string>()), 0U) << "a key twice: " << entry.at("key");
    result[entry.at("key").get<std::string>()] = entry.value("value", Json::object());
  }
  return result;
}

inline std::uint64_t nanos_of(const Json& object, const char* field) {
  return std::stoull(object.value(field, std::string("0")));
}

}  // namespace arca::integration
