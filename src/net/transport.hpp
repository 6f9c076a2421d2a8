// Transport: one OTLP request, one answer. The implementations are GrpcTransport and HttpTransport; tests
// inject fakes::FakeTransport. A transport knows bytes and status codes, nothing of telemetry or verdicts.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arca/result.hpp"
#include "base/time.hpp"
#include "model/chunk.hpp"

namespace arca::net {

struct TlsOptions {
  std::string ca_file;           // empty: the system's trust store
  std::string client_cert_file;  // empty: no client certificate
  std::string client_key_file;
};

struct TransportOptions {
  std::string target;  // gRPC: host:port; HTTP: the full URL, path included
  std::string path;    // gRPC: "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
  bool tls = false;
  TlsOptions tls_options;
  std::vector<std::pair<std::string, std::string>> headers;  // also for gRPC (as metadata, lower-cased)
  bool gzip = false;
  std::string user_agent;
};

enum class Outcome : std::uint8_t {
  answered,   // grpc_status or http_status is set
  not_sent,   // could not connect: certainly not taken
  no_answer,  // connection lost, time-out or cancel after (part of) the request went out: may have been taken
};

struct Response {
  Outcome outcome = Outcome::no_answer;
  int status = 0;                              // gRPC status code, or HTTP status
  std::string message;                         // grpc-message, HTTP reason, or the transport's error text
  std::vector<std::byte> body;                 // response message; bounded to 1 MiB, the rest is dropped
  std::optional<base::Duration> retry_after;   // HTTP Retry-After, seconds or date, not clamped yet
  std::vector<std::byte> grpc_status_details;  // grpc-status-details-bin: google.rpc.Status (RetryInfo is in it)
};

// Thread-safe.
class Transport {
 public:
  virtual ~Transport() = default;
  // Sends the payload and calls `done` exactly once, from any thread, at the latest `timeout` from now. The
  // payload is kept alive until the last byte of it has left our hands, even after `done`.
  // `extra_headers` (for example the chunk id) are sent with this request only.
  virtual void send(model::Payload payload, std::vector<std::pair<std::string, std::string>> extra_headers,
                    base::Duration timeout, std::function<void(Response)> done) noexcept = 0;
  // Ends every request under way as no_answer, soon.
  virtual void cancel_all() noexcept = 0;
  // Ends for good: returns when everybody has been called back. Whatever is sent later is answered at once: not sent.
  // Requires: not in a callback.
  virtual void close() noexcept = 0;
};

}  // namespace arca::net
