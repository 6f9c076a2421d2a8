// What both transports owe to their user, over real sockets.
#include <gtest/gtest.h>

#include <atomic>

#include "fakes/answers.hpp"
#include "fakes/grpc_server.hpp"
#include "fakes/raw_server.hpp"
#include "net/grpc_transport.hpp"
#include "net/http_transport.hpp"

namespace arca::net {
namespace {

using fakes::Answers;
using fakes::ask;
using fakes::GrpcAnswer;
using fakes::GrpcCall;
using fakes::GrpcServer;
using fakes::RawConnection;
using fakes::RawServer;

os::SystemClock system_clock_;
constexpr const char* method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

model::Payload payload_of(std::string_view text) { return model::Payload::copy_of(base::as_bytes(text)); }
std::string text_of(const std::vector<std::byte>& bytes) { return std::string(base::as_text(bytes)); }

std::unique_ptr<GrpcTransport> grpc_to(const std::string& target, bool gzip = false) {
  TransportOptions options;
  options.target = target;
  options.path = method;
  options.gzip = gzip;
  options.user_agent = "arca/test";
  return std::move(GrpcTransport::create(options, system_clock_).value());
}

std::unique_ptr<HttpTransport> http_to(const std::string& url, bool gzip = false) {
  TransportOptions options;
  options.target = url;
  options.gzip = gzip;
  options.user_agent = "arca/test";
  return std::move(HttpTransport::create(options, system_clock_).value());
}

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

}  // namespace
}  // namespace arca::net
