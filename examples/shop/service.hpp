// What both services of the shop share: a server that answers each request inside a server span, whose context came
// with the request. This is all the glue that an HTTP library needs.
#pragma once

#include <httplib.h>
#include <opentelemetry/common/attribute_value.h>
#include <opentelemetry/context/runtime_context.h>
#include <opentelemetry/logs/provider.h>
#include <opentelemetry/metrics/provider.h>
#include <opentelemetry/trace/provider.h>
#include <opentelemetry/trace/scope.h>

#include <arca/propagation.hpp>
#include <arca/telemetry.hpp>
#include <chrono>
#include <csignal>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace shop {

namespace api = opentelemetry;
using api::nostd::shared_ptr;
using api::nostd::string_view;
using api::trace::Span;

inline string_view view(const std::string& text) { return {text.data(), text.size()}; }

inline shared_ptr<api::trace::Tracer> tracer() { return api::trace::Provider::GetTracerProvider()->GetTracer("shop"); }
inline shared_ptr<api::metrics::Meter> meter() { return api::metrics::Provider::GetMeterProvider()->GetMeter("shop"); }

// Instruments that copies of a handler share.
template <class Instrument>
shared_ptr<Instrument> keep(api::nostd::unique_ptr<Instrument> instrument) {
  return shared_ptr<Instrument>(instrument.release());
}

// Writes a log record; inside a span's scope it carries the ids of the span by itself.
inline void log(api::logs::Severity severity, const std::string& text, const std::string& request_id) {
  static const auto logger = api::logs::Provider::GetLoggerProvider()->GetLogger("shop", "shop");
  auto record = logger->CreateLogRecord();
  if (!record) return;
  record->SetTimestamp(std::chrono::system_clock::now());
  record->SetSeverity(severity);
  record->SetBody(view(text));
  record->SetAttribute("shop.request.id", view(request_id));
  logger->EmitLogRecord(std::move(record));
}

// An error as the conventions want it: an event on the span, and the span's status.
inline void record_exception(Span& span, const std::string& type, const std::string& message) {
  span.AddEvent("exception", {{"exception.type", view(type)}, {"exception.message", view(message)}});
  span.SetStatus(api::trace::StatusCode::kError, view(message));
}

// One route of a service. Thread-safe: the server calls it from many threads.
class TracedRoute {
 public:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&, Span&)>;

  TracedRoute(std::string method, std::string route, Handler handler)
      : method_(std::move(method)),
        route_(std::move(route)),
        handler_(std::move(handler)),
        duration_(
            keep(meter()->CreateDoubleHistogram("http.server.request.duration", "Duration of requests served", "s"))),
        active_(
            keep(meter()->CreateInt64UpDownCounter("http.server.active_requests", "Requests in work", "{request}"))) {}

  void operator()(const httplib::Request& request, httplib::Response& response) const {
    // The caller's span and baggage come out of the headers.
    const auto context = arca::extract([&](std::string_view name) { return arca::find_header(request.headers, name); });
    const auto attached = api::context::RuntimeContext::Attach(context);
    api::trace::StartSpanOptions options;
    options.kind = api::trace::SpanKind::kServer;
    options.parent = context;
    const std::string request_id = request.get_header_value("x-request-id");
    auto span = tracer()->StartSpan(method_ + " " + route_,
                                    {{"http.request.method", view(method_)},
                                     {"http.route", view(route_)},
                                     {"url.path", view(request.path)},
                                     {"url.scheme", "http"},
                                     {"shop.request.id", view(request_id)}},
                                    options);
    const api::trace::Scope scope(span);
    active_->Add(1);
    const auto started = std::chrono::steady_clock::now();
    handler_(request, response, *span);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
    active_->Add(-1);
    const int status = response.status == -1 ? 200 : response.status;
    span->SetAttribute("http.response.status_code", status);
    if (status >= 500) span->SetStatus(api::trace::StatusCode::kError);
    duration_->Record(taken.count(), {{"http.route", view(route_)}, {"http.response.status_code", status}},
                      api::context::RuntimeContext::GetCurrent());
    // Ended before the answer leaves: whoever got an answer can rely on the span being accepted.
    span->End();
  }

 private:
  const std::string method_, route_;
  const Handler handler_;
  const shared_ptr<api::metrics::Histogram<double>> duration_;
  const shared_ptr<api::metrics::UpDownCounter<std::int64_t>> active_;
};

// Serves on 127.0.0.1 until SIGTERM or SIGINT. Prints "ready 127.0.0.1:PORT" once it listens.
inline int serve(httplib::Server& server, int port) {
  server.Get("/health",
             [](const httplib::Request&, httplib::Response& response) { response.set_content("ok", "text/plain"); });
  server.set_keep_alive_max_count(1'000'000);
  const int bound = port == 0                                ? server.bind_to_any_port("127.0.0.1")
                    : server.bind_to_port("127.0.0.1", port) ? port
                                                             : -1;
  if (bound < 0) {
    std::cerr << "shop: port " << port << " of 127.0.0.1 cannot be had\n";
    return 1;
  }
  std::cout << "ready 127.0.0.1:" << bound << std::endl;
  std::thread serving([&server] { server.listen_after_bind(); });
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  int received = 0;
  sigwait(&signals, &received);  // main has blocked them for all threads
  server.stop();
  serving.join();
  return 0;
}

inline void block_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace shop
