// Where the front door exports to: endpoints and headers of their own for each signal, TLS, mTLS, and what a wrong
// certificate or token does.
#include "integration/telemetry_fixture.hpp"
#include "opentelemetry/logs/logger.h"
#include "opentelemetry/metrics/meter.h"
#include "opentelemetry/metrics/sync_instruments.h"

namespace arca::integration {
namespace {

class Endpoints : public EveryWay {
 protected:
  void SetUp() override {
    auto made = support::make_certificates(directory_.path());
    ASSERT_TRUE(made.has_value()) << made.error().message();
    certificates_ = *made;
  }
  void start_tls_collector(bool mutual) {
    start_collector({.tls = {certificates_.server_certificate_path, certificates_.server_key_path,
                             mutual ? certificates_.ca_path : std::string()}});
  }
  // Nothing is delivered, nothing is lost, and the reason is told in words that help.
  void expect_kept_because(const std::vector<std::string>& words) {
    record_spans(100);
    EXPECT_EQ(telemetry_->force_flush(milliseconds(500)).outcome, FlushOutcome::kept);
    EXPECT_TRUE(support::wait_until([&] { return !telemetry_->status().last_error.empty(); }));
    const std::string error = telemetry_->status().last_error;
    bool told = false;
    for (const auto& word : words) told = told || error.find(word) != std::string::npos;
    EXPECT_TRUE(told) << error;
    expect_law();
    EXPECT_EQ(telemetry_->status().traces.delivered, 0U);
    EXPECT_EQ(telemetry_->status().traces.quarantined, 0U);
    telemetry_->shutdown(milliseconds(300));
    telemetry_.reset();
  }

