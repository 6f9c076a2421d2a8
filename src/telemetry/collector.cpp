#include "telemetry/collector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "arca/version.hpp"
#include "net/endpoint.hpp"
#include "net/grpc_transport.hpp"
#include "net/http_transport.hpp"
#include "opentelemetry/version.h"
#include "os/file_system.hpp"

namespace arca::telemetry {
namespace {

using model::Signal;

const char* grpc_path(Signal signal) {
  switch (signal) {
    case Signal::traces:
      return "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    case Signal::metrics:
      return "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    case Signal::logs:
      return "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
  }
  return "";
}

const SignalSettings& settings_of(const Settings& settings, Signal signal) {
  return signal == Signal::traces ? settings.traces : signal == Signal::metrics ? settings.metrics : settings.logs;
}

// Said at the start rather than with every request.
Result<void> check_certificates(const SignalSettings& from, Signal signal) {
  const std::pair<const char*, const std::string&> files[] = {{"certificate", from.certificate},
                                                              {"client_certificate", from.client_certificate},
                                                              {"client_key", from.client_key}};
  for (const auto& [key, path] : files) {
    if (path.empty()) continue;
    if (const auto readable = os::check_readable(path); !readable) {
      return failure(
          ErrorCode::invalid_config,
          fmt::format("otlp.{}.{}: \"{}\" is not allowed; allowed is a PEM file that this process can read: {}",
                      to_string(signal), key, path, readable.error().message()));
    }
  }
  return {};
}

// A transport with what was configured for the signal.
Result<sinks::CollectorRoute> make_route(const Settings& settings, Signal signal, os::Clock& clock) {
  const SignalSettings& from = settings_of(settings, signal);
  const bool grpc = from.protocol == Protocol::grpc;
  const auto protocol = grpc ? net::Protocol::grpc : net::Protocol::http;
  const auto endpoint = net::parse_endpoint(from.endpoint, protocol, from.insecure);
  if (!endpoint) return failure(endpoint.error().with_context(std::string(to_string(signal)) + " endpoint"));
  if (endpoint->tls) {
    if (const auto checked = check_certificates(from, signal); !checked) return tl::unexpected(checked.error());
  }
  net::TransportOptions options;
  options.target = grpc ? endpoint->host_and_port() : endpoint->url();
  options.path = grpc ? grpc_path(signal) : "";
  options.tls = endpoint->tls;
  options.tls_options = {from.certificate, from.client_certificate, from.client_key};
  options.headers = from.headers;
  options.gzip = from.gzip;
  options.user_agent = sinks::user_agent(ARCA_VERSION, OPENTELEMETRY_VERSION);
  const auto route = [&](auto transport) -> Result<sinks::CollectorRoute> {
    if (!transport) return failure(transport.error().with_context(std::string(to_string(signal)) + " exporter"));
    return sinks::CollectorRoute{std::move(*transport), sinks::answer_reader(protocol), from.timeout};
  };
  return grpc ? route(net::GrpcTransport::create(options, clock)) : route(net::HttpTransport::create(options, clock));
}

}  // namespace

Result<std::unique_ptr<sinks::CollectorSink>> make_collector(const Settings& settings, os::Clock& clock) {
  sinks::CollectorSinkOptions options;
  for (const Signal signal : model::all_signals) {
    auto route = make_route(settings, signal, clock);
    if (!route) return tl::unexpected(route.error());
    options.routes[model::index_of(signal)] = std::move(*route);
  }
  options.split = sinks::request_splitter();
  options.in_flight_max = settings.requests_in_flight;
  return std::make_unique<sinks::CollectorSink>(std::move(options), clock);
}

}  // namespace arca::telemetry
