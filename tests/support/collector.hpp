// The real OpenTelemetry Collector (tools/collector) as a peer and as the judge of the tests: started on free loopback
// ports, stopped, killed, paused and started again on the same ports. What it accepted stands in its file exporter's
// output, read by support::CollectorOutput. Where the binary is missing, start() fails and says what to do; tests
// must pass that failure on, never skip.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "arca/result.hpp"
#include "support/process.hpp"
#include "support/temporary_directory.hpp"

namespace arca::support {

struct CollectorTls {
  std::string certificate_path;  // PEM, of the server
  std::string key_path;
  std::string client_ca_path{};  // if set, clients must show a certificate signed by it (mTLS)
};

struct CollectorOptions {
  bool grpc = true;
  bool http = true;
  std::string directory{};        // for its configuration, log and output; empty: one of its own, removed at the end
  unsigned memory_limit_mib = 0;  // of the memory limiter; 0: none. 1 is below what it needs, so it refuses everything
  bool write_file = true;         // false: the nop exporter, for load
  CollectorTls tls{};             // used when certificate_path is set
  unsigned max_request_mib = 0;   // of a gRPC message; 0: its default (4)
  std::string grpc_settings{};    // further settings of each protocol of its receiver: "key: value, ..." in YAML
  std::string http_settings{};
  std::string bearer_token{};      // if set, requests must carry "authorization: Bearer <it>"
  std::string limiter_settings{};  // of the memory limiter, instead of those that make it let go at once
};

// Not thread-safe: one test thread. Kills the Collector in the destructor.
class Collector {
 public:
  // Starts it and waits until it accepts connections.
  static Result<std::unique_ptr<Collector>> start(const CollectorOptions& options = {});
  // The binary, as tools/setup builds it; ErrorCode::not_found with the cure when it is not there.
  static Result<std::string> program();

  // Ends it with SIGTERM and waits: what it has taken is written out.
  Result<void> stop();
  // Ends it with SIGKILL. What it acknowledged is in the file: it writes each request before it answers.
  Result<void> kill();
  // Starts it again after stop() or kill(), on the same ports, with the same file.
  Result<void> restart();
  // As restart(), with another memory limit.
  Result<void> restart_with_memory_limit(unsigned mib);
  // Silence: connections stay, nothing is answered (SIGSTOP). resume() ends it.
  void pause();
  void resume();

  [[nodiscard]] int grpc_port() const noexcept { return grpc_port_; }
  [[nodiscard]] int http_port() const noexcept { return http_port_; }
  // "http://127.0.0.1:PORT", or https with TLS: what OTEL_EXPORTER_OTLP_ENDPOINT takes.
  [[nodiscard]] std::string grpc_endpoint() const;
  [[nodiscard]] std::string http_endpoint() const;
  // Lines of OTLP JSON.
  [[nodiscard]] std::string output_path() const { return directory_ + "/output.json"; }
  [[nodiscard]] std::string log_path() const { return directory_ + "/collector.log"; }

 private:
  explicit Collector(CollectorOptions options);
  Result<void> launch();
  Result<void> write_configuration() const;
  bool accepts_connections() const;

  CollectorOptions options_;
  std::unique_ptr<TemporaryDirectory> own_directory_;
  std::string directory_;
  int grpc_port_ = 0;
  int http_port_ = 0;
  std::unique_ptr<Process> process_;
};

// A certificate authority, a server certificate for 127.0.0.1 and localhost, and a client certificate, as PEM files.
struct Certificates {
  std::string ca_path, server_certificate_path, server_key_path, client_certificate_path, client_key_path;
};
Result<Certificates> make_certificates(const std::string& directory);

}  // namespace arca::support
