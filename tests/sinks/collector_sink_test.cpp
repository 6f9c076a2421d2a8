#include "sinks/collector_sink.hpp"

#include <gtest/gtest.h>

#include "fakes/fake_clock.hpp"
#include "fakes/fake_transport.hpp"

namespace arca::sinks {
namespace {

using fakes::FakeTransport;
using model::Ack;
using model::Signal;
using model::Verdict;

net::Response answered(int status) {
  net::Response response;
  response.outcome = net::Outcome::answered;
  response.status = status;
  response.message = "status " + std::to_string(status);
  return response;
}

// In these tests a request is a text, each letter of it is an item, and the answers are HTTP's.
class CollectorSinkTest : public testing::Test {
 protected:
  CollectorSinkTest() {
    CollectorSinkOptions options;
    for (std::size_t i = 0; i < model::signal_count; ++i) {
      auto transport = std::make_unique<FakeTransport>();
      transports[i] = transport.get();
      options.routes[i].transport = std::move(transport);
      options.routes[i].read_answer = answer_reader(net::Protocol::http);
    }
    options.routes[model::index_of(Signal::logs)].timeout = std::chrono::seconds(4);
    options.split = [](const Part& part, Signal) -> std::optional<std::array<Part, 2>> {
      const auto flat = part.payload.flatten();
      if (flat.size() < 2) return std::nullopt;
      const base::Bytes bytes(flat);
      const std::size_t half = flat.size() / 2;
      return std::array<Part, 2>{
          Part{model::Payload::copy_of(bytes.first(half)), static_cast<std::uint32_t>(half)},
          Part{model::Payload::copy_of(bytes.subspan(half)), static_cast<std::uint32_t>(flat.size() - half)}};
    };
    sink = std::make_unique<CollectorSink>(std::move(options), clock);
  }
  FakeTransport& traces() { return *transports[0]; }

  void submit(std::string_view items, Signal signal = Signal::traces) {
    model::Chunk chunk;
    chunk.id = {{0xABC}, ++sequence};
    chunk.signal = signal;
    chunk.item_count = static_cast<std::uint32_t>(items.size());
    chunk.payload = model::Payload::copy_of(base::as_bytes(items));
    sink->submit(std::move(chunk), [this](Ack ack) { acks.push_back(std::move(ack)); });
  }
  // What the Collector takes: at most `size_max` letters; 'x' is bad, 'r' is to be tried later.
  void take_at_most(std::size_t size_max) {
    traces().script = [size_max](const std::vector<std::byte>& bytes) {
      const auto text = base::as_text(bytes);
      if (text.size() > size_max) return answered(413);
      if (text.find('x') != std::string_view::npos) return answered(400);
      if (text.find('r') != std::string_view::npos) return answered(503);
      return answered(200);
    };
  }

  fakes::FakeClock clock;
  std::array<FakeTransport*, model::signal_count> transports{};
  std::unique_ptr<CollectorSink> sink;
  std::vector<Ack> acks;
  std::uint64_t sequence = 0;
};

TEST_F(CollectorSinkTest, ASignalWithATimeoutOfItsOwnHasThatOne) {
  submit("aa", Signal::traces);
  submit("aa", Signal::logs);
  ASSERT_EQ(transports[0]->sent().size(), 1U);
  ASSERT_EQ(transports[model::index_of(Signal::logs)]->sent().size(), 1U);
  EXPECT_EQ(transports[0]->sent()[0].timeout, std::chrono::seconds(10));
  EXPECT_EQ(transports[model::index_of(Signal::logs)]->sent()[0].timeout, std::chrono::seconds(4));
}

TEST_F(CollectorSinkTest, ATakenChunkIsDelivered) {
  take_at_most(10);
  submit("abc");
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].verdict, Verdict::delivered);
  EXPECT_EQ(acks[0].refused_item_count, 0U);
  EXPECT_EQ(acks[0].chunk_id.sequence, 1U);
}

TEST_F(CollectorSinkTest, TheChunkIdTravelsAsAHeader) {
  take_at_most(10);
  submit("abc");
  const auto sent = traces().sent();
  ASSERT_EQ(sent.size(), 1U);
  ASSERT_EQ(sent[0].headers.size(), 1U);
  EXPECT_EQ(sent[0].headers[0].first, "arca-chunk-id");
  EXPECT_EQ(sent[0].headers[0].second, "0000000000000abc-1");
}

TEST_F(CollectorSinkTest, NotSentMayBeSentAgainAndSilenceIsUnknown) {
  submit("abc");
  submit("abc");
  net::Response response;
  response.outcome = net::Outcome::not_sent;
  response.message = "refused";
  traces().answer_next(response);
  response.outcome = net::Outcome::no_answer;
  traces().answer_next(response);
  ASSERT_EQ(acks.size(), 2U);
  EXPECT_EQ(acks[0].verdict, Verdict::retry);
  EXPECT_EQ(acks[0].reason, "refused");
  EXPECT_EQ(acks[1].verdict, Verdict::unknown);
}

TEST_F(CollectorSinkTest, CloseCallsBackForEverythingOfEverySignal) {
  submit("abc");
  submit("abc", Signal::metrics);
  submit("abc", Signal::logs);
  sink->close();
  EXPECT_EQ(acks.size(), 3U);
}

