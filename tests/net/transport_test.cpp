// What both transports owe to their user, over real sockets.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "fakes/answers.hpp"
#include "fakes/grpc_server.hpp"
#include "fakes/raw_server.hpp"
#include "net/transports.hpp"

namespace arca::net {
namespace {

using fakes::Answers;
using fakes::ask;
using fakes::GrpcAnswer;
using fakes::GrpcCall;
using fakes::GrpcServer;
using fakes::RawConnection;
using fakes::RawServer;

TEST(GrpcTransport, AnAnsweredCallCarriesStatusAndMessage) {
  GrpcCall seen;
  GrpcServer server([&](const GrpcCall& call) {
    seen = call;
    GrpcAnswer answer;
    answer.response = "hello";
    return answer;
  });
  auto transport = grpc_to(server.host_and_port());
  const Response response = ask(*transport, payload_of("a request"), std::chrono::seconds(5), {{"arca-chunk-id", "7"}});
  EXPECT_EQ(response.outcome, Outcome::answered) << response.message;
  EXPECT_EQ(response.status, 0);
  EXPECT_EQ(text_of(response.body), "hello");
  EXPECT_EQ(seen.method, method);
  EXPECT_EQ(seen.request, "a request");
  EXPECT_EQ(seen.metadata.find("arca-chunk-id")->second, "7");
}

TEST(GrpcTransport, AThousandRequestsShareOneConnection) {
  std::atomic<int> served{0};
  GrpcServer server([&](const GrpcCall&) {
    ++served;
    return GrpcAnswer{};
  });
  auto transport = grpc_to(server.host_and_port());
  Answers answers;
  for (int i = 0; i < 1000; ++i)
    transport->send(payload_of(std::string(1000, 'x')), {}, std::chrono::seconds(20), answers.take());
  const auto all = answers.wait(1000);
  ASSERT_EQ(all.size(), 1000U);
  for (const auto& response : all) {
    ASSERT_EQ(response.outcome, Outcome::answered) << response.message;
    ASSERT_EQ(response.status, 0);
  }
  EXPECT_EQ(served, 1000);
}

TEST(HttpTransport, AnAnsweredRequestCarriesStatusAndBody) {
  std::string head, body;
  RawServer server([&](RawConnection& connection) {
    while (connection.read_request()) {
      head = connection.head;
      body = connection.body;
      connection.answer(200, "OK", "", "fine");
    }
  });
  auto transport = http_to(server.url());
  const Response response = ask(*transport, payload_of("a request"), std::chrono::seconds(5), {{"arca-chunk-id", "7"}});
  EXPECT_EQ(response.outcome, Outcome::answered) << response.message;
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(text_of(response.body), "fine");
  EXPECT_EQ(body, "a request");
  EXPECT_NE(head.find("arca-chunk-id: 7"), std::string::npos) << head;
  EXPECT_NE(head.find("Content-Type: application/x-protobuf"), std::string::npos) << head;
}

TEST(HttpTransport, AThousandRequestsShareAFewConnections) {
  RawServer server([&](RawConnection& connection) {
    while (connection.read_request()) connection.answer(200, "OK", "", "");
  });
  auto transport = http_to(server.url());
  for (int i = 0; i < 250; ++i) {
    Answers answers;
    for (int k = 0; k < 4; ++k) transport->send(payload_of("x"), {}, std::chrono::seconds(5), answers.take());
    for (const auto& response : answers.wait(4)) ASSERT_EQ(response.status, 200) << response.message;
  }
  EXPECT_LE(server.connection_count(), 4);
}

TEST(GrpcTransport, EveryStatusArrivesWithMessageAndDetails) {
  int status = 0;
  GrpcServer server([&](const GrpcCall&) {
    GrpcAnswer answer;
    answer.status = status;
    answer.message = "100 % \n odd \xC3\xA9";
    answer.details = std::string("\x08\x0E\x00\xFF", 4);
    return answer;
  });
  auto transport = grpc_to(server.host_and_port());
  for (status = 1; status <= 16; ++status) {
    const Response response = ask(*transport, payload_of("x"));
    EXPECT_EQ(response.outcome, Outcome::answered);
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.message, "100 % \n odd \xC3\xA9");
    EXPECT_EQ(text_of(response.grpc_status_details), std::string("\x08\x0E\x00\xFF", 4));
  }
}

TEST(GrpcTransport, EightMegabytesArriveIntactWithAndWithoutGzip) {
  std::string big;
  for (int i = 0; big.size() < (8U << 20U); ++i) big += "span " + std::to_string(i) + ";";
  std::mutex mutex;  // the answer comes after it anyway, but ThreadSanitizer does not see that order
  std::string seen;
  GrpcServer server([&](const GrpcCall& call) {
    const std::lock_guard lock(mutex);
    seen = call.request;
    return GrpcAnswer{};
  });
  for (const bool gzip : {false, true}) {
    seen.clear();
    auto transport = grpc_to(server.host_and_port(), gzip);
    const Response response = ask(*transport, payload_of(big));
    EXPECT_EQ(response.status, 0) << response.message;
    EXPECT_EQ(response.outcome, Outcome::answered) << response.message;
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(seen == big) << "gzip: " << gzip;
  }
}

TEST(GrpcTransport, SlicesArriveAsOneMessage) {
  std::string seen;
  GrpcServer server([&](const GrpcCall& call) {
    seen = call.request;
    return GrpcAnswer{};
  });
  const std::vector<base::Bytes> slices{base::as_bytes("one,"), {}, base::as_bytes("two,"), base::as_bytes("three")};
  for (const bool gzip : {false, true}) {
    auto transport = grpc_to(server.host_and_port(), gzip);
    ask(*transport, model::Payload::borrow(slices, nullptr));
    EXPECT_EQ(seen, "one,two,three");
  }
}

TEST(GrpcTransport, TheServerMayRestartBetweenRequests) {
  int port = 0;
  std::unique_ptr<GrpcTransport> transport;
  for (int i = 0; i < 4; ++i) {
    GrpcServer server([](const GrpcCall&) { return GrpcAnswer{}; }, nullptr, port);
    if (i == 0) {
      port = server.port();
      transport = grpc_to(server.host_and_port());
    }
    Answers answers;
    for (int k = 0; k < 4; ++k) transport->send(payload_of("x"), {}, std::chrono::seconds(5), answers.take());
    for (const auto& response : answers.wait(4)) {
      EXPECT_EQ(response.outcome, Outcome::answered) << i << ": " << response.message;
      EXPECT_EQ(response.status, 0);
    }
  }
}

TEST(GrpcTransport, SilenceEndsWithinTheTimeOutAndDoesNotPoisonTheNextRequest) {
  RawServer black_hole([&](RawConnection& connection) { connection.stay_silent(); });
  auto transport = grpc_to(black_hole.host_and_port());
  const auto before = std::chrono::steady_clock::now();
  const Response response = ask(*transport, payload_of("x"), std::chrono::milliseconds(500));
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_EQ(response.outcome, Outcome::no_answer);
  EXPECT_GE(took, std::chrono::milliseconds(495));
  EXPECT_LE(took, std::chrono::milliseconds(600));
  EXPECT_NE(response.message.find("no answer within"), std::string::npos) << response.message;
  ask(*transport, payload_of("x"), std::chrono::milliseconds(300));
  EXPECT_EQ(black_hole.connection_count(), 2) << "the second request went into the same black hole";
}

TEST(GrpcTransport, ARudePeerIsNoAnswer) {
  RawServer resets([](RawConnection& connection) {
    connection.read_exactly(64);
    connection.reset();
  });
  RawServer rubbish([](RawConnection& connection) {
    connection.read_exactly(24);
    connection.write(std::string(4096, '\xFF'));
    connection.stay_silent();
  });
  for (const RawServer* server : {&resets, &rubbish}) {
    auto transport = grpc_to(server->host_and_port());
    const Response response = ask(*transport, payload_of(std::string(100000, 'x')), std::chrono::seconds(3));
    EXPECT_EQ(response.outcome, Outcome::no_answer) << response.message;
    EXPECT_FALSE(response.message.empty());
  }
}

TEST(Transport, ARefusedPortIsNotSent) {
  int port = 0;
  {
    port = RawServer([](RawConnection&) {}).port();
  }
  const std::string target = "127.0.0.1:" + std::to_string(port);
  EXPECT_EQ(ask(*grpc_to(target), payload_of("x")).outcome, Outcome::not_sent);
  const Response response = ask(*http_to("http://" + target + "/"), payload_of("x"));
  EXPECT_EQ(response.outcome, Outcome::not_sent);
  EXPECT_NE(response.message.find("refused"), std::string::npos) << response.message;
}

TEST(Transport, AnUnknownHostIsNotSent) {
  const auto limit = std::chrono::milliseconds(2000);
  EXPECT_EQ(ask(*grpc_to("no-such-host.invalid:4317"), payload_of("x"), limit).outcome, Outcome::not_sent);
  EXPECT_EQ(ask(*http_to("http://no-such-host.invalid:4318/"), payload_of("x"), limit).outcome, Outcome::not_sent);
}

TEST(Transport, CancelAllEndsWhatIsUnderWay) {
  RawServer black_hole([](RawConnection& connection) { connection.stay_silent(); });
  std::unique_ptr<Transport> transports[] = {grpc_to(black_hole.host_and_port()), http_to(black_hole.url())};
  for (auto& transport : transports) {
    Answers answers;
    for (int i = 0; i < 4; ++i) transport->send(payload_of("x"), {}, std::chrono::seconds(30), answers.take());
    transport->cancel_all();
    const auto all = answers.wait(4, std::chrono::seconds(2));
    ASSERT_EQ(all.size(), 4U);
    for (const auto& response : all) EXPECT_NE(response.outcome, Outcome::answered);
  }
}

TEST(Transport, TheDestructorEndsWhatIsUnderWay) {
  RawServer black_hole([](RawConnection& connection) { connection.stay_silent(); });
  for (const bool http : {false, true}) {
    Answers answers;
    const auto before = std::chrono::steady_clock::now();
    {
      std::unique_ptr<Transport> transport;
      if (http)
        transport = http_to(black_hole.url());
      else
        transport = grpc_to(black_hole.host_and_port());
      for (int i = 0; i < 4; ++i) transport->send(payload_of("x"), {}, std::chrono::seconds(30), answers.take());
    }
    EXPECT_EQ(answers.wait(4, std::chrono::milliseconds(0)).size(), 4U);
    EXPECT_LE(std::chrono::steady_clock::now() - before, std::chrono::seconds(1));
  }
}

TEST(Transport, CloseReturnsWhenEverybodyHasBeenCalledBackAndSendsNothingAfterwards) {
  RawServer black_hole([](RawConnection& connection) { connection.stay_silent(); });
  std::unique_ptr<Transport> transports[] = {grpc_to(black_hole.host_and_port()), http_to(black_hole.url())};
  for (auto& transport : transports) {
    Answers answers;
    for (int i = 0; i < 4; ++i) transport->send(payload_of("x"), {}, std::chrono::seconds(30), answers.take());
    transport->close();
    EXPECT_EQ(answers.wait(4, std::chrono::milliseconds(0)).size(), 4U);
    transport->send(payload_of("late"), {}, std::chrono::seconds(30), answers.take());
    const auto all = answers.wait(5, std::chrono::milliseconds(0));
    ASSERT_EQ(all.size(), 5U);
    EXPECT_EQ(all[4].outcome, Outcome::not_sent);
    transport->close();
  }
}

TEST(Transport, OptionsThatCannotWorkAreRefusedWithAReason) {
  TransportOptions options;
  options.target = "http://x";
  options.path = method;
  EXPECT_FALSE(GrpcTransport::create(options, test_clock()).has_value());
  options.target = "x:1";
  EXPECT_FALSE(HttpTransport::create(options, test_clock()).has_value());
  options.headers = {{"name", "a\r\nb: c"}};
  const auto split_line = GrpcTransport::create(options, test_clock());
  ASSERT_FALSE(split_line.has_value());
  EXPECT_NE(split_line.error().message().find("'name'"), std::string::npos);
  options.headers = {{"na me", "x"}};
  EXPECT_FALSE(GrpcTransport::create(options, test_clock()).has_value());
  options.headers.clear();
  options.tls_options.client_cert_file = "/tmp/cert.pem";
  EXPECT_FALSE(GrpcTransport::create(options, test_clock()).has_value());
}

}  // namespace
}  // namespace arca::net
