// The tier behind a network that spoils what passes between it and the node: answers that never come, so that nobody
// knows what was written; answers that come late; connections that are reset. And nodes that refuse: a wrong password,
// a certificate that is over.
#include "integration/cassandra_fixture.hpp"
#include "support/tcp_proxy.hpp"

namespace arca::integration {
namespace {

using Mode = support::TcpProxy::Mode;

class CassandraNetwork : public CassandraFixture {
 protected:
  void SetUp() override {
    CassandraFixture::SetUp();
    auto proxy = support::TcpProxy::start(node_->contact_points().front(), node_->port());
    ASSERT_TRUE(proxy.has_value()) << proxy.error().message();
    proxy_ = std::move(*proxy);
  }
  Config through_proxy() const {
    Config made = with_cassandra();
    made.cassandra.contact_points = node_->contact_points().front() + ":" + std::to_string(proxy_->port());
    made.cassandra.request_timeout = seconds(2);
    return made;
  }
  // A telemetry that parks: the Collector is away.
  void start_parking() {
    start(through_proxy());
    await_ready();
    ASSERT_TRUE(collector_->kill().has_value());
    record_spans(200);
    ASSERT_TRUE(await_replicated()) << to_json(telemetry_->status());
  }
  void end_well(const std::string& fault) {
    proxy_->set_mode(Mode::pass);
    proxy_->set_delay(milliseconds(0));
    ASSERT_TRUE(await_replicated()) << to_json(telemetry_->status());
    expect_law();
    ASSERT_TRUE(collector_->restart().has_value());
    expect_all_arrived(fault);
    expect_law();
  }

  std::unique_ptr<support::TcpProxy> proxy_;
};

TEST_F(CassandraNetwork, AnswersThatNeverComeLoseNothingAndDoubleNothing) {
  start_parking();
  proxy_->set_mode(Mode::swallow_answers);
  record_spans(1000);
  // The puts arrive, and their acknowledgements don't; then they are sent again, the same statements.
  EXPECT_TRUE(support::wait_until([&] { return proxy_->swallowed_bytes() > 0; }, patience));
  EXPECT_TRUE(wait_for_status([](const Status& status) { return status.unreplicated_items >= 1000; }));
  expect_law();
  end_well("answers swallowed: outcome unknown");
  EXPECT_EQ(output_->spans().size(), output_->span_ids().size())
      << "what was written twice was one statement, and lies there once";
}

TEST_F(CassandraNetwork, ConnectionsThatAreResetAgainAndAgainLoseNothing) {
  start_parking();
  for (int round = 0; round < 5; ++round) {
    const std::uint64_t before = telemetry_->status().traces.parked;
    record_spans(300);
    proxy_->set_mode(Mode::reset);
    record_spans(300);
    proxy_->set_mode(Mode::pass);
    EXPECT_TRUE(wait_for_status([&](const Status& status) { return status.traces.parked > before; }));
  }
  end_well("connections reset again and again");
}

TEST_F(CassandraNetwork, ANodeThatAnswersSlowlyIsWaitedForAndOneThatIsSilentIsNot) {
  const QuickTiming quick;  // an unknown outcome is asked for until the segment is too old
  start_parking();
  proxy_->set_delay(milliseconds(700));
  record_spans(1000);
  EXPECT_TRUE(await_replicated()) << to_json(telemetry_->status());
  proxy_->set_mode(Mode::hold);
  record_spans(1000);
  EXPECT_TRUE(wait_for_status([](const Status& status) { return status.cassandra.failure_count > 0; }))
      << to_json(telemetry_->status());
  expect_law();
  EXPECT_GE(telemetry_->status().unreplicated_items, 1000U);
  end_well("answers late by 0.7 s, then none at all");
}

TEST_F(CassandraNetwork, NodesThatAreNotWhereTheClusterSaysAreToldByTheirAddress) {
  auto translating = support::TcpProxy::start(node_->contact_points().front(), node_->port(), "127.0.0.1");
  ASSERT_TRUE(translating.has_value()) << translating.error().message();
  Config made = with_cassandra();
  made.cassandra.contact_points = "127.0.0.1:" + std::to_string((*translating)->port());
  start(made);
  EXPECT_TRUE(wait_for_status([&](const Status& status) {
    return status.cassandra.last_error.find(node_->contact_points().front()) != std::string::npos;
  })) << to_json(telemetry_->status());
  record_spans(100);
  expect_delivered();
}

// A node of its own with passwords and certificates: who may not enter loses nothing, and says why.
class CassandraRefusal : public CassandraFixture {
 protected:
  void SetUp() override {
    auto started = support::Cassandra::start({.auth = true, .tls = true, .client_auth = true});
    ASSERT_TRUE(started.has_value()) << started.error().message();
    guarded_node_ = std::move(*started);
    use(*guarded_node_, 1);
  }
  Config allowed() const {
    Config made = with_cassandra();
    const auto certificates = guarded_node_->certificates();
    made.cassandra.user = guarded_node_->user();
    made.cassandra.password = guarded_node_->password();
    made.cassandra.certificate = certificates.ca_path;
    made.cassandra.client_certificate = certificates.client_certificate_path;
    made.cassandra.client_key = certificates.client_key_path;
    return made;
  }
  // A life in which the cluster refuses, and the next one in which it does not.
  void live_refused(const Config& refused, const std::vector<std::string>& words, const std::string& fault) {
    ASSERT_TRUE(collector_->kill().has_value());
    start(refused);
    record_spans(500);
    const auto is_told = [&](const Status& status) {
      return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
        return status.cassandra.last_error.find(word) != std::string::npos;
      });
    };
    EXPECT_TRUE(wait_for_status(is_told)) << to_json(telemetry_->status());
    EXPECT_FALSE(telemetry_->status().cassandra.ready);
    expect_law();
    EXPECT_EQ(telemetry_->status().unreplicated_items, accepted_.size() - parked_before_);
    stop();
    start(allowed());
    await_ready();
    ASSERT_TRUE(wait_for_status([](const Status& status) { return status.unreplicated_items == 0; }));
    ASSERT_TRUE(collector_->restart().has_value());
    expect_all_arrived(fault);
    stop();
    parked_before_ = accepted_.size();
  }

  std::unique_ptr<support::Cassandra> guarded_node_;
  std::size_t parked_before_ = 0;
};

TEST_F(CassandraRefusal, AWrongPasswordAndAnExpiredCertificateAreToldAndLoseNothing) {
  Config wrong_password = allowed();
  wrong_password.cassandra.password = "wrong";
  live_refused(wrong_password, {"credentials", "password", "uthentication"}, "wrong password");
  Config expired = allowed();
  expired.cassandra.client_certificate = guarded_node_->certificates().expired_client_certificate_path;
  expired.cassandra.client_key = guarded_node_->certificates().expired_client_key_path;
  live_refused(expired, {"ertificate", "TLS", "tls"}, "expired certificate");
}

}  // namespace
}  // namespace arca::integration
