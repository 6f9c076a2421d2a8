// The transports and the Collector sink against the real Collector: what it wrote is compared with what was sent.
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <ostream>

#include "net/endpoint.hpp"
#include "net/grpc_transport.hpp"
#include "net/http_transport.hpp"
#include "sinks/collector_sink.hpp"
#include "support/collector.hpp"
#include "support/collector_output.hpp"

namespace arca {
namespace {

std::string field(char tag, const std::string& content) {
  std::string bytes(1, tag);
  std::size_t size = content.size();
  for (; size > 0x7F; size >>= 7U) bytes.push_back(static_cast<char>((size & 0x7FU) | 0x80U));
  bytes.push_back(static_cast<char>(size));
  return bytes + content;
}

// An ExportTraceServiceRequest with `count` spans of `padding` bytes of name; ids rise from `first`.
std::string request_of(std::uint32_t first, std::uint32_t count, std::size_t padding) {
  std::string spans;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::string id(8, '\x11');
    for (unsigned k = 0; k < 4; ++k) id[4 + k] = static_cast<char>(((first + i) >> (24U - 8U * k)) & 0xFFU);
    spans +=
        field(0x12, field(0x0A, std::string(16, '\x22')) + field(0x12, id) + field(0x2A, std::string(padding, 'n')));
  }
  return field(0x0A, field(0x12, spans));
}

struct Way {
  const char* name;
  net::Protocol protocol;
  bool gzip;
  bool tls;
  bool mutual;
};
void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

class TransportCollectorTest : public testing::TestWithParam<Way> {};

class Verdicts {
 public:
  model::AckCallback take() {
    return [this](model::Ack ack) {
      const std::scoped_lock lock(mutex_);
      acks_.push_back(std::move(ack));
      changed_.notify_all();
    };
  }
  std::vector<model::Ack> wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return acks_.size() >= count; });
    return acks_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<model::Ack> acks_;
};

std::unique_ptr<net::Transport> transport_of(const Way& way, const std::string& url,
                                             const support::Certificates& certificates, os::Clock& clock) {
  auto endpoint = net::parse_endpoint(url, way.protocol).value();
  net::TransportOptions options;
  options.gzip = way.gzip;
  options.user_agent = sinks::user_agent("test", "1.19.0");
  options.tls = endpoint.tls;
  if (way.tls) options.tls_options.ca_file = certificates.ca_path;
  if (way.mutual) {
    options.tls_options.client_cert_file = certificates.client_certificate_path;
    options.tls_options.client_key_file = certificates.client_key_path;
  }
  if (way.protocol == net::Protocol::grpc) {
    options.target = endpoint.host_and_port();
    options.path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    return std::move(net::GrpcTransport::create(options, clock).value());
  }
  options.target = net::with_signal_path(endpoint, "v1/traces").url();
  return std::move(net::HttpTransport::create(options, clock).value());
}

TEST_P(TransportCollectorTest, EverySpanArrivesOnceAndTooLargeRequestsAreDivided) {
  const Way way = GetParam();
  support::CollectorOptions options;
  const support::TemporaryDirectory directory;
  support::Certificates certificates;
  if (way.tls) {
    certificates = support::make_certificates(directory.path()).value();
    options.tls = {certificates.server_certificate_path, certificates.server_key_path,
                   way.mutual ? certificates.ca_path : ""};
  }
  auto collector = support::Collector::start(options);
  ASSERT_TRUE(collector.has_value()) << collector.error().message();
  const bool grpc = way.protocol == net::Protocol::grpc;
  const std::string url = grpc ? (*collector)->grpc_endpoint() : (*collector)->http_endpoint();
  os::SystemClock clock;
  Verdicts verdicts;
  sinks::CollectorSinkOptions sink_options;
  sink_options.routes[0] = {transport_of(way, url, certificates, clock), sinks::answer_reader(way.protocol)};
  sink_options.split = sinks::request_splitter();
  sinks::CollectorSink sink(std::move(sink_options), clock);

  const auto submit = [&](std::uint32_t sequence, std::uint32_t count, std::size_t padding) {
    model::Chunk chunk;
    chunk.id = {{1}, sequence};
    chunk.item_count = count;
    chunk.payload = model::Payload::copy_of(base::as_bytes(request_of(sequence * 10000, count, padding)));
    sink.submit(std::move(chunk), verdicts.take());
  };
  for (std::uint32_t i = 1; i <= 20; ++i) submit(i, 500, 300);
  submit(21, 1000, 6000);  // 6 MB: more than the Collector takes over gRPC
  const auto acks = verdicts.wait(21);
  ASSERT_EQ(acks.size(), 21U);
  for (const auto& ack : acks) {
    EXPECT_EQ(ack.verdict, model::Verdict::delivered) << ack.reason;
    EXPECT_EQ(ack.refused_item_count, 0U);
  }
  if (grpc) {
    EXPECT_GT(sink.status().signals[0].split_count, 0U);
  }
  support::CollectorOutput output((*collector)->output_path());
  EXPECT_TRUE(output.wait_for([&] { return output.spans().size() >= 11000; }));
  EXPECT_EQ(output.span_ids().size(), 11000U);
  EXPECT_EQ(output.spans().size(), 11000U) << "duplicates";
}

INSTANTIATE_TEST_SUITE_P(Ways, TransportCollectorTest,
                         testing::Values(Way{"grpc", net::Protocol::grpc, false, false, false},
                                         Way{"grpc_gzip", net::Protocol::grpc, true, false, false},
                                         Way{"grpc_tls", net::Protocol::grpc, false, true, false},
                                         Way{"grpc_mtls_gzip", net::Protocol::grpc, true, true, true},
                                         Way{"http", net::Protocol::http, false, false, false},
                                         Way{"http_gzip", net::Protocol::http, true, false, false},
                                         Way{"http_tls", net::Protocol::http, false, true, false},
                                         Way{"http_mtls_gzip", net::Protocol::http, true, true, true}),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

// Restarted on the same port again and again, in the middle of the traffic.
TEST(TransportCollector, ARestartedCollectorIsFoundAgain) {
  auto collector = support::Collector::start();
  ASSERT_TRUE(collector.has_value()) << collector.error().message();
  os::SystemClock clock;
  const Way way{"grpc", net::Protocol::grpc, false, false, false};
  auto transport = transport_of(way, (*collector)->grpc_endpoint(), {}, clock);
  sinks::CollectorSinkOptions options;
  options.routes[0] = {std::move(transport), sinks::answer_reader(net::Protocol::grpc)};
  sinks::CollectorSink sink(std::move(options), clock);
  for (std::uint32_t round = 1; round <= 3; ++round) {
    Verdicts verdicts;
    model::Chunk chunk;
    chunk.id = {{1}, round};
    chunk.item_count = 10;
    chunk.payload = model::Payload::copy_of(base::as_bytes(request_of(round * 100, 10, 20)));
    sink.submit(chunk, verdicts.take());
    const auto acks = verdicts.wait(1);
    ASSERT_EQ(acks.size(), 1U);
    EXPECT_EQ(acks[0].verdict, model::Verdict::delivered) << acks[0].reason;
    ASSERT_TRUE((*collector)->kill().has_value());
    Verdicts refused;
    sink.submit(chunk, refused.take());
    const auto none = refused.wait(1);
    ASSERT_EQ(none.size(), 1U);
    EXPECT_NE(none[0].verdict, model::Verdict::delivered);
    ASSERT_TRUE((*collector)->restart().has_value());
  }
}

}  // namespace
}  // namespace arca
