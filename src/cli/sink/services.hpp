// The two things that are spoken over HTTP/1.1: OTLP, and the sink's own control port. Used by SinkServer only.
#pragma once

#include <functional>
#include <string>

#include "cli/sink/http1_connection.hpp"
#include "cli/sink/sink_server.hpp"

namespace arca::cli::sink {

// /v1/traces, /v1/metrics, /v1/logs. Not thread-safe.
class SinkServer::OtlpService final : public Http1Service {
 public:
  explicit OtlpService(RequestHandler& handler) : handler_(handler) {}
  bool on_head(Http1Request& request) override;
  void on_cut_short(const Http1Request& request) override;
  Http1Answer on_request(const Http1Request& request) override;
  [[nodiscard]] std::size_t body_max() const noexcept override { return handler_.body_max(); }

 private:
  RequestHandler& handler_;
};

// GET /report, /stream, /health; POST /behave, /clear. Not thread-safe.
class SinkServer::ControlService final : public Http1Service {
 public:
  explicit ControlService(SinkServer& server) : server_(server) {}
  bool on_head(Http1Request&) override { return false; }
  void on_cut_short(const Http1Request&) override {}
  Http1Answer on_request(const Http1Request& request) override;
  [[nodiscard]] std::size_t body_max() const noexcept override { return 1 << 20; }

 private:
  Http1Answer behave(const Http1Request& request);
  Http1Answer stream(std::string_view query);
  SinkServer& server_;
};

// Reads the body of POST /behave: a JSON object whose members are those of the behaviour's text form, or
// {"behave": "status 503 ratio=0.7"}.
Result<Behaviour> behaviour_from_json(std::string_view text);

}  // namespace arca::cli::sink