  support::Certificates certificates_;
};

TEST_P(Endpoints, TlsDeliversToAServerThatItsAuthorityVouchesFor) {
  start_tls_collector(false);
  Config with = config(GetParam());
  with.otlp.certificate = certificates_.ca_path;
  start(with);
  record_spans(1000);
  expect_delivered();
  expect_all_spans_written();
  expect_no_duplicates();
}

TEST_P(Endpoints, MutualTlsDeliversWithACertificateOfOurs) {
  start_tls_collector(true);
  Config with = config(GetParam());
  with.otlp.certificate = certificates_.ca_path;
  with.otlp.client_certificate = certificates_.client_certificate_path;
  with.otlp.client_key = certificates_.client_key_path;
  start(with);
  record_spans(1000);
  expect_delivered();
  expect_all_spans_written();
  expect_no_duplicates();
}

// A restart ends TLS connections in all their states, and libcurl speaks HTTP/2 over them in another way than in clear.
TEST_P(Endpoints, OverTlsLargeRequestsAndARestartUnderLoadCostNothing) {
  start_tls_collector(true);
  Config with = config(GetParam());
  with.otlp.certificate = certificates_.ca_path;
  with.otlp.client_certificate = certificates_.client_certificate_path;
  with.otlp.client_key = certificates_.client_key_path;
  with.pool_size = 64U << 20U;
  start(with);
  record_spans(5, 3U << 20U);
  record_spans(2000, 5000);
  ASSERT_TRUE(collector_->stop().has_value());
  record_spans(2000, 1000);
  ASSERT_TRUE(collector_->restart().has_value());
  for (int round = 0; round < 20; ++round) {
    record_spans(100, 1000);
    telemetry_->force_flush(milliseconds(10));
  }
  expect_delivered();
  expect_all_spans_written();
  expect_duplicates_only_as_whole_chunks();
  EXPECT_EQ(telemetry_->status().traces.quarantined, 0U);
}

TEST_P(Endpoints, WithoutACertificateOfOursMutualTlsKeepsEverythingForTheNextStart) {
  start_tls_collector(true);
  Config with = config(GetParam());
  with.otlp.certificate = certificates_.ca_path;
  start(with);
  expect_kept_because({"certificate", "SSL", "TLS"});
  with.otlp.client_certificate = certificates_.client_certificate_path;
  with.otlp.client_key = certificates_.client_key_path;
  start(with);
  EXPECT_TRUE(output_->wait_for([&] { return output_->span_ids().size() >= accepted_.size(); }));
  expect_all_spans_written();
}

TEST_P(Endpoints, AWrongAuthorityIsAClearErrorAndNothingIsLost) {
  start_tls_collector(false);
  const support::TemporaryDirectory others;
  const auto wrong = support::make_certificates(others.path());
  ASSERT_TRUE(wrong.has_value());
  Config with = config(GetParam());
  with.otlp.certificate = wrong->ca_path;
  start(with);
  expect_kept_because({"certificate"});
  with.otlp.certificate = certificates_.ca_path;
  start(with);
  EXPECT_TRUE(output_->wait_for([&] { return output_->span_ids().size() >= accepted_.size(); }));
  expect_all_spans_written();
  expect_no_duplicates();
}

TEST_P(Endpoints, EachSignalGoesToItsOwn) {
  start_collector();  // for traces, as the config says for all
  auto logs = support::Collector::start();
  auto metrics = support::Collector::start();
  ASSERT_TRUE(logs.has_value() && metrics.has_value());
  Config with = config(GetParam());
  // The other protocol than that for all signals; over HTTP an endpoint of one signal is the whole URL.
  const bool is_grpc = std::string(GetParam().protocol) == "grpc";
  with.otlp.logs.protocol = is_grpc ? "http/protobuf" : "grpc";
  with.otlp.logs.endpoint = is_grpc ? (*logs)->http_endpoint() + "/v1/logs" : (*logs)->grpc_endpoint();
  with.otlp.metrics.endpoint = is_grpc ? (*metrics)->grpc_endpoint() : (*metrics)->http_endpoint() + "/v1/metrics";
  start(with);
  record_spans(10);
  telemetry_->logger_provider()->GetLogger("logger")->Info("to its own");
  telemetry_->meter_provider()->GetMeter("meter")->CreateUInt64Counter("counter")->Add(1);
  expect_delivered();
  expect_all_spans_written();
  EXPECT_EQ(output_->log_records().size() + output_->metric_points().size(), 0U);
  support::CollectorOutput of_logs((*logs)->output_path());
  of_logs.refresh();
  EXPECT_EQ(of_logs.log_records().size(), 1U);
  EXPECT_EQ(of_logs.spans().size() + of_logs.metric_points().size(), 0U);
  support::CollectorOutput of_metrics((*metrics)->output_path());
  of_metrics.refresh();
  EXPECT_GE(of_metrics.metric_points().size(), 1U);
  EXPECT_EQ(of_metrics.spans().size() + of_metrics.log_records().size(), 0U);
}

TEST_P(Endpoints, HeadersOpenADoorThatAsksForAToken) {
  start_collector({.bearer_token = "of-the-test"});
  Config with = config(GetParam());
  with.otlp.headers = KeyValues{{"Authorization", "Bearer of-the-test"}};
  start(with);
  record_spans(500);
  expect_delivered();
  expect_all_spans_written();
  expect_no_duplicates();
  EXPECT_EQ(telemetry_->status().last_error, "");
}

// For OTLP a wrong token is a refusal for good: sent once, kept, and told.
TEST_P(Endpoints, AWrongTokenOfOneSignalQuarantinesThatSignalAndNoOther) {
  start_collector({.bearer_token = "of-the-test"});
  Config with = config(GetParam());
  with.otlp.headers = KeyValues{{"authorization", "Bearer of-the-test"}};
  with.otlp.logs.headers = KeyValues{{"authorization", "Bearer of-yesterday"}};
  start(with);
  record_spans(500);
  for (int i = 0; i < 50; ++i) telemetry_->logger_provider()->GetLogger("logger")->Info("kept");
  telemetry_->force_flush(seconds(30));
  output_->refresh();
  expect_all_spans_written();
  EXPECT_EQ(output_->log_records().size(), 0U);
  const Status status = telemetry_->status();
  EXPECT_EQ(status.traces.delivered, 500U);
  EXPECT_EQ(status.logs.quarantined, 50U) << to_json(status);
  expect_law();
}

TEST_P(Endpoints, OneThatIsAwayDoesNotHoldTheOthersUp) {
  start_collector();
  Config with = config(GetParam());
  with.otlp.logs.endpoint = "http://127.0.0.1:" + std::to_string(support::free_port());
  with.shutdown_timeout = milliseconds(200);  // what is for nobody keeps nobody waiting
  start(with);
  telemetry_->logger_provider()->GetLogger("logger")->Info("to nobody");
  record_spans(500);
  EXPECT_TRUE(output_->wait_for([&] { return output_->span_ids().size() >= accepted_.size(); }));
  const FlushReport report = telemetry_->force_flush(milliseconds(300));
  EXPECT_EQ(report.outcome, FlushOutcome::kept);
  EXPECT_EQ(report.kept_item_count, 1U);
  expect_all_spans_written();
  expect_law();
}

INSTANTIATE_TEST_SUITE_P(Ways, Endpoints, testing::Values(grpc, http_gzip), name_of_way);

}  // namespace
}  // namespace arca::integration
