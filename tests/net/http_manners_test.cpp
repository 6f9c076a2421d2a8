// How HttpTransport takes what servers do, good and bad.
#include <gtest/gtest.h>

#include <atomic>

#include "fakes/answers.hpp"
#include "fakes/raw_server.hpp"
#include "net/gzip.hpp"
#include "net/transports.hpp"

namespace arca::net {
namespace {

using fakes::Answers;
using fakes::ask;
using fakes::RawConnection;
using fakes::RawServer;

RawServer::Manners always(int status, std::string headers, std::string body) {
  return [=](RawConnection& connection) {
    while (connection.read_request()) connection.answer(status, "Because", headers, body);
  };
}

TEST(HttpManners, EveryStatusArrivesWithReasonAndBody) {
  for (const int status : {200, 202, 301, 400, 401, 403, 404, 413, 429, 500, 502, 503, 504}) {
    RawServer server(always(status, status == 301 ? "Location: http://127.0.0.1:1/\r\n" : "", "body"));
    const Response response = ask(*http_to(server.url()), payload_of("x"));
    EXPECT_EQ(response.outcome, Outcome::answered) << response.message;
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.message, "Because");
    EXPECT_EQ(text_of(response.body), "body");
    EXPECT_EQ(server.connection_count(), 1) << "a redirect must not be followed";
  }
}

TEST(HttpManners, RetryAfterIsReadAsSecondsOrDate) {
  const auto wait_of = [](const std::string& value) {
    RawServer server(always(503, "Retry-After: " + value + "\r\n", ""));
    return ask(*http_to(server.url()), payload_of("x")).retry_after;
  };
  EXPECT_EQ(wait_of("17"), std::chrono::seconds(17));
  EXPECT_EQ(wait_of("0"), std::chrono::seconds(0));
  EXPECT_GT(wait_of("99999999999999999999"), std::chrono::hours(24));
  EXPECT_GT(wait_of("Sun, 06 Nov 2044 08:49:37 GMT"), std::chrono::hours(24 * 365));
  EXPECT_EQ(wait_of("Sun, 06 Nov 1994 08:49:37 GMT"), std::chrono::seconds(0));
  EXPECT_EQ(wait_of("-5"), std::nullopt);
  EXPECT_EQ(wait_of("soon"), std::nullopt);
}

TEST(HttpManners, AGzipBodyArrivesIntact) {
  std::string head, body;
  RawServer server([&](RawConnection& connection) {
    while (connection.read_request()) {
      head = connection.head;
      body = connection.body;
      connection.answer(200, "OK", "", "");
    }
  });
  std::string text;
  for (int i = 0; i < 50000; ++i) text += "span " + std::to_string(i * 7919) + ";";
  const Response response = ask(*http_to(server.url(), true), payload_of(text));
  EXPECT_EQ(response.status, 200) << response.message;
  EXPECT_NE(head.find("Content-Encoding: gzip"), std::string::npos);
  EXPECT_LT(body.size(), text.size() / 2);
  const auto unpacked = gunzip(base::as_bytes(body), 64U << 20U);
  ASSERT_TRUE(unpacked.has_value());
  EXPECT_TRUE(base::as_text(*unpacked) == text);
}

TEST(HttpManners, AHugeBodyIsCutAtItsBound) {
  RawServer server(always(400, "", std::string(64U << 20U, 'z')));
  const Response response = ask(*http_to(server.url()), payload_of("x"));
  EXPECT_EQ(response.outcome, Outcome::answered);
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body.size(), answer_body_size_max);
}

TEST(HttpManners, EndlessHeadersAreNoAnswer) {
  RawServer server([](RawConnection& connection) {
    connection.read_request();
    connection.write("HTTP/1.1 200 OK\r\n");
    while (connection.write("x-filler: " + std::string(1000, 'f') + "\r\n")) {
    }
  });
  const Response response = ask(*http_to(server.url()), payload_of("x"));
  EXPECT_EQ(response.outcome, Outcome::no_answer);
  EXPECT_NE(response.message.find("header"), std::string::npos) << response.message;
}

TEST(HttpManners, RubbishIsNoAnswer) {
  RawServer server([](RawConnection& connection) {
    connection.read_request();
    connection.write("\x01\x02\x03 rubbish\r\n\r\n");
  });
  EXPECT_EQ(ask(*http_to(server.url()), payload_of("x"), std::chrono::seconds(2)).outcome, Outcome::no_answer);
}

TEST(HttpManners, ACutSuccessIsNoAnswerAndACutRefusalIsARefusal) {
  for (const int status : {200, 400}) {
    RawServer server([=](RawConnection& connection) {
      connection.read_request();
      connection.write("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 100\r\n\r\nonly this");
    });
    const Response response = ask(*http_to(server.url()), payload_of("x"));
    EXPECT_EQ(response.outcome, status == 200 ? Outcome::no_answer : Outcome::answered) << response.message;
  }
}

TEST(HttpManners, AResetInTheMiddleOfTheBodyIsNoAnswer) {
  RawServer server([](RawConnection& connection) {
    connection.read_exactly(1000);
    connection.reset();
  });
  const Response response = ask(*http_to(server.url()), payload_of(std::string(8U << 20U, 'x')));
  EXPECT_EQ(response.outcome, Outcome::no_answer) << response.message;
}

// The server closes a kept connection just when the next request is on its way.
TEST(HttpManners, AConnectionThatDiedWhileKeptCostsNothing) {
  RawServer server([](RawConnection& connection) {
    connection.read_request();
    connection.answer(200, "OK", "", "");
  });
  auto transport = http_to(server.url());
  for (int i = 0; i < 50; ++i) {
    const Response response = ask(*transport, payload_of("x"));
    EXPECT_EQ(response.outcome, Outcome::answered) << response.message;
    EXPECT_EQ(response.status, 200);
  }
}

TEST(HttpManners, SilenceEndsWithinTheTimeOut) {
  RawServer mute([](RawConnection& connection) { connection.stay_silent(); });
  RawServer slow([](RawConnection& connection) {
    connection.read_request();
    for (const char c : std::string("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")) {
      if (!connection.write(std::string_view(&c, 1))) return;
      pollfd watched{connection.socket(), POLLIN, 0};
      if (::poll(&watched, 1, 200) > 0) return;  // one byte, then another one much later, unless the peer goes
    }
  });
  for (const RawServer* server : {&mute, &slow}) {
    auto transport = http_to(server->url());
    const auto before = std::chrono::steady_clock::now();
    const Response response = ask(*transport, payload_of("x"), std::chrono::milliseconds(600));
    const auto took = std::chrono::steady_clock::now() - before;
    EXPECT_EQ(response.outcome, Outcome::no_answer);
    EXPECT_GE(took, std::chrono::milliseconds(595));
    EXPECT_LE(took, std::chrono::milliseconds(720));
  }
}

TEST(HttpManners, AnAnswerPackedAsABombStaysSmall) {
  const auto packed = gzip(payload_of(std::string(64U << 20U, '\0')));
  ASSERT_TRUE(packed.has_value());
  RawServer server(always(400, "Content-Encoding: gzip\r\n", std::string(base::as_text(*packed))));
  const Response response = ask(*http_to(server.url()), payload_of("x"));
  EXPECT_EQ(response.status, 400);
  EXPECT_LE(response.body.size(), answer_body_size_max);
}

}  // namespace
}  // namespace arca::net
