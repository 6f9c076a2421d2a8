// The sink over real sockets, asked by Arca's own transports: it counts exactly and misbehaves as told.
#include "cli/sink/sink_server.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/otlp_request.hpp"
#include "net/grpc_transport.hpp"
#include "net/http_transport.hpp"
#include "support/temporary_directory.hpp"
#include "support/wait.hpp"

namespace arca::cli::sink {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;
enum class Way { grpc, http };

class SinkServerTest : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override { start({}); }
  void TearDown() override { stop(); }

  void start(SinkOptions options) {
    stop();
    loop_ = std::make_unique<EventLoop>(clock_);
    stopping_ = false;
    auto server = SinkServer::open(options, *loop_);
    ASSERT_TRUE(server) << server.error().message();
    server_ = std::move(*server);
    thread_ = std::thread([this] {
      while (!stopping_) loop_->step(5ms);
    });
    connect();
  }
  void stop() {
    transport_.reset();
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    server_.reset();
  }
  void connect(bool gzip = false) {
    net::TransportOptions options;
    options.gzip = gzip;
    if (GetParam() == Way::grpc) {
      options.target = "127.0.0.1:" + std::to_string(server_->ports().grpc);
      options.path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
      transport_ = std::move(*net::GrpcTransport::create(options, clock_));
    } else {
      options.target = "http://127.0.0.1:" + std::to_string(server_->ports().http) + "/v1/traces";
      transport_ = std::move(*net::HttpTransport::create(options, clock_));
    }
  }
  net::Response send(const std::string& request, const std::string& chunk = "w-1", base::Duration timeout = 20s) {
    std::promise<net::Response> answer;
    transport_->send(model::Payload::copy_of(base::as_bytes(request)), {{"arca-chunk-id", chunk}}, timeout,
                     [&](net::Response response) { answer.set_value(std::move(response)); });
    return answer.get_future().get();
  }
  // On the loop's own thread, as the control port would.
  template <class Function>
  auto ask(Function function) {
    std::packaged_task<decltype(function())()> task(function);
    auto result = task.get_future();
    stopping_ = true;
    thread_.join();
    task();
    stopping_ = false;
    thread_ = std::thread([this] {
      while (!stopping_) loop_->step(5ms);
    });
    return result.get();
  }
  void behave(const std::string& text) {
    const auto behaviour = parse_behaviour(text);
    ASSERT_TRUE(behaviour) << behaviour.error().message();
    ask([&] {
      server_->behave(*behaviour);
      return 0;
    });
  }
  Json traces() {
    return ask([&] { return server_->report()["signals"]["traces"]; });
  }
  [[nodiscard]] bool is_grpc() const { return GetParam() == Way::grpc; }
  [[nodiscard]] bool succeeded(const net::Response& response) const {
    return response.outcome == net::Outcome::answered && response.status == (is_grpc() ? 0 : 200);
  }

  os::SystemClock clock_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<SinkServer> server_;
  std::unique_ptr<net::Transport> transport_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
  support::TemporaryDirectory directory_;
};
INSTANTIATE_TEST_SUITE_P(Ways, SinkServerTest, ::testing::Values(Way::grpc, Way::http),
                         [](const auto& way) { return way.param == Way::grpc ? "grpc" : "http"; });

TEST_P(SinkServerTest, CountsWhatItTook) {
  for (std::uint64_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(succeeded(send(testing::spans("a", i * 10 + 1, i * 10 + 10), "w-" + std::to_string(i))));
  }
  ASSERT_TRUE(succeeded(send(testing::spans("a", 1, 10), "w-0")));
  const Json counts = traces();
  EXPECT_EQ(counts["requests"], 21);
  EXPECT_EQ(counts["items"], 210);
  EXPECT_EQ(counts["unique"], 200);
  EXPECT_EQ(counts["duplicates"], 10);
  EXPECT_EQ(ask([&] { return server_->report(); })["chunks"]["duplicates"], 1);
}

TEST_P(SinkServerTest, TakesGzip) {
  connect(true);
  const std::string request = testing::spans("a", 1, 2000);
  ASSERT_TRUE(succeeded(send(request)));
  EXPECT_EQ(traces()["items"], 2000);
  EXPECT_EQ(traces()["payload_bytes"], request.size());
  EXPECT_LT(traces()["wire_bytes"].get<std::size_t>(), request.size() / 2);
}