TEST_F(CollectorSinkTest, TheWindowIsFourAndOneForMetrics) {
  const auto ready = [&](Signal signal) { return sink->readiness(signal, clock.steady_now()).ready; };
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(ready(Signal::traces));
    submit("abc");
  }
  EXPECT_FALSE(ready(Signal::traces));
  EXPECT_TRUE(ready(Signal::logs));
  EXPECT_TRUE(ready(Signal::metrics));
  submit("abc", Signal::metrics);
  EXPECT_FALSE(ready(Signal::metrics));
  traces().answer_next(answered(200));
  EXPECT_TRUE(ready(Signal::traces));
  sink->cancel_all();
  EXPECT_EQ(acks.size(), 5U);
  EXPECT_TRUE(ready(Signal::metrics));
}

TEST_F(CollectorSinkTest, ATooLargeChunkIsDividedUntilItFits) {
  take_at_most(2);
  submit("abcdefgh");
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].verdict, Verdict::delivered);
  EXPECT_EQ(acks[0].refused_item_count, 0U);
  std::string taken;
  for (const auto& sent : traces().sent())
    if (sent.bytes.size() <= 2) taken += base::as_text(sent.bytes);
  EXPECT_EQ(taken, "abcdefgh");
  EXPECT_EQ(sink->status().signals[0].split_count, 3U);
}

TEST_F(CollectorSinkTest, AnItemThatIsTooLargeAloneIsRefusedAndTheRestDelivered) {
  traces().script = [](const std::vector<std::byte>& bytes) {
    const auto text = base::as_text(bytes);
    return answered(text.size() > 2 || text.find('L') != std::string_view::npos ? 413 : 200);
  };
  submit("abcLdefg");
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].verdict, Verdict::delivered);
  EXPECT_EQ(acks[0].refused_item_count, 1U);
  EXPECT_NE(acks[0].reason.find("413"), std::string::npos) << acks[0].reason;
}

TEST_F(CollectorSinkTest, AllPartsRejectedIsRejected) {
  take_at_most(1);
  submit("xx");
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].verdict, Verdict::rejected);
}

TEST_F(CollectorSinkTest, APartThatMustBeSentAgainMakesTheWholeUnknown) {
  take_at_most(2);
  submit("abrr");
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].verdict, Verdict::unknown) << "half of it was taken";
  submit("rrab");
  ASSERT_EQ(acks.size(), 2U);
  EXPECT_EQ(acks[1].verdict, Verdict::retry) << "nothing of it was taken";
}

TEST_F(CollectorSinkTest, AllPartsShareOneTimeOut) {
  submit("abcd");
  clock.advance(std::chrono::seconds(7));
  traces().answer_next(answered(413));
  const auto sent = traces().sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].timeout, std::chrono::seconds(10));
  EXPECT_EQ(sent[1].timeout, std::chrono::seconds(3));
  sink->cancel_all();
}

TEST_F(CollectorSinkTest, StatusCountsWhatHappened) {
  take_at_most(10);
  submit("abc");
  submit("x");
  submit("r");
  const CollectorStatus status = sink->status();
  const CollectorCounters& counters = status.signals[0];
  EXPECT_EQ(counters.request_count, 3U);
  EXPECT_EQ(counters.request_bytes, 5U);
  EXPECT_EQ(counters.delivered_count, 1U);
  EXPECT_EQ(counters.non_retryable_count, 1U);
  EXPECT_EQ(counters.retryable_count, 1U);
  EXPECT_EQ(counters.in_flight_count, 0U);
  EXPECT_NE(status.last_error.find("503"), std::string::npos) << status.last_error;
  EXPECT_EQ(status.last_error_at, clock.wall_now());
}

TEST_F(CollectorSinkTest, TheUserAgentNamesArcaFirst) {
  EXPECT_EQ(user_agent("0.1.0", "1.19.0"), "arca/0.1.0 OTel-OTLP-Exporter-Cpp/1.19.0");
}

TEST_F(CollectorSinkTest, CountsTheItemsUnderWay) {
  submit("abc");
  submit("de");
  EXPECT_EQ(sink->status().signals[0].in_flight_count, 2U);
  EXPECT_EQ(sink->status().signals[0].in_flight_item_count, 5U);
  ASSERT_TRUE(traces().answer_next(answered(200)));
  EXPECT_EQ(sink->status().signals[0].in_flight_item_count, 2U);
  ASSERT_TRUE(traces().answer_next(answered(503)));
  EXPECT_EQ(sink->status().signals[0].in_flight_item_count, 0U);
  EXPECT_EQ(sink->status().signals[0].sent_item_count, 5U);
}

TEST_F(CollectorSinkTest, TellsOfEachDeliveryThatEndsOnceAndHowLongItTook) {
  std::vector<DeliveryReport> told;
  sink->set_observer([&](const DeliveryReport& report) { told.push_back(report); });
  submit("abc");
  clock.advance(std::chrono::milliseconds(30));
  ASSERT_TRUE(traces().answer_next(answered(503)));
  submit("abc");
  ASSERT_TRUE(traces().answer_next({}));  // silence
  sink->set_observer({});
  submit("abc");
  ASSERT_TRUE(traces().answer_next(answered(200)));
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].duration, std::chrono::milliseconds(30));
  EXPECT_EQ(told[0].verdict, Verdict::retry);
  EXPECT_EQ(told[0].status, 503);
  EXPECT_FALSE(told[1].status);
}

}  // namespace
}  // namespace arca::sinks
