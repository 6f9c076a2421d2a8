// CollectorSink on real transports and sockets: what a partial success and a stream torn down become as verdicts.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "fakes/grpc_server.hpp"
#include "fakes/http2_peer.hpp"
#include "fakes/raw_server.hpp"
#include "net/grpc_transport.hpp"
#include "net/http_transport.hpp"
#include "sinks/collector_sink.hpp"

namespace arca::sinks {
namespace {

using model::Ack;
using model::Verdict;

// ExportTraceServiceResponse { partial_success { rejected_spans, error_message } }
std::string partial_success(char rejected, std::string_view message) {
  std::string inner{'\x08', rejected, '\x12', static_cast<char>(message.size())};
  inner += message;
  return std::string{'\x0A', static_cast<char>(inner.size())} + inner;
}

os::Clock& wall() {
  static os::SystemClock clock;
  return clock;
}

std::unique_ptr<CollectorSink> sink_to(net::Protocol protocol, const std::string& target) {
  net::TransportOptions options;
  options.target = target;
  CollectorSinkOptions made;
  made.split = request_splitter();
  made.routes[0].read_answer = answer_reader(protocol);
  if (protocol == net::Protocol::grpc) {
    options.path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    made.routes[0].transport = std::move(net::GrpcTransport::create(options, wall()).value());
  } else {
    made.routes[0].transport = std::move(net::HttpTransport::create(options, wall()).value());
  }
  return std::make_unique<CollectorSink>(std::move(made), wall());
}

// The verdict on a chunk of ten spans. The sink calls back exactly once, within its time-out.
Ack deliver(CollectorSink& sink) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Ack> ack;
  };
  const auto waiting = std::make_shared<Waiting>();
  model::Chunk chunk;
  chunk.id = {{0xABC}, 7};
  chunk.signal = model::Signal::traces;
  chunk.item_count = 10;
  chunk.payload = model::Payload::copy_of(base::as_bytes("ten spans"));
  sink.submit(std::move(chunk), [waiting](Ack ack) {
    const std::scoped_lock lock(waiting->mutex);
    waiting->ack = std::move(ack);
    waiting->changed.notify_all();
  });
  std::unique_lock lock(waiting->mutex);
  waiting->changed.wait_for(lock, std::chrono::seconds(20), [&] { return waiting->ack.has_value(); });
  return waiting->ack.value_or(Ack{});
}

void expect_three_refused(const Ack& ack) {
  EXPECT_EQ(ack.verdict, Verdict::delivered) << "a partial success must not be sent again: " << ack.reason;
  EXPECT_EQ(ack.refused_item_count, 3U);
  EXPECT_NE(ack.reason.find("no trace id"), std::string::npos) << ack.reason;
}

TEST(CollectorOverWire, APartialSuccessOverGrpcIsDeliveredWithItsRefusedItems) {
  fakes::GrpcServer server([](const fakes::GrpcCall&) {
    fakes::GrpcAnswer answer;
    answer.response = partial_success(3, "no trace id");
    return answer;
  });
  expect_three_refused(deliver(*sink_to(net::Protocol::grpc, server.host_and_port())));
}

TEST(CollectorOverWire, APartialSuccessOverHttpIsDeliveredWithItsRefusedItems) {
  fakes::RawServer server([](fakes::RawConnection& connection) {
    while (connection.read_request())
      connection.answer(200, "OK", "Content-Type: application/x-protobuf\r\n", partial_success(3, "no trace id"));
  });
  expect_three_refused(deliver(*sink_to(net::Protocol::http, server.url())));
}

TEST(CollectorOverWire, AStreamTornDownAfterTheRequestIsUnknown) {
  fakes::RawServer server([](fakes::RawConnection& connection) {
    fakes::Http2Peer peer(connection);
    while (const auto stream = peer.next_request()) peer.reset(*stream, fakes::Http2Peer::internal_error);
  });
  EXPECT_EQ(deliver(*sink_to(net::Protocol::grpc, server.host_and_port())).verdict, Verdict::unknown);
}

TEST(CollectorOverWire, AConnectionEndedByGoAwayBeforeTheAnswerIsUnknownAndTheNextChunkArrives) {
  std::atomic<int> connections = 0;
  fakes::RawServer server([&](fakes::RawConnection& connection) {
    const bool goes_away = connections++ == 0;
    fakes::Http2Peer peer(connection);
    while (const auto stream = peer.next_request()) {
      if (goes_away) return peer.go_away(*stream, fakes::Http2Peer::internal_error);
      peer.answer(*stream);
    }
  });
  const auto sink = sink_to(net::Protocol::grpc, server.host_and_port());
  EXPECT_EQ(deliver(*sink).verdict, Verdict::unknown);
  EXPECT_EQ(deliver(*sink).verdict, Verdict::delivered);
}

}  // namespace
}  // namespace arca::sinks
