// The agent as a whole against the stock SDK's providers, an HTTP server and real files.
#include "cli/agent/agent.hpp"

#include <gtest/gtest.h>
#include <httplib.h>
#include <opentelemetry/context/propagation/global_propagator.h>
#include <opentelemetry/exporters/memory/in_memory_metric_data.h>
#include <opentelemetry/exporters/memory/in_memory_metric_exporter_factory.h>
#include <opentelemetry/exporters/memory/in_memory_span_exporter.h>
#include <opentelemetry/logs/noop.h>
#include <opentelemetry/logs/provider.h>
#include <opentelemetry/metrics/provider.h>
#include <opentelemetry/sdk/metrics/export/periodic_exporting_metric_reader_factory.h>
#include <opentelemetry/sdk/metrics/meter_provider.h>
#include <opentelemetry/sdk/trace/simple_processor_factory.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/trace/propagation/http_trace_context.h>
#include <opentelemetry/trace/provider.h>

#include <atomic>
#include <fstream>
#include <set>
#include <thread>

#include "support/temporary_directory.hpp"
#include "support/wait.hpp"

namespace arca::cli::agent {
namespace {

namespace api = opentelemetry;
namespace sdk = opentelemetry::sdk;

class AgentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto exporter = std::make_unique<api::exporter::memory::InMemorySpanExporter>();
    spans_ = exporter->GetData();
    auto processor = sdk::trace::SimpleSpanProcessorFactory::Create(std::move(exporter));
    api::trace::Provider::SetTracerProvider(
        api::nostd::shared_ptr<api::trace::TracerProvider>(new sdk::trace::TracerProvider(std::move(processor))));
    metrics_ = std::make_shared<api::exporter::memory::SimpleAggregateInMemoryMetricData>();
    provider_ = std::make_shared<sdk::metrics::MeterProvider>();
    provider_->AddMetricReader(sdk::metrics::PeriodicExportingMetricReaderFactory::Create(
        api::exporter::memory::InMemoryMetricExporterFactory::Create(metrics_),
        {std::chrono::milliseconds(60'000), std::chrono::milliseconds(30'000)}));
    api::metrics::Provider::SetMeterProvider(std::shared_ptr<api::metrics::MeterProvider>(provider_));
    api::context::propagation::GlobalTextMapPropagator::SetGlobalPropagator(
        api::nostd::shared_ptr<api::context::propagation::TextMapPropagator>(
            new api::trace::propagation::HttpTraceContext));
    server_.Get("/ok", [this](const httplib::Request& request, httplib::Response& response) {
      traceparent_ = request.get_header_value("traceparent");
      response.set_content("fine", "text/plain");
    });
    server_.Get("/broken", [](const httplib::Request&, httplib::Response& response) { response.status = 503; });
    port_ = server_.bind_to_any_port("127.0.0.1");
    serving_ = std::thread([this] { server_.listen_after_bind(); });
    ASSERT_TRUE(support::wait_until([this] { return server_.is_running(); }));
  }
  void TearDown() override {
    server_.stop();
    serving_.join();
    api::trace::Provider::SetTracerProvider(
        api::nostd::shared_ptr<api::trace::TracerProvider>(new api::trace::NoopTracerProvider));
    api::metrics::Provider::SetMeterProvider(
        api::nostd::shared_ptr<api::metrics::MeterProvider>(new api::metrics::NoopMeterProvider));
  }
  std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
  AgentParts parts() {
    return {os::posix_file_system(), clock_, directory_ / "state", {}, [this](std::string_view text) {
              said_ += std::string(text) + "\n";
            }};
  }
  std::map<std::string, std::unique_ptr<sdk::trace::SpanData>> run_once(const AgentConfig& config) {
    Agent agent(config, parts());
    EXPECT_TRUE(agent.run_once());
    std::map<std::string, std::unique_ptr<sdk::trace::SpanData>> by_name;
    for (auto& span : spans_->GetSpans()) by_name[std::string(span->GetName())] = std::move(span);
    return by_name;
  }
  static AgentConfig probe_only(const std::string& to) {
    AgentConfig config;
    config.host = false;
    config.probes = {{"probe", to, "GET", milliseconds(1000), milliseconds(500), "", {}}};
    return config;
  }
  template <class Value>
  static Value attribute(const sdk::trace::SpanData& span, const std::string& key) {
    const auto found = span.GetAttributes().find(key);
    return found == span.GetAttributes().end() ? Value{} : api::nostd::get<Value>(found->second);
  }

  os::SystemClock clock_;
  support::TemporaryDirectory directory_;
  std::shared_ptr<api::exporter::memory::InMemorySpanData> spans_;
  std::shared_ptr<api::exporter::memory::SimpleAggregateInMemoryMetricData> metrics_;
  std::shared_ptr<sdk::metrics::MeterProvider> provider_;
  httplib::Server server_;
  int port_ = 0;
  std::thread serving_;
  std::string traceparent_, said_;
};

