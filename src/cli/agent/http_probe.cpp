#include "cli/agent/http_probe.hpp"

#include <httplib.h>
#include <opentelemetry/context/runtime_context.h>
#include <opentelemetry/trace/scope.h>

#include <chrono>
#include <utility>
#include <vector>

#include "arca/propagation.hpp"

namespace arca::cli::agent {
namespace {

namespace api = opentelemetry;
using api::nostd::string_view;

constexpr std::uint64_t body_bytes_max = 4 << 20;  // read of an answer; enough to know that it comes

const char* error_type_of(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
      return "connection";
    case httplib::Error::BindIPAddress:
      return "connection";
    case httplib::Error::Read:
      return "read";
    case httplib::Error::Write:
      return "write";
    case httplib::Error::Canceled:
      return "canceled";
    case httplib::Error::SSLConnection:
      return "tls";
    case httplib::Error::SSLLoadingCerts:
      return "ca_file";
    case httplib::Error::SSLServerVerification:
      return "certificate";
    case httplib::Error::ConnectionTimeout:
      return "timeout";
    default:
      return "_OTHER";
  }
}

}  // namespace

HttpProbe::HttpProbe(ProbeConfig config, HttpUrl url, api::nostd::shared_ptr<api::trace::Tracer> tracer,
                     DurationHistogram duration)
    : config_(std::move(config)), url_(std::move(url)), tracer_(std::move(tracer)), duration_(std::move(duration)) {}

ProbeOutcome HttpProbe::run() {
  api::trace::StartSpanOptions options;
  options.kind = api::trace::SpanKind::kClient;
  const auto port = static_cast<std::int64_t>(url_.port);
  auto span = tracer_->StartSpan(config_.method,
                                 {{"http.request.method", config_.method},
                                  {"url.full", url_.full},
                                  {"server.address", url_.host},
                                  {"server.port", port},
                                  {"arca.probe.name", config_.name.empty() ? config_.url : config_.name}},
                                 options);
  const api::trace::Scope scope(span);
  const auto started = std::chrono::steady_clock::now();
  const ProbeOutcome outcome = request(*span);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;

  std::vector<std::pair<string_view, api::common::AttributeValue>> attributes = {
      {"http.request.method", config_.method}, {"server.address", url_.host}, {"server.port", port}};
  if (outcome.status != 0) {
    span->SetAttribute("http.response.status_code", outcome.status);
    attributes.emplace_back("http.response.status_code", outcome.status);
  }
  if (!outcome.error_type.empty()) {
    span->SetAttribute("error.type", outcome.error_type);
    attributes.emplace_back("error.type", outcome.error_type);
    // A status code says all there is to say; other failures get their word.
    span->SetStatus(api::trace::StatusCode::kError, outcome.status != 0 ? "" : outcome.error_type);
  }
  duration_->Record(taken.count(), attributes, api::context::RuntimeContext::GetCurrent());
  span->End();
  return outcome;
}

ProbeOutcome HttpProbe::request(api::trace::Span& span) {
  const std::string host = url_.host.find(':') == std::string::npos ? url_.host : "[" + url_.host + "]";
  httplib::Client client(url_.scheme + "://" + host + ":" + std::to_string(url_.port));
  if (!client.is_valid()) return {0, "_OTHER"};
  const auto deadline = std::chrono::steady_clock::now() + 2 * config_.timeout;
  client.set_connection_timeout(config_.timeout);
  client.set_read_timeout(config_.timeout);
  client.set_write_timeout(config_.timeout);
  if (url_.scheme == "https") {
    if (!config_.ca_file.empty()) client.set_ca_cert_path(config_.ca_file.c_str());
    client.enable_server_certificate_verification(true);
  }
  httplib::Request request;
  request.method = config_.method;
  request.path = url_.target;
  request.set_header("User-Agent", "arca-agent");
  for (const auto& [name, value] : config_.headers) request.set_header(name, value);
  inject([&](std::string_view name, std::string_view value) {
    request.set_header(std::string(name), std::string(value));
  });

  ProbeOutcome outcome;
  bool late = false, long_enough = false;
  request.response_handler = [&](const httplib::Response& response) {
    outcome.status = response.status;
    if (response.version.starts_with("HTTP/"))
      span.SetAttribute("network.protocol.version", response.version.substr(5));
    return true;
  };
  request.content_receiver = [&](const char*, std::size_t bytes, std::uint64_t offset, std::uint64_t) {
    // A server that sends one byte at a time passes every read time-out.
    late = std::chrono::steady_clock::now() > deadline;
    long_enough = offset + bytes > body_bytes_max;
    return !late && !long_enough;
  };
  const auto started = std::chrono::steady_clock::now();
  const httplib::Result result = client.send(request);
  const bool waited_long = std::chrono::steady_clock::now() - started >= config_.timeout;
  if (!result && !long_enough) {
    const bool timed_out = late || (waited_long && result.error() == httplib::Error::Read);
    outcome.error_type = timed_out ? "timeout" : error_type_of(result.error());
  } else if (outcome.status == 0 && result) {
    outcome.status = result->status;
  }
  if (outcome.error_type.empty() && outcome.status >= 400) outcome.error_type = std::to_string(outcome.status);
  return outcome;
}

}  // namespace arca::cli::agent
