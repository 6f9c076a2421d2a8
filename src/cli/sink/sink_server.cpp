#include "cli/sink/sink_server.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/sink/services.hpp"

namespace arca::cli::sink {

namespace {

constexpr std::size_t read_size = 256 << 10;
constexpr int accept_backlog = 512;
constexpr base::Duration bandwidth_pause = std::chrono::milliseconds(10);

struct Bound {
  int descriptor;
  std::uint16_t port;
};

tl::unexpected<Error> socket_failure(const std::string& what, ErrorCode code = ErrorCode::io) {
  return failure(code, what + ": " + std::strerror(errno));
}

Result<Bound> bind_and_listen(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    return failure(ErrorCode::invalid_config, "'" + host + "' is no IPv4 address");
  }
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return socket_failure("socket");
  const int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  socklen_t size = sizeof address;
  const std::string name = host + ":" + std::to_string(port);
  if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      listen(descriptor, accept_backlog) != 0 ||
      getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    const auto error = socket_failure(name, errno == EADDRINUSE ? ErrorCode::busy : ErrorCode::io);
    close(descriptor);
    return error;
  }
  return Bound{descriptor, ntohs(address.sin_port)};
}

}  // namespace

Result<std::unique_ptr<SinkServer>> SinkServer::open(const SinkOptions& options, EventLoop& loop) {
  std::unique_ptr<RequestLog> log;
  if (!options.write_path.empty()) {
    auto opened = RequestLog::open(options.write_path, options.write_max);
    if (!opened) return failure(opened.error());
    log = std::move(*opened);
  }
  std::unique_ptr<SinkServer> server(new SinkServer(options, loop, std::move(log)));
  server->ports_ = {options.grpc_port, options.http_port, options.control_port};
  for (const auto& [door, port] :
       {std::pair(Door::grpc, &server->ports_.grpc), std::pair(Door::http, &server->ports_.http),
        std::pair(Door::control, &server->ports_.control)}) {
    if (const auto opened = server->open_door(door, *port); !opened) return failure(opened.error());
  }
  server->behave(options.behaviour);
  if (!options.schedule.steps.empty()) server->follow_schedule(0, server->opened_at_);
  if (!options.report_path.empty()) server->report_again();
  return server;
}

SinkServer::SinkServer(const SinkOptions& options, EventLoop& loop, std::unique_ptr<RequestLog> log)
    : options_(options),
      loop_(loop),
      log_(std::move(log)),
      tally_(options.track),
      behaviours_(options.seed),
      handler_(tally_, behaviours_, options.body_max,
               log_ ? RequestHandler::Recorder(
                          [this](model::Signal signal, base::Bytes request) { log_->append(signal, request); })
                    : RequestHandler::Recorder()),
      otlp_service_(std::make_unique<OtlpService>(handler_)),
      control_service_(std::make_unique<ControlService>(*this)),
      read_buffer_(read_size),
      bandwidth_counted_at_(loop.now()),
      opened_at_(loop.now()) {}

SinkServer::~SinkServer() {
  for (Listener& listener : listeners_) {
    if (listener.descriptor < 0) continue;
    loop_.unwatch(listener.key);
    close(listener.descriptor);
  }
}

Result<void> SinkServer::open_door(Door door, std::uint16_t& port) {
  const auto bound = bind_and_listen(door == Door::control ? "127.0.0.1" : options_.listen, port);
  if (!bound) return failure(bound.error());
  Listener& listener = listeners_[static_cast<std::size_t>(door)];
  listener.descriptor = bound->descriptor;
  const auto key = loop_.watch(bound->descriptor, EPOLLIN,
                               [this, door, fd = bound->descriptor](std::uint32_t) { accept_all(door, fd); });
  if (!key) return failure(key.error());
  listener.key = *key;
  port = bound->port;
  return {};
}

void SinkServer::accept_all(Door door, int listener) {
  while (true) {
    const int descriptor = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::unique_ptr<Connection> connection;
    switch (door) {
      case Door::grpc:
        connection = std::make_unique<Http2Connection>(*this, descriptor, handler_, bodies_);
        break;
      case Door::http:
        connection = std::make_unique<Http1Connection>(*this, descriptor, *otlp_service_);
        break;
      case Door::control:
        connection = std::make_unique<Http1Connection>(*this, descriptor, *control_service_);
        break;
    }
    if (door != Door::control) tally_.connection_opened();
    Connection* const borrowed = connection.get();
    connections_[borrowed] = {door, std::move(connection)};
    borrowed->start();
  }
}

