// The plug-ins with the stock SDK's own providers, judged by the real Collector: who keeps the SDK loses nothing
// either.
#include "arca/plugins.hpp"

#include "integration/telemetry_fixture.hpp"
#include "opentelemetry/logs/logger.h"
#include "opentelemetry/metrics/meter.h"
#include "opentelemetry/metrics/sync_instruments.h"
#include "opentelemetry/sdk/logs/logger_provider.h"
#include "opentelemetry/sdk/logs/processor.h"
#include "opentelemetry/sdk/metrics/export/periodic_exporting_metric_reader.h"
#include "opentelemetry/sdk/metrics/meter_provider.h"
#include "opentelemetry/sdk/metrics/push_metric_exporter.h"
#include "opentelemetry/sdk/resource/resource.h"
#include "opentelemetry/sdk/trace/processor.h"
#include "opentelemetry/sdk/trace/tracer_provider.h"

namespace arca::integration {
namespace {

namespace sdk = opentelemetry::sdk;
namespace trace_api = opentelemetry::trace;

class Plugins : public EveryWay {
 protected:
  void SetUp() override {
    start_collector();
    start(config(GetParam()));
  }
  static sdk::resource::Resource resource() { return sdk::resource::Resource::Create({{"service.name", "stock"}}); }
  std::unique_ptr<sdk::trace::TracerProvider> stock_tracers() {
    return std::make_unique<sdk::trace::TracerProvider>(make_span_processor(*telemetry_), resource());
  }
  void record_stock_spans(trace_api::TracerProvider& provider, int count) {
    const auto tracer = provider.GetTracer("stock scope", "7");
    for (int i = 0; i < count; ++i) {
      const auto span = tracer->StartSpan("stock", {{"number", i}});
      span->AddEvent("event", {{"a", 1}});
      span->SetStatus(trace_api::StatusCode::kError, "why");
      accepted_.insert(hex(span->GetContext().span_id()));
      span->End();
    }
  }
};

TEST_P(Plugins, SpansOfTheStockProviderArriveWithItsResource) {
  const auto provider = stock_tracers();
  record_stock_spans(*provider, 3000);
  EXPECT_TRUE(provider->ForceFlush(std::chrono::seconds(30)));
  output_->refresh();
  expect_all_spans_written();
  expect_no_duplicates();
  for (const auto& span : output_->spans()) {
    ASSERT_EQ(attributes_of(*span.resource).at("service.name"), text_value("stock"));
    ASSERT_EQ(span.scope->value("name", ""), "stock scope");
    ASSERT_EQ(span.json.at("events").size(), 1U);
    ASSERT_EQ(span.json.at("status"), (Json{{"code", 2}, {"message", "why"}}));
  }
  expect_law();
}

TEST_P(Plugins, LogRecordsOfTheStockProviderArrive) {
  sdk::logs::LoggerProvider provider(make_log_record_processor(*telemetry_), resource());
  const auto logger = provider.GetLogger("logger", "library", "8");
  for (int i = 0; i < 3000; ++i) logger->Warn("stock", opentelemetry::common::MakeAttributes({{"number", i}}));
  EXPECT_TRUE(provider.ForceFlush(std::chrono::seconds(30)));
  output_->refresh();
  ASSERT_EQ(output_->log_records().size(), 3000U);
  std::set<std::string> numbers;
  for (const auto& record : output_->log_records()) {
    numbers.insert(record.attribute("number").value("intValue", ""));
    ASSERT_EQ(record.json.at("body"), text_value("stock"));
    ASSERT_EQ(record.text("severityText"), "WARN");
    ASSERT_EQ(attributes_of(*record.resource).at("service.name"), text_value("stock"));
    ASSERT_EQ(record.scope->value("name", ""), "library");
  }
  EXPECT_EQ(numbers.size(), 3000U);
  expect_law();
}

TEST_P(Plugins, MetricsOfTheStockProviderArrive) {
  sdk::metrics::PeriodicExportingMetricReaderOptions options;
  options.export_interval_millis = std::chrono::minutes(10);
  options.export_timeout_millis = seconds(20);
  sdk::metrics::MeterProvider provider(std::make_unique<sdk::metrics::ViewRegistry>(), resource());
  provider.AddMetricReader(
      std::make_shared<sdk::metrics::PeriodicExportingMetricReader>(make_metric_exporter(*telemetry_), options));
  const auto counter = provider.GetMeter("stock meter")->CreateUInt64Counter("stock.counter");
  counter->Add(41);
  counter->Add(1);
  EXPECT_TRUE(provider.ForceFlush(std::chrono::seconds(30)));
  expect_delivered();
  ASSERT_GE(output_->metric_points().size(), 1U);
  const auto& point = output_->metric_points().back();
  EXPECT_EQ(point.metric_name, "stock.counter");
  EXPECT_EQ(point.json.value("asInt", ""), "42");
  EXPECT_EQ(attributes_of(*point.resource).at("service.name"), text_value("stock"));
  EXPECT_EQ(point.scope->value("name", ""), "stock meter");
}

TEST_P(Plugins, WithoutCollectorFlushSaysSoAndNothingIsLost) {
  ASSERT_TRUE(collector_->kill().has_value());
  // The processor is asked, as the stock provider says true whatever its processors say.
  auto processor = make_span_processor(*telemetry_);
  auto& flushed = *processor;
  auto provider = std::make_unique<sdk::trace::TracerProvider>(std::move(processor), resource());
  record_stock_spans(*provider, 2000);
  EXPECT_FALSE(flushed.ForceFlush(milliseconds(300)));
  expect_law();
  ASSERT_TRUE(collector_->restart().has_value());
  EXPECT_TRUE(flushed.ForceFlush(seconds(30)));
  output_->refresh();
  expect_all_spans_written();
  expect_no_duplicates();
  provider.reset();
  expect_law();
}

TEST_P(Plugins, AProviderThatOutlivesTelemetryIsHarmless) {
  const auto provider = stock_tracers();
  record_stock_spans(*provider, 10);
  const auto open = provider->GetTracer("stock scope")->StartSpan("open");
  telemetry_->shutdown(seconds(10));
  telemetry_.reset();
  output_->refresh();
  expect_all_spans_written();
  open->End();
  provider->GetTracer("stock scope")->StartSpan("late")->End();
  EXPECT_TRUE(provider->ForceFlush(seconds(1)));
}

INSTANTIATE_TEST_SUITE_P(Ways, Plugins, testing::Values(grpc, grpc_gzip, http, http_gzip), name_of_way);

}  // namespace
}  // namespace arca::integration
