// The retry tables of the OTLP specification, line by line, and answers that are rubbish.
#include "otlp/export_response.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <string_view>

namespace {

using namespace arca;
using namespace std::chrono_literals;
using model::Signal;
using model::Verdict;

const model::ChunkId id{{7}, 3};

// --- tiny builders of protobuf messages --------------------------------------------------------------
std::string varint(std::uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7U) text += static_cast<char>(value | 0x80U);
  return text + static_cast<char>(value);
}
std::string number(unsigned field, std::int64_t value) {
  return varint(field << 3U) + varint(static_cast<std::uint64_t>(value));
}
std::string message(unsigned field, const std::string& body) {
  return varint((field << 3U) | 2U) + varint(body.size()) + body;
}
std::string retry_info(std::int64_t seconds, std::int64_t nanos) {
  const std::string info = message(1, number(1, seconds) + number(2, nanos));
  return number(1, 14) + message(2, "slow down") +
         message(3, message(1, "type.googleapis.com/google.rpc.RetryInfo") + message(2, info));
}
std::string partial_success(std::int64_t rejected, const std::string& text) {
  return message(1, number(1, rejected) + message(2, text));
}

otlp::Answer grpc(int status, std::string_view text = "", const std::string& details = "",
                  const std::string& body = "") {
  return otlp::read_grpc_answer(id, Signal::traces, status, text, base::as_bytes(details), base::as_bytes(body));
}
otlp::Answer http(int status, std::optional<base::Duration> wait = {}, const std::string& body = "") {
  return otlp::read_http_answer(id, Signal::logs, status, wait, "reason", base::as_bytes(body));
}

TEST(ExportResponse, GrpcStatusesAreRetriedExactlyAsTheTableSays) {
  const std::set<int> retryable{1, 4, 10, 11, 14, 15};
  for (int status = -1; status <= 20; ++status) {
    const Verdict expected = status == 0                  ? Verdict::delivered
                             : retryable.contains(status) ? Verdict::retry
                                                          : Verdict::rejected;
    EXPECT_EQ(grpc(status).ack.verdict, expected) << status;
    EXPECT_EQ(grpc(status).ack.chunk_id, id);
  }
}

TEST(ExportResponse, HttpStatusesAreRetriedExactlyAsTheTableSays) {
  const std::set<int> retryable{429, 502, 503, 504};
  for (int status = 400; status < 600; ++status) {
    const Verdict expected = retryable.contains(status) ? Verdict::retry : Verdict::rejected;
    EXPECT_EQ(http(status).ack.verdict, expected) << status;
    EXPECT_EQ(http(status).too_large, status == 413);
  }
  EXPECT_EQ(http(200).ack.verdict, Verdict::delivered);
  EXPECT_EQ(http(202).ack.verdict, Verdict::delivered);
}

TEST(ExportResponse, AnAnswerThatNoOtlpServerGivesIsRetried) {
  for (const int status : {0, 100, 301, 302, 307, 600}) EXPECT_EQ(http(status).ack.verdict, Verdict::retry) << status;
}

TEST(ExportResponse, ResourceExhaustedIsRetriedOnlyWithRetryInfo) {
  EXPECT_EQ(grpc(8).ack.verdict, Verdict::rejected);
  const auto answer = grpc(8, "quota", retry_info(3, 500'000'000));
  EXPECT_EQ(answer.ack.verdict, Verdict::retry);
  EXPECT_EQ(answer.ack.retry_after, 3500ms);
  EXPECT_EQ(grpc(8, "quota", retry_info(0, 0)).ack.retry_after, 0s);
}

TEST(ExportResponse, RetryInfoDoesNotMakeOtherStatusesRetryable) {
  const auto answer = grpc(3, "", retry_info(1, 0));
  EXPECT_EQ(answer.ack.verdict, Verdict::rejected);
  EXPECT_FALSE(answer.ack.retry_after.has_value());
}

TEST(ExportResponse, WaitsAreClamped) {
  EXPECT_EQ(grpc(14, "", retry_info(-5, 0)).ack.retry_after, 0s);
  EXPECT_EQ(grpc(14, "", retry_info(3600, 0)).ack.retry_after, 5min);
  EXPECT_EQ(grpc(14, "", retry_info(INT64_MAX, INT32_MAX)).ack.retry_after, 5min);
  EXPECT_EQ(grpc(14, "", retry_info(INT64_MIN, INT32_MIN)).ack.retry_after, 0s);
  EXPECT_EQ(http(503, -1s).ack.retry_after, 0s);
  EXPECT_EQ(http(503, 301s).ack.retry_after, 5min);
  EXPECT_EQ(http(503, 7s).ack.retry_after, 7s);
  EXPECT_FALSE(http(503).ack.retry_after.has_value());
  EXPECT_FALSE(http(400, 7s).ack.retry_after.has_value());
}

