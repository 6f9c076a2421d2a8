#include "support/collector.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "support/contents.hpp"
#include "support/wait.hpp"

namespace arca::support {
namespace {

bool accepts(int port) {
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected = ::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(client);
  return connected;
}

std::string tls_section(const CollectorTls& tls) {
  if (tls.certificate_path.empty()) return "";
  auto section = fmt::format(", tls: {{cert_file: {}, key_file: {}", tls.certificate_path, tls.key_path);
  if (!tls.client_ca_path.empty()) section += ", client_ca_file: " + tls.client_ca_path;
  return section + "}";
}

std::string further(const std::string& settings) { return settings.empty() ? "" : ", " + settings; }

// No pause between forced collections: the limiter sees at once that memory is free again.
constexpr const char* lenient_limiter =
    "check_interval: 20ms, min_gc_interval_when_soft_limited: 0s, max_gc_interval_when_soft_limited: 0s, "
    "max_gc_interval_when_hard_limited: 0s";

// After a SIGKILL in the middle of a line the next request would continue that line.
void end_torn_line(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file.seekg(-1, std::ios::end)) return;  // not there, or empty
  if (file.get() != '\n') std::ofstream(path, std::ios::app) << '\n';
}

}  // namespace

Collector::Collector(CollectorOptions options) : options_(std::move(options)), directory_(options_.directory) {
  if (directory_.empty()) {
    own_directory_ = std::make_unique<TemporaryDirectory>();
    directory_ = own_directory_->path();
  }
}

Result<std::string> Collector::program() {
  const std::string path = ARCA_COLLECTOR_PROGRAM;
  if (::access(path.c_str(), X_OK) == 0) return path;
  return failure(ErrorCode::not_found,
                 "the OpenTelemetry Collector that judges this test is not built (" + path +
                     "): run tools/setup; it builds tools/collector with the Go that its go.mod names");
}

Result<std::unique_ptr<Collector>> Collector::start(const CollectorOptions& options) {
  Result<void> launched;
  // A free port may be taken by somebody else before the Collector binds it; then others are tried.
  for (int attempt = 0; attempt < 3; ++attempt) {
    std::unique_ptr<Collector> collector(new Collector(options));
    if (options.grpc) collector->grpc_port_ = free_port();
    if (options.http) collector->http_port_ = free_port();
    launched = collector->launch();
    if (launched) return collector;
    if (launched.error().code() == ErrorCode::not_found) break;
  }
  return failure(launched.error());
}

Result<void> Collector::write_configuration() const {
  std::string protocols;
  const bool guarded = !options_.bearer_token.empty();
  const auto tls = tls_section(options_.tls) + (guarded ? ", auth: {authenticator: bearertokenauth}" : "");
  if (options_.grpc) {
    const auto size = options_.max_request_mib == 0
                          ? std::string()
                          : fmt::format(", max_recv_msg_size_mib: {}", options_.max_request_mib);
    protocols += fmt::format("      grpc: {{endpoint: \"127.0.0.1:{}\"{}{}{}}}\n", grpc_port_, size, tls,
                             further(options_.grpc_settings));
  }
  if (options_.http) {
    protocols += fmt::format("      http: {{endpoint: \"127.0.0.1:{}\"{}{}}}\n", http_port_, tls,
                             further(options_.http_settings));
  }
  const bool limited = options_.memory_limit_mib > 0;
  // With "rotation" the file exporter writes without a buffer: what was acknowledged survives a SIGKILL.
  const auto exporter = options_.write_file
                            ? fmt::format("  file: {{path: {}, rotation: {{max_megabytes: 1000000}}}}\n", output_path())
                            : std::string("  nop:\n");
  std::string pipelines;
  for (const char* signal : {"traces", "metrics", "logs"}) {
    pipelines += fmt::format("    {}: {{receivers: [otlp], processors: [{}], exporters: [{}]}}\n", signal,
                             limited ? "memory_limiter" : "", options_.write_file ? "file" : "nop");
  }
  std::ofstream file(directory_ + "/collector.yaml");
  file << "receivers:\n  otlp:\n    protocols:\n" << protocols;
  if (limited) {
    file << fmt::format("processors:\n  memory_limiter: {{limit_mib: {}, spike_limit_mib: {}, {}}}\n",
                        options_.memory_limit_mib, options_.memory_limit_mib / 5,
                        options_.limiter_settings.empty() ? lenient_limiter : options_.limiter_settings);
  }
  file << "exporters:\n" << exporter;
  if (guarded) file << fmt::format("extensions:\n  bearertokenauth: {{token: \"{}\"}}\n", options_.bearer_token);
  file << "service:\n"
       << (guarded ? "  extensions: [bearertokenauth]\n" : "")
       << "  telemetry: {metrics: {level: none}, logs: {level: warn}}\n  pipelines:\n"
       << pipelines;
  if (!file.flush()) return failure(ErrorCode::io, directory_ + "/collector.yaml: cannot be written");
  return {};
}