void SinkServer::ended(Connection& connection) {
  // Its own code is still on the stack; it goes when the turn of the loop is over.
  loop_.defer([this, gone = &connection] { connections_.erase(gone); });
}

void SinkServer::behave(const Behaviour& behaviour) {
  behaviours_.set(behaviour);
  const bool open = !behaviours_.refusing();
  if (open == doors_open_) return;
  if (open) {
    reopen_doors();
  } else {
    close_doors();
  }
}

void SinkServer::close_doors() {
  doors_open_ = false;
  tally_.fault_fired(Mode::refuse);
  for (const Door door : {Door::grpc, Door::http}) {
    Listener& listener = listeners_[static_cast<std::size_t>(door)];
    if (listener.descriptor < 0) continue;
    loop_.unwatch(listener.key);
    close(listener.descriptor);
    listener.descriptor = -1;
  }
  for (auto& [connection, entry] : connections_) {
    if (entry.first != Door::control) connection->close_now();
  }
}

void SinkServer::reopen_doors() {
  doors_open_ = true;
  for (const Door door : {Door::grpc, Door::http}) {
    std::uint16_t& port = door == Door::grpc ? ports_.grpc : ports_.http;
    if (open_door(door, port)) continue;
    // Somebody else has the port just now; it is ours again as soon as it is free.
    doors_open_ = false;
    loop_.at(loop_.now() + std::chrono::milliseconds(50), [this] {
      if (!doors_open_ && !behaviours_.refusing()) reopen_doors();
    });
    return;
  }
}

void SinkServer::follow_schedule(std::size_t step, base::SteadyTime round_began) {
  const Schedule& schedule = options_.schedule;
  if (step == schedule.steps.size()) {
    if (!schedule.period) return;
    loop_.at(round_began + *schedule.period,
             [this, next = round_began + *schedule.period] { follow_schedule(0, next); });
    return;
  }
  const auto act = [this, step, round_began] {
    behave(options_.schedule.steps[step].behaviour);
    follow_schedule(step + 1, round_began);
  };
  const base::SteadyTime when = round_began + schedule.steps[step].from;
  if (when <= loop_.now()) return act();
  loop_.at(when, act);
}

std::size_t SinkServer::bandwidth_left(std::size_t wanted) noexcept {
  const std::uint64_t rate = options_.bytes_per_second_max;
  if (rate == 0) return wanted;
  const base::SteadyTime now = loop_.now();
  const double seconds = std::chrono::duration<double>(now - bandwidth_counted_at_).count();
  bandwidth_counted_at_ = now;
  // What a tenth of a second allows may gather, no more: a limit, not an average over the day.
  const auto per_second = static_cast<double>(rate);
  bandwidth_budget_ = std::min(bandwidth_budget_ + seconds * per_second, std::max(per_second / 10, 1.0));
  return bandwidth_budget_ < 1 ? 0 : std::min(wanted, static_cast<std::size_t>(bandwidth_budget_));
}

void SinkServer::bandwidth_used(std::size_t bytes) noexcept {
  if (options_.bytes_per_second_max != 0) bandwidth_budget_ -= static_cast<double>(bytes);
}

base::SteadyTime SinkServer::bandwidth_ready_at() noexcept { return loop_.now() + bandwidth_pause; }

std::string SinkServer::ready_line() const {
  return fmt::format("ready grpc={0}:{1} http={0}:{2} control=127.0.0.1:{3}", options_.listen, ports_.grpc, ports_.http,
                     ports_.control);
}

nlohmann::ordered_json SinkServer::report() const {
  nlohmann::ordered_json report = tally_.report();
  report["uptime_seconds"] = std::chrono::duration<double>(loop_.now() - opened_at_).count();
  report["ports"] = {{"grpc", ports_.grpc}, {"http", ports_.http}, {"control", ports_.control}};
  report["open_connections"] = connections_.size();
  if (log_) report["unwritten_requests"] = log_->skipped_count();
  return report;
}

Result<void> SinkServer::write_report() {
  if (log_) log_->flush();
  if (options_.report_path.empty()) return {};
  return write_atomically(options_.report_path, report().dump(2) + "\n");
}

void SinkServer::report_again() {
  // A report that cannot be written now may be writable at the next turn; the last one, at exit, tells.
  (void)write_report();
  loop_.at(loop_.now() + options_.report_interval, [this] { report_again(); });
}

}  // namespace arca::cli::sink