TEST(ExportResponse, ARequestThatIsTooLargeIsToldFromAQuota) {
  EXPECT_TRUE(grpc(8, "grpc: received message larger than max (4194305 vs. 4194304)").too_large);
  EXPECT_TRUE(grpc(8, "Received message larger than max").too_large);
  EXPECT_TRUE(grpc(8, "grpc: received message after decompression larger than max (9 vs. 8)").too_large);
  EXPECT_FALSE(grpc(8, "quota").too_large);
  EXPECT_FALSE(grpc(3, "received message larger than max").too_large);
  EXPECT_FALSE(grpc(8, "received message larger than max", retry_info(1, 0)).too_large);
}

TEST(ExportResponse, PartialSuccessIsDeliveredAndCounted) {
  const auto answer = grpc(0, "", "", partial_success(5, "too old"));
  EXPECT_EQ(answer.ack.verdict, Verdict::delivered);
  EXPECT_EQ(answer.ack.refused_item_count, 5U);
  EXPECT_EQ(answer.ack.reason, "partial success: 5 spans refused: too old");
  EXPECT_EQ(http(200, {}, partial_success(2, "x")).ack.reason, "partial success: 2 log records refused: x");
  EXPECT_EQ(otlp::read_grpc_answer(id, Signal::metrics, 0, "", {}, base::as_bytes(partial_success(1, "y"))).ack.reason,
            "partial success: 1 data points refused: y");
}

TEST(ExportResponse, PartialSuccessWithoutRefusalIsAWarning) {
  const auto answer = grpc(0, "", "", partial_success(0, "please upgrade"));
  EXPECT_EQ(answer.ack.refused_item_count, 0U);
  EXPECT_EQ(answer.ack.reason, "delivered with a warning: please upgrade");
  EXPECT_EQ(grpc(0).ack.reason, "");
}

TEST(ExportResponse, RefusedCountsOutsideTheirRangeAreClamped) {
  EXPECT_EQ(grpc(0, "", "", partial_success(-1, "")).ack.refused_item_count, 0U);
  EXPECT_EQ(grpc(0, "", "", partial_success(INT64_MAX, "")).ack.refused_item_count, UINT32_MAX);
}

TEST(ExportResponse, ASuccessWithAnUnreadableBodyIsDelivered) {
  const auto answer = http(200, {}, "<html>ok</html>");
  EXPECT_EQ(answer.ack.verdict, Verdict::delivered);
  EXPECT_NE(answer.ack.reason.find("not an OTLP response"), std::string::npos);
}

TEST(ExportResponse, ReasonsNameStatusAndMessage) {
  EXPECT_EQ(grpc(14, "shutting down").ack.reason, "UNAVAILABLE: shutting down");
  EXPECT_EQ(grpc(14, "", retry_info(1, 0)).ack.reason, "UNAVAILABLE: slow down");
  EXPECT_EQ(http(400, {}, message(2, "bad span")).ack.reason, "HTTP 400 reason: bad span");
  EXPECT_EQ(grpc(99).ack.reason, "gRPC status 99: ");
  EXPECT_LT(grpc(14, std::string(100'000, '\xFF')).ack.reason.size(), 2000U);
}

TEST(ExportResponse, RubbishAlwaysGetsAVerdict) {
  std::mt19937 random(4711);
  const std::string seeds[] = {retry_info(3, 4), partial_success(5, "text"), ""};
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = seeds[random() % 3];
    for (unsigned j = random() % 8; j > 0; --j) bytes += static_cast<char>(random());
    for (unsigned j = random() % 4; j > 0 && !bytes.empty(); --j)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    bytes.resize(bytes.empty() ? 0 : random() % (bytes.size() + 1));
    EXPECT_EQ(grpc(0, bytes, bytes, bytes).ack.verdict, Verdict::delivered);
    EXPECT_EQ(grpc(14, bytes, bytes, bytes).ack.verdict, Verdict::retry);
    EXPECT_NE(grpc(8, bytes, bytes, bytes).ack.verdict, Verdict::delivered);
    EXPECT_EQ(http(503, {}, bytes).ack.verdict, Verdict::retry);
  }
}

}  // namespace
