// The front door and what the real Collector does to connections and requests while it is well, or nearly so: it ends
// connections that are old or idle, refuses large requests for want of memory, and lets go by itself. None of that
// may cost a record. A refusal says clearly that nothing was taken, so it may not send one twice either.
#include <algorithm>

#include "integration/telemetry_fixture.hpp"

namespace arca::integration {
namespace {

constexpr const char* want_of_memory = "data refused due to high memory usage";

class CollectorManners : public EveryWay {
 protected:
  bool wait_for_status(const std::function<bool(const Status&)>& condition) {
    return support::wait_until([&] { return condition(telemetry_->status()); });
  }
  void expect_everything_once() {
    expect_delivered();
    expect_all_spans_written();
    expect_no_duplicates();
    EXPECT_EQ(telemetry_->status().traces.quarantined, 0U);
  }
  // libcurl before 8.0 now and then loses a whole answer to a GOAWAY; that chunk comes again.
  void expect_everything_and_hardly_ever_twice() {
    expect_delivered();
    expect_all_spans_written();
    expect_duplicates_only_as_whole_chunks();
    EXPECT_LE(output_->spans().size() - output_->span_ids().size(), accepted_.size() / 50);
    EXPECT_EQ(telemetry_->status().traces.quarantined, 0U);
  }
  // One flush behind the other, so that connections are used in all their ages.
  void record_in_rounds(int rounds, std::size_t count, std::size_t padding) {
    for (int round = 0; round < rounds; ++round) {
      record_spans(count, padding);
      ASSERT_EQ(telemetry_->force_flush(seconds(60)).outcome, FlushOutcome::delivered)
          << "round " << round << ": " << telemetry_->status().last_error;
    }
  }
};

// Refusals of several MiB: their answer comes while the request may still be on its way.
TEST_P(CollectorManners, RefusingLargeRequestsItGetsThemOnceWhenItHasMemoryAgain) {
  start_collector({.memory_limit_mib = 1});
  Config with = config(GetParam());
  with.pool_size = 64U << 20U;
  with.otlp.timeout = seconds(10);
  start(with);
  EXPECT_TRUE(wait_for_status([&](const Status& status) {
    record_spans(1);
    return !status.last_error.empty();
  }));
  record_spans(6, 3U << 20U);
  telemetry_->force_flush(milliseconds(1));  // seals them
  EXPECT_TRUE(wait_for_status([](const Status& status) { return status.breakers[0] == Breaker::open; }));
  EXPECT_NE(telemetry_->status().last_error.find(want_of_memory), std::string::npos) << telemetry_->status().last_error;
  expect_law();
  ASSERT_TRUE(collector_->restart_with_memory_limit(0).has_value());
  expect_everything_once();
}

// Its limiter refuses what is garbage already, until it collects: half a second here.
TEST_P(CollectorManners, ShortOfMemoryNowAndThenItGetsEverythingOnce) {
  start_collector({.memory_limit_mib = 4,
                   .limiter_settings = "check_interval: 10ms, min_gc_interval_when_soft_limited: 300ms, "
                                       "max_gc_interval_when_soft_limited: 300ms, "
                                       "min_gc_interval_when_hard_limited: 300ms, "
                                       "max_gc_interval_when_hard_limited: 300ms"});
  Config with = config(GetParam());
  with.pool_size = 64U << 20U;
  with.otlp.timeout = seconds(10);
  start(with);
  EXPECT_TRUE(wait_for_status([&](const Status& status) {
    record_spans(10, 200U << 10U);
    telemetry_->force_flush(milliseconds(50));
    return !status.last_error.empty();
  }));
  EXPECT_NE(telemetry_->status().last_error.find(want_of_memory), std::string::npos) << telemetry_->status().last_error;
  expect_everything_once();
}

// A Collector behind a load balancer is told to renew connections, so that they spread.
TEST_P(CollectorManners, EndingOldConnectionsItGetsEverything) {
  start_collector({.grpc_settings = "keepalive: {server_parameters: {max_connection_age: 50ms}}",
                   .http_settings = "keepalive: {idle_timeout: 5ms}"});
  Config with = config(GetParam());
  with.pool_size = 64U << 20U;
  start(with);
  record_in_rounds(60, 100, 5000);
  expect_everything_and_hardly_ever_twice();
}

TEST_P(CollectorManners, EndingOldConnectionsOverTlsItGetsEverything) {
  const auto certificates = support::make_certificates(directory_.path());
  ASSERT_TRUE(certificates.has_value()) << certificates.error().message();
  start_collector({.tls = {certificates->server_certificate_path, certificates->server_key_path},
                   .grpc_settings = "keepalive: {server_parameters: {max_connection_age: 50ms}}",
                   .http_settings = "keepalive: {idle_timeout: 5ms}"});
  Config with = config(GetParam());
  with.pool_size = 64U << 20U;
  with.otlp.certificate = certificates->ca_path;
  start(with);
  record_in_rounds(30, 100, 5000);
  expect_everything_and_hardly_ever_twice();
}

INSTANTIATE_TEST_SUITE_P(Ways, CollectorManners, testing::Values(grpc, http_gzip), name_of_way);

}  // namespace
}  // namespace arca::integration