TEST_F(AgentTest, AScrapeIsOneSpanWithItsTwoReadings) {
  const auto spans = run_once(AgentConfig());
  ASSERT_TRUE(spans.contains("scrape") && spans.contains("read host") && spans.contains("read processes"));
  const auto& cycle = *spans.at("scrape");
  for (const char* child : {"read host", "read processes"}) {
    EXPECT_EQ(spans.at(child)->GetParentSpanId(), cycle.GetSpanId());
    EXPECT_EQ(spans.at(child)->GetTraceId(), cycle.GetTraceId());
  }
}

TEST_F(AgentTest, MetricsOfTheHostComeThroughTheMeterProvider) {
  Agent agent(AgentConfig(), parts());
  ASSERT_TRUE(agent.run_once());
  provider_->ForceFlush();
  const auto& scopes = metrics_->Get(scope_name, "system.memory.usage");
  ASSERT_EQ(scopes.size(), 4u) << "one point per state";
  EXPECT_FALSE(metrics_->Get(scope_name, "system.cpu.time").empty());
  EXPECT_FALSE(metrics_->Get(scope_name, "arca.agent.scrape.duration").empty());
}

TEST_F(AgentTest, AProbeIsAClientSpanWhoseContextArrivesAtTheServer) {
  const auto spans = run_once(probe_only(url("/ok")));
  ASSERT_TRUE(spans.contains("GET"));
  const auto& span = *spans.at("GET");
  EXPECT_EQ(span.GetSpanKind(), api::trace::SpanKind::kClient);
  EXPECT_EQ(span.GetStatus(), api::trace::StatusCode::kUnset);
  EXPECT_EQ(attribute<std::string>(span, "url.full"), url("/ok"));
  EXPECT_EQ(attribute<std::string>(span, "server.address"), "127.0.0.1");
  EXPECT_EQ(attribute<std::int64_t>(span, "server.port"), port_);
  EXPECT_EQ(attribute<std::int32_t>(span, "http.response.status_code"), 200);
  char hex[32];
  span.GetTraceId().ToLowerBase16(hex);
  EXPECT_EQ(traceparent_.substr(3, 32), std::string(hex, 32));
}

TEST_F(AgentTest, AnErrorStatusIsAnErrorWithTheStatusAsItsType) {
  const auto spans = run_once(probe_only(url("/broken")));
  EXPECT_EQ(spans.at("GET")->GetStatus(), api::trace::StatusCode::kError);
  EXPECT_EQ(attribute<std::string>(*spans.at("GET"), "error.type"), "503");
}

TEST_F(AgentTest, AnEndpointThatIsNotThereIsAConnectionError) {
  httplib::Server other;
  const int free_port = other.bind_to_any_port("127.0.0.1");  // bound, never listening
  const auto spans = run_once(probe_only("http://127.0.0.1:" + std::to_string(free_port)));
  EXPECT_EQ(spans.at("GET")->GetStatus(), api::trace::StatusCode::kError);
  EXPECT_FALSE(attribute<std::string>(*spans.at("GET"), "error.type").empty());
  EXPECT_FALSE(spans.at("GET")->GetAttributes().contains("http.response.status_code"));
}

TEST_F(AgentTest, RunsItsWorkOnThreadsAndStopsInTime) {
  AgentConfig config = probe_only(url("/ok"));
  config.host = true;
  config.scrape_interval = milliseconds(100);
  config.probes[0].interval = milliseconds(100);
  config.logs = {{directory_ / "x.log", true, "", {}}};
  std::ofstream(directory_ / "x.log") << "hello\n";
  Agent agent(config, parts());
  ASSERT_TRUE(agent.start());
  std::multiset<std::string> names;
  EXPECT_TRUE(support::wait_until([&] {
    for (auto& span : spans_->GetSpans()) names.insert(std::string(span->GetName()));
    return names.count("scrape") >= 2 && names.count("GET") >= 2;
  }));
  const auto before = std::chrono::steady_clock::now();
  agent.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(3));
  EXPECT_TRUE(std::ifstream(directory_ / "state/positions").good());
}

TEST_F(AgentTest, AnUnreadableProcIsToldOnceAndTheSpanIsAnError) {
  AgentConfig config;
  config.proc_root = directory_ / "nothing";
  const auto spans = run_once(config);
  EXPECT_EQ(spans.at("scrape")->GetStatus(), api::trace::StatusCode::kError);
  EXPECT_NE(said_.find("not readable"), std::string::npos);
}

}  // namespace
}  // namespace arca::cli::agent
