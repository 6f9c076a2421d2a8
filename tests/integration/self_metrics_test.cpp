// The 17 metrics of the semantic conventions about the telemetry itself, as the real Collector wrote them: name, unit,
// kind, attributes and value.
#include <cmath>

#include "integration/telemetry_fixture.hpp"
#include "opentelemetry/logs/logger.h"
#include "opentelemetry/logs/severity.h"
#include "opentelemetry/metrics/meter.h"
#include "opentelemetry/metrics/sync_instruments.h"

namespace arca::integration {
namespace {

using support::CollectedPoint;
using Texts = std::map<std::string, std::string>;

enum class Kind : std::uint8_t { counter, up_down_counter, histogram };
struct Wanted {
  const char* name;
  Kind kind;
  const char* unit;
  const char* component;  // its type; %: grpc or http; "": none
};
constexpr Wanted wanted[] = {
    {"otel.sdk.span.started", Kind::counter, "{span}", ""},
    {"otel.sdk.span.live", Kind::up_down_counter, "{span}", ""},
    {"otel.sdk.log.created", Kind::counter, "{log_record}", ""},
    {"otel.sdk.processor.span.processed", Kind::counter, "{span}", "arca_processor"},
    {"otel.sdk.processor.span.queue.size", Kind::up_down_counter, "{span}", "arca_processor"},
    {"otel.sdk.processor.span.queue.capacity", Kind::up_down_counter, "{span}", "arca_processor"},
    {"otel.sdk.processor.log.processed", Kind::counter, "{log_record}", "arca_processor"},
    {"otel.sdk.processor.log.queue.size", Kind::up_down_counter, "{log_record}", "arca_processor"},
    {"otel.sdk.processor.log.queue.capacity", Kind::up_down_counter, "{log_record}", "arca_processor"},
    {"otel.sdk.exporter.span.inflight", Kind::up_down_counter, "{span}", "otlp_%_span_exporter"},
    {"otel.sdk.exporter.span.exported", Kind::counter, "{span}", "otlp_%_span_exporter"},
    {"otel.sdk.exporter.log.inflight", Kind::up_down_counter, "{log_record}", "otlp_%_log_exporter"},
    {"otel.sdk.exporter.log.exported", Kind::counter, "{log_record}", "otlp_%_log_exporter"},
    {"otel.sdk.exporter.metric_data_point.inflight", Kind::up_down_counter, "{data_point}", "otlp_%_metric_exporter"},
    {"otel.sdk.exporter.metric_data_point.exported", Kind::counter, "{data_point}", "otlp_%_metric_exporter"},
    {"otel.sdk.exporter.operation.duration", Kind::histogram, "s", "otlp_%_span_exporter"},
    {"otel.sdk.metric_reader.collection.duration", Kind::histogram, "s", "periodic_metric_reader"},
};

class SelfMetrics : public EveryWay {
 protected:
  void SetUp() override { start_collector(); }