TEST_P(SinkServerTest, LargeRequestsComeThrough) {
  const std::string request = testing::spans(std::string(300, 's'), 1, 20'000);  // about 7 MB
  ASSERT_TRUE(succeeded(send(request)));
  EXPECT_EQ(traces()["unique"], 20'000);
}

TEST_P(SinkServerTest, RubbishIsAnsweredAndNotTaken) {
  const net::Response response = send("this is no request");
  EXPECT_EQ(response.status, is_grpc() ? 3 : 400);
  EXPECT_EQ(traces()["malformed_requests"], 1);
  EXPECT_EQ(traces()["requests"], 0);
}

TEST_P(SinkServerTest, ErrorsCarryTheirCodeAndTheirWait) {
  behave("resource_exhausted retry-info=2500ms message=busy count=1");
  const net::Response response = send(testing::spans("a", 1, 3));
  EXPECT_EQ(response.status, is_grpc() ? 8 : 429);
  if (is_grpc()) {
    EXPECT_EQ(response.message, "busy");
    EXPECT_NE(base::as_text(response.grpc_status_details).find("google.rpc.RetryInfo"), std::string_view::npos);
  }
  EXPECT_EQ(traces()["items"], 0);
  EXPECT_EQ(traces()["turned_away_requests"], 1);
  EXPECT_TRUE(succeeded(send(testing::spans("a", 1, 3))));
}

TEST_P(SinkServerTest, HttpStatusComesWithRetryAfter) {
  if (is_grpc()) return;
  behave("status 503 retry-after=7");
  const net::Response response = send(testing::spans("a", 1, 3));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.retry_after, base::Duration(7s));
}

TEST_P(SinkServerTest, PartialSuccessTakesAllAndSaysHowManyItDidNot) {
  behave("partial 2 bad luck");
  const net::Response response = send(testing::spans("a", 1, 5));
  ASSERT_TRUE(succeeded(response));
  const std::string wanted = testing::field(1, testing::integer_field(1, 2) + testing::field(2, "bad luck"));
  EXPECT_EQ(base::as_text(response.body), wanted);
  EXPECT_EQ(traces()["told_rejected"], 2);
}

TEST_P(SinkServerTest, CloseTakesTheRequestAndHidesTheAnswer) {
  behave("close count=1");
  EXPECT_EQ(send(testing::spans("a", 1, 5)).outcome, net::Outcome::no_answer);
  EXPECT_EQ(traces()["items"], 5);
  EXPECT_TRUE(succeeded(send(testing::spans("a", 1, 5))));
  EXPECT_EQ(traces()["duplicates"], 5);
}

TEST_P(SinkServerTest, ResetTakesNothing) {
  behave("reset count=1");
  EXPECT_NE(send(testing::spans("a", 1, 5000)).outcome, net::Outcome::answered);
  EXPECT_EQ(traces()["items"], 0);
  EXPECT_EQ(ask([&] { return server_->report(); })["faults"]["reset"], 1);
}

TEST_P(SinkServerTest, AbortAndStallGiveNoAnswer) {
  behave("abort");
  EXPECT_FALSE(succeeded(send(testing::spans("a", 1, 5))));
  behave("stall");
  EXPECT_EQ(send(testing::spans("a", 1, 5), "w-1", 300ms).outcome, net::Outcome::no_answer);
  EXPECT_EQ(traces()["items"], 0);
}

TEST_P(SinkServerTest, GoawayAndHangupAnswerFirst) {
  for (const char* how : {"goaway", "hangup"}) {
    behave(how);
    for (int round = 0; round < 3; ++round) {
      const net::Response response = send(testing::spans("a", 1, 5));
      EXPECT_TRUE(succeeded(response)) << how << ": " << response.status << " " << response.message;
    }
  }
}

TEST_P(SinkServerTest, RubbishAndBigBodiesAreSuccessAllTheSame) {
  behave("rubbish");
  const net::Response rubbish = send(testing::spans("a", 1, 5));
  EXPECT_TRUE(succeeded(rubbish));
  EXPECT_FALSE(rubbish.body.empty());
  behave("big 100kB");
  EXPECT_GT(send(testing::spans("a", 1, 5)).body.size(), 100'000U);
}

TEST_P(SinkServerTest, RefusedConnectionsComeBackOnTheSamePort) {
  ASSERT_TRUE(succeeded(send(testing::spans("a", 1, 5))));
  behave("refuse");
  EXPECT_NE(send(testing::spans("a", 6, 7)).outcome, net::Outcome::answered);
  behave("ok");
  EXPECT_TRUE(support::wait_until([&] { return succeeded(send(testing::spans("a", 6, 7))); }));
  EXPECT_EQ(traces()["items"], 7);
}

TEST_P(SinkServerTest, ScheduleFlapsByItself) {
  SinkOptions options;
  options.schedule = *parse_schedule("0s unavailable; 50ms ok; 100ms repeat");
  start(options);
  bool failed = false, worked = false;
  EXPECT_TRUE(support::wait_until([&] {
    const bool fine = succeeded(send(testing::spans("a", 1, 1)));
    (fine ? worked : failed) = true;
    return worked && failed;
  }));
  worked = failed = false;  // and again: it repeats
  EXPECT_TRUE(support::wait_until([&] {
    (succeeded(send(testing::spans("a", 1, 1))) ? worked : failed) = true;
    return worked && failed;
  }));
}

TEST_P(SinkServerTest, BandwidthLimitSlowsTheSender) {
  SinkOptions options;
  options.bytes_per_second_max = 1'000'000;
  start(options);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(succeeded(send(testing::spans(std::string(200, 's'), 1, 2000))));  // about 0.5 MB
  EXPECT_GT(std::chrono::steady_clock::now() - begin, 300ms);
}

TEST_P(SinkServerTest, WritesReportAndRequests) {
  SinkOptions options;
  options.report_path = directory_ / "report.json";
  options.write_path = directory_ / "requests";
  start(options);
  const std::string request = testing::spans("a", 1, 3);
  ASSERT_TRUE(succeeded(send(request)));
  ASSERT_TRUE(ask([&] { return server_->write_report(); }));
  std::ifstream report(options.report_path);
  EXPECT_EQ(Json::parse(report)["signals"]["traces"]["items"], 3);
  std::ifstream file(options.write_path, std::ios::binary);
  const std::string written((std::istreambuf_iterator<char>(file)), {});
  ASSERT_EQ(written.size(), request.size() + 5);
  EXPECT_EQ(base::load<std::uint32_t>(base::as_bytes(written).data()), request.size());
  EXPECT_EQ(written[4], 0);
  EXPECT_EQ(written.substr(5), request);
}

TEST(SinkServerOpenTest, TakenPortIsBusy) {
  os::SystemClock clock;
  EventLoop loop(clock);
  const auto first = SinkServer::open({}, loop);
  ASSERT_TRUE(first);
  SinkOptions options;
  options.grpc_port = (*first)->ports().grpc;
  const auto second = SinkServer::open(options, loop);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::busy);
}

}  // namespace
}  // namespace arca::cli::sink