bool Collector::accepts_connections() const {
  return (grpc_port_ == 0 || accepts(grpc_port_)) && (http_port_ == 0 || accepts(http_port_));
}

Result<void> Collector::launch() {
  const auto path = program();
  if (!path) return failure(path.error());
  const auto written = write_configuration();
  if (!written) return written;
  end_torn_line(output_path());
  auto process = Process::start({*path, "--config", directory_ + "/collector.yaml"}, {.output_path = log_path()});
  if (!process) return failure(process.error());
  process_ = std::move(*process);
  wait_until([&] { return !process_->is_alive() || accepts_connections(); }, std::chrono::seconds(30));
  if (process_->is_alive() && accepts_connections()) return {};
  process_.reset();
  return failure(ErrorCode::unavailable, "the Collector did not start; its log: " + contents_of(log_path()));
}

Result<void> Collector::stop() {
  resume();
  process_->send_signal(SIGTERM);
  if (!process_->wait(std::chrono::seconds(30))) return failure(ErrorCode::timeout, "the Collector ignores SIGTERM");
  return {};
}

Result<void> Collector::kill() {
  process_->send_signal(SIGKILL);
  if (!process_->wait()) return failure(ErrorCode::timeout, "the Collector survived SIGKILL");
  return {};
}

Result<void> Collector::restart() {
  if (process_ && process_->is_alive()) {
    const auto stopped = stop();
    if (!stopped) return stopped;
  }
  return launch();
}

Result<void> Collector::restart_with_memory_limit(unsigned mib) {
  options_.memory_limit_mib = mib;
  return restart();
}

void Collector::pause() { process_->pause(); }
void Collector::resume() { process_->send_signal(SIGCONT); }

std::string Collector::grpc_endpoint() const {
  return fmt::format("http{}://127.0.0.1:{}", options_.tls.certificate_path.empty() ? "" : "s", grpc_port_);
}

std::string Collector::http_endpoint() const {
  return fmt::format("http{}://127.0.0.1:{}", options_.tls.certificate_path.empty() ? "" : "s", http_port_);
}

Result<Certificates> make_certificates(const std::string& directory) {
  Certificates made{directory + "/ca.pem", directory + "/server.pem", directory + "/server.key",
                    directory + "/client.pem", directory + "/client.key"};
  const auto ca_key = directory + "/ca.key";
  const auto extensions = directory + "/extensions";
  std::ofstream(extensions) << "subjectAltName=IP:127.0.0.1,DNS:localhost\n";
  const std::vector<std::string> new_key = {"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                                            "-nodes"};
  const auto run = [&](std::vector<std::string> command, const std::vector<std::string>& more) {
    command.insert(command.end(), more.begin(), more.end());
    return run_command(command);
  };
  auto done = run(new_key,
                  {"-x509", "-days", "2", "-subj", "/CN=Arca test authority", "-keyout", ca_key, "-out", made.ca_path});
  const auto issue = [&](const std::string& name, const std::string& key_path, const std::string& certificate_path) {
    const auto request = directory + "/request.pem";
    if (done) done = run(new_key, {"-subj", "/CN=" + name, "-keyout", key_path, "-out", request});
    if (done) {
      done = run_command({"openssl", "x509", "-req", "-in", request, "-CA", made.ca_path, "-CAkey", ca_key, "-days",
                          "2", "-CAcreateserial", "-extfile", extensions, "-out", certificate_path});
    }
  };
  issue("localhost", made.server_key_path, made.server_certificate_path);
  issue("client", made.client_key_path, made.client_certificate_path);
  if (!done) return failure(done.error());
  return made;
}

}  // namespace arca::support
