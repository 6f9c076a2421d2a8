// What GrpcTransport makes of everything that HTTP/2 lets a server do to a connection or a stream.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "fakes/answers.hpp"
#include "fakes/http2_peer.hpp"
#include "fakes/raw_server.hpp"
#include "net/transports.hpp"

namespace arca::net {
namespace {

using fakes::Answers;
using fakes::ask;
using fakes::Http2Peer;
using fakes::RawConnection;
using fakes::RawServer;

// As nghttp2 defends itself since CVE-2023-44487, but without the 33 a second that it forgives.
constexpr int resets_forgiven = 1000;

TEST(Http2Manners, AServerThatCountsResetsNeverHasReasonToGoAway) {
  std::atomic<int> resets_most = 0;
  RawServer server([&](RawConnection& connection) {
    Http2Peer peer(connection);
    while (const auto stream = peer.next_request()) {
      resets_most = std::max(resets_most.load(), peer.reset_count());
      if (peer.reset_count() > resets_forgiven) return peer.go_away(*stream, Http2Peer::internal_error);
      peer.answer(*stream);
    }
  });
  auto transport = grpc_to(server.host_and_port());
  constexpr int batch = 4;
  for (int i = 0; i < 3000; i += batch) {
    Answers answers;
    for (int k = 0; k < batch; ++k) transport->send(payload_of("x"), {}, std::chrono::seconds(10), answers.take());
    for (const auto& response : answers.wait(batch)) {
      ASSERT_EQ(response.outcome, Outcome::answered) << "request " << i << ": " << response.message;
      ASSERT_EQ(response.status, 0);
    }
  }
  EXPECT_LE(resets_most, resets_forgiven / 2);
  EXPECT_LE(server.connection_count(), 7) << "a connection is to be used for many requests";
}

TEST(Http2Manners, RequestsBeyondTheShareOfAConnectionWaitForTheNextOne) {
  RawServer server([&](RawConnection& connection) {
    Http2Peer peer(connection);
    while (const auto stream = peer.next_request()) peer.answer(*stream);
  });
  auto transport = grpc_to(server.host_and_port());
  constexpr std::size_t count = 2000;
  Answers answers;
  for (std::size_t i = 0; i < count; ++i)
    transport->send(payload_of("x"), {}, std::chrono::seconds(20), answers.take());
  const auto all = answers.wait(count);
  ASSERT_EQ(all.size(), count);
  for (const auto& response : all) ASSERT_EQ(response.outcome, Outcome::answered) << response.message;
}

TEST(Http2Manners, AResetStreamIsNoAnswerAndHarmsNoOther) {
  RawServer server([&](RawConnection& connection) {
    Http2Peer peer(connection);
    for (bool first = true; const auto stream = peer.next_request(); first = false) {
      if (first)
        peer.reset(*stream, Http2Peer::internal_error);
      else
        peer.answer(*stream);
    }
  });
  auto transport = grpc_to(server.host_and_port());
  const Response response = ask(*transport, payload_of("x"));
  EXPECT_EQ(response.outcome, Outcome::no_answer);
  EXPECT_FALSE(response.message.empty());
  EXPECT_EQ(ask(*transport, payload_of("x")).outcome, Outcome::answered);
  EXPECT_EQ(server.connection_count(), 1);
}

TEST(Http2Manners, ARefusalWhileWeStillSendCarriesItsStatus) {
  RawServer server([&](RawConnection& connection) {
    Http2Peer peer(connection);
    if (const auto stream = peer.next_beginning()) peer.refuse(*stream, "12");
    connection.stay_silent();
  });
  auto transport = grpc_to(server.host_and_port());
  const Response response = ask(*transport, payload_of(std::string(1U << 20U, 'x')), std::chrono::seconds(3));
  EXPECT_EQ(response.outcome, Outcome::answered) << response.message;
  EXPECT_EQ(response.status, 12);
}

TEST(Http2Manners, AfterAGoAwayTheNextRequestHasANewConnection) {
  RawServer server([&](RawConnection& connection) {
    Http2Peer peer(connection);
    if (const auto stream = peer.next_request()) peer.answer(*stream);
    if (const auto stream = peer.next_request()) peer.go_away(*stream - 2, Http2Peer::no_error);
    connection.stay_silent();
  });
  auto transport = grpc_to(server.host_and_port());
  EXPECT_EQ(ask(*transport, payload_of("x")).outcome, Outcome::answered);
  EXPECT_NE(ask(*transport, payload_of("x"), std::chrono::seconds(3)).outcome, Outcome::answered);
  EXPECT_EQ(ask(*transport, payload_of("x")).outcome, Outcome::answered);
  EXPECT_EQ(server.connection_count(), 2);
}

TEST(Http2Manners, AGoAwayBehindTheAnswerDoesNotTakeTheAnswerAway) {
  RawServer server([&](RawConnection& connection) {
    Http2Peer peer(connection);
    if (const auto stream = peer.next_request()) peer.answer_and_go_away(*stream, Http2Peer::no_error);
    connection.stay_silent();
  });
  auto transport = grpc_to(server.host_and_port());
  for (int i = 0; i < 3; ++i) {
    // libcurl before 8.0 drops the trailers; the message stands for them.
    const Response response = ask(*transport, payload_of("x"), std::chrono::seconds(3));
    EXPECT_EQ(response.outcome, Outcome::answered) << response.message;
    EXPECT_EQ(response.status, 0);
  }
  EXPECT_EQ(server.connection_count(), 3);
}

}  // namespace
}  // namespace arca::net
