// The harness itself: what is sent to the real Collector by hand is found in its file, whatever happened to it between.
#include "support/collector.hpp"

#include <curl/curl.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/collector_output.hpp"
#include "support/wait.hpp"

namespace arca::support {
namespace {

std::string request_with_span(const std::string& span_id) {
  return R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"hand"}}]},)"
         R"("scopeSpans":[{"scope":{"name":"test"},"spans":[{"traceId":"0123456789abcdef0123456789abcdef","spanId":")" +
         span_id +
         R"(","name":"made by hand","kind":1,"startTimeUnixNano":"1","endTimeUnixNano":"2",)"
         R"("attributes":[{"key":"answer","value":{"intValue":"42"}}]}]}]}]})";
}

std::size_t discard(char*, std::size_t size, std::size_t count, void*) { return size * count; }

// Posts OTLP JSON by libcurl; the HTTP status, or 0 when there was no answer within two seconds.
long post(const Collector& collector, const std::string& body, const Certificates* certificates = nullptr) {
  CURL* handle = curl_easy_init();
  curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
  curl_easy_setopt(handle, CURLOPT_URL, (collector.http_endpoint() + "/v1/traces").c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, body.c_str());
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, discard);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, 2000L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  if (certificates != nullptr) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, certificates->ca_path.c_str());
    curl_easy_setopt(handle, CURLOPT_SSLCERT, certificates->client_certificate_path.c_str());
    curl_easy_setopt(handle, CURLOPT_SSLKEY, certificates->client_key_path.c_str());
  }
  long status = 0;
  if (curl_easy_perform(handle) == CURLE_OK) curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  curl_slist_free_all(headers);
  curl_easy_cleanup(handle);
  return status;
}

TEST(Collector, WritesWhatItWasSent) {
  auto collector = Collector::start();
  ASSERT_TRUE(collector) << collector.error().message();
  ASSERT_EQ(post(**collector, request_with_span("00000000000000a1")), 200);

  CollectorOutput output((*collector)->output_path());
  ASSERT_TRUE(output.wait_for([&] { return output.spans().size() == 1; }));
  const auto& span = output.spans().front();
  EXPECT_EQ(span.text("spanId"), "00000000000000a1");
  EXPECT_EQ(span.text("name"), "made by hand");
  EXPECT_EQ(span.attribute("answer").at("intValue"), "42");
  EXPECT_EQ(span.resource->at("attributes").at(0).at("key"), "service.name");
  EXPECT_EQ(output.span_ids().at("00000000000000a1"), 1U);
}

TEST(Collector, KeepsWhatItAcknowledgedThroughKillAndRestartOnTheSamePorts) {
  auto collector = Collector::start({.grpc = false});
  ASSERT_TRUE(collector) << collector.error().message();
  const int port = (*collector)->http_port();
  ASSERT_EQ(post(**collector, request_with_span("00000000000000b1")), 200);
  ASSERT_TRUE((*collector)->kill());
  EXPECT_EQ(post(**collector, request_with_span("00000000000000b2")), 0) << "killed, yet it answers";
  const auto restarted = (*collector)->restart();
  ASSERT_TRUE(restarted) << restarted.error().message();
  EXPECT_EQ((*collector)->http_port(), port);
  ASSERT_EQ(post(**collector, request_with_span("00000000000000b3")), 200);

  CollectorOutput output((*collector)->output_path());
  ASSERT_TRUE(output.wait_for([&] { return output.spans().size() == 2; }));
  EXPECT_EQ(output.span_ids().count("00000000000000b1"), 1U);
  EXPECT_EQ(output.span_ids().count("00000000000000b3"), 1U);
}

TEST(Collector, IsSilentWhilePaused) {
  auto collector = Collector::start({.grpc = false});
  ASSERT_TRUE(collector) << collector.error().message();
  (*collector)->pause();
  EXPECT_EQ(post(**collector, request_with_span("00000000000000c1")), 0);
  (*collector)->resume();
  EXPECT_EQ(post(**collector, request_with_span("00000000000000c2")), 200);
}

TEST(Collector, RefusesWith503WhenShortOfMemoryAndTakesAgainAfterwards) {
  auto collector = Collector::start({.grpc = false, .memory_limit_mib = 1});
  ASSERT_TRUE(collector) << collector.error().message();
  long status = 0;
  EXPECT_TRUE(wait_until([&] { return (status = post(**collector, request_with_span("00000000000000d1"))) == 503; }))
      << status;
  ASSERT_TRUE((*collector)->restart_with_memory_limit(0));
  EXPECT_EQ(post(**collector, request_with_span("00000000000000d2")), 200);
}

TEST(Collector, AsksForAClientCertificateWithMutualTls) {
  const TemporaryDirectory directory;
  const auto certificates = make_certificates(directory.path());
  ASSERT_TRUE(certificates) << certificates.error().message();
  auto collector = Collector::start({.tls = {.certificate_path = certificates->server_certificate_path,
                                             .key_path = certificates->server_key_path,
                                             .client_ca_path = certificates->ca_path}});
  ASSERT_TRUE(collector) << collector.error().message();
  EXPECT_EQ(post(**collector, request_with_span("00000000000000e1")), 0) << "a client without certificate was served";
  EXPECT_EQ(post(**collector, request_with_span("00000000000000e2"), &*certificates), 200);
}

TEST(CollectorOutput, CountsALineThatWasCutAndReadsOnBehindIt) {
  const TemporaryDirectory directory;
  const auto path = directory.path() + "/output.json";
  std::ofstream(path) << R"({"resourceSpans":[{"resou)"
                      << "\n"
                      << request_with_span("00000000000000f1") << "\n{";
  CollectorOutput output(path);
  output.refresh();
  EXPECT_EQ(output.torn_line_count(), 1U);
  EXPECT_EQ(output.spans().size(), 1U);
}

TEST(Process, ReportsAProgramThatIsNotThere) {
  const auto process = Process::start({"/nowhere/program"});
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace arca::support