  static std::string text_of(const CollectedPoint& point, const std::string& key) {
    const auto attributes = attributes_of(point.json);
    const auto found = attributes.find(key);
    if (found == attributes.end()) return "";
    const Json& value = found->second;
    return value.contains("stringValue") ? value.at("stringValue").get<std::string>() : value.value("intValue", "");
  }
  // The latest point with these attributes (and perhaps others); "" stands for an attribute that is not there.
  std::optional<CollectedPoint> latest(const std::string& name, const Texts& attributes) const {
    const auto& all = output_->metric_points();
    for (auto point = all.rbegin(); point != all.rend(); ++point) {
      if (point->metric_name != name) continue;
      const bool fits = std::all_of(attributes.begin(), attributes.end(), [&](const auto& attribute) {
        return text_of(*point, attribute.first) == attribute.second;
      });
      if (fits) return *point;
    }
    return std::nullopt;
  }
  std::int64_t number(const std::string& name, const Texts& attributes = {}) const {
    const auto point = latest(name, attributes);
    if (!point) return -1;
    return std::stoll(point->json.value(point->kind == "histogram" ? "count" : "asInt", "-1"));
  }
  std::string component_of(const Wanted& metric) const {
    std::string type = metric.component;
    if (const auto at = type.find('%'); at != std::string::npos) {
      type.replace(at, 1, std::string(GetParam().protocol).substr(0, 4));
    }
    return type;
  }
  void expect_shape(const Wanted& metric) const {
    SCOPED_TRACE(metric.name);
    const std::string type = component_of(metric);
    const auto point = latest(metric.name, type.empty() ? Texts{} : Texts{{"otel.component.type", type}});
    ASSERT_TRUE(point);
    EXPECT_EQ(point->unit, metric.unit);
    EXPECT_EQ(point->kind, metric.kind == Kind::histogram ? "histogram" : "sum");
    if (metric.kind != Kind::histogram) {
      EXPECT_EQ(point->data.value("isMonotonic", false), metric.kind == Kind::counter);
    }
    EXPECT_EQ(text_of(*point, "otel.component.name"), type.empty() ? "" : type + "/0");
    EXPECT_EQ(point->scope->value("name", ""), "arca");
  }
};

TEST_P(SelfMetrics, AreAllThereAndRight) {
  Config with = config(GetParam());
  with.self_metrics = true;
  with.self_metric_interval = milliseconds(200);
  with.metric_interval = milliseconds(100);
  start(with);
  record_spans(100);
  const auto open = tracer()->StartSpan("open");
  const auto logger = telemetry_->logger_provider()->GetLogger("scope");
  for (int i = 0; i < 7; ++i) logger->EmitLogRecord(opentelemetry::logs::Severity::kInfo, "done");
  const auto counter = telemetry_->meter_provider()->GetMeter("meter")->CreateUInt64Counter("requests");
  counter->Add(1);
  ASSERT_NE(telemetry_->force_flush(seconds(60)).outcome, FlushOutcome::incomplete);

  const std::string way = std::string(GetParam().protocol).substr(0, 4);
  const Texts spans{{"otel.component.type", "otlp_" + way + "_span_exporter"}, {"error.type", ""}};
  const Texts logs{{"otel.component.type", "otlp_" + way + "_log_exporter"}, {"error.type", ""}};
  const Texts points{{"otel.component.type", "otlp_" + way + "_metric_exporter"}, {"error.type", ""}};
  const Texts taken{{"error.type", ""}};
  const auto complete = [&] {
    return number("otel.sdk.exporter.span.exported", spans) == 100 &&
           number("otel.sdk.exporter.log.exported", logs) == 7 &&
           number("otel.sdk.exporter.metric_data_point.exported", points) > 0 &&
           number("otel.sdk.exporter.operation.duration", spans) > 0 &&
           number("otel.sdk.metric_reader.collection.duration") > 1;
  };
  ASSERT_TRUE(output_->wait_for(complete));
  for (const Wanted& metric : wanted) expect_shape(metric);
  EXPECT_EQ(number("otel.sdk.span.live"), 1);
  EXPECT_EQ(number("otel.sdk.span.started",
                   {{"otel.span.parent.origin", "none"}, {"otel.span.sampling_result", "RECORD_AND_SAMPLE"}}),
            101);
  EXPECT_EQ(number("otel.sdk.log.created"), 7);
  EXPECT_EQ(number("otel.sdk.processor.span.processed", taken), 100);
  EXPECT_EQ(number("otel.sdk.processor.log.processed", taken), 7);
  EXPECT_EQ(number("otel.sdk.processor.span.processed", {{"error.type", "queue_full"}}), 0);
  EXPECT_EQ(number("otel.sdk.processor.span.queue.size"), 0);
  EXPECT_EQ(number("otel.sdk.exporter.span.inflight", spans), 0);
  // 8 MiB, and a span of this test has some hundred bytes.
  EXPECT_GT(number("otel.sdk.processor.span.queue.capacity"), 8'000);
  EXPECT_LT(number("otel.sdk.processor.span.queue.capacity"), 200'000);

  const auto delivery = latest("otel.sdk.exporter.operation.duration", spans);
  ASSERT_TRUE(delivery);
  EXPECT_EQ(text_of(*delivery, "server.address"), "127.0.0.1");
  EXPECT_GT(std::stoi(text_of(*delivery, "server.port")), 0);
  EXPECT_EQ(text_of(*delivery, "rpc.response.status_code"), way == "grpc" ? "OK" : "");
  EXPECT_EQ(text_of(*delivery, "http.response.status_code"), way == "grpc" ? "" : "200");
  const double total = delivery->json.value("sum", -1.0);
  EXPECT_TRUE(total > 0 && total < 60) << total;
  EXPECT_LT(delivery->json.at("explicitBounds").at(0).get<double>(), 0.01);  // buckets for seconds
  open->End();
}

TEST_P(SelfMetrics, OfADeliveryThatFailsSayWhy) {
  Config with = config(GetParam());
  with.self_metrics = true;
  with.self_metric_interval = milliseconds(200);
  with.otlp.traces.endpoint =
      std::string(GetParam().protocol) == "grpc" ? "http://127.0.0.1:9" : "http://127.0.0.1:9/v1/traces";
  start(with);
  record_spans(1);
  const auto failed = [&] {
    return number("otel.sdk.exporter.operation.duration", {{"server.port", "9"}, {"error.type", "not_sent"}}) > 0 &&
           number("otel.sdk.processor.span.processed", {{"error.type", ""}}) == 1;
  };
  EXPECT_TRUE(output_->wait_for(failed));
  const std::string way = std::string(GetParam().protocol).substr(0, 4);
  EXPECT_EQ(number("otel.sdk.exporter.span.exported",
                   {{"otel.component.type", "otlp_" + way + "_span_exporter"}, {"error.type", ""}}),
            0);
}

INSTANTIATE_TEST_SUITE_P(Ways, SelfMetrics, testing::Values(grpc, http), name_of_way);

}  // namespace
}  // namespace arca::integration
