// SinkServer: the OTLP receiver behind `arca sink`: listeners for gRPC, HTTP and the control port on one event loop,
// behaviours by command, schedule and control port, and the report. Used by the sink command and by tests.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "arca/result.hpp"
#include "cli/sink/connection.hpp"
#include "cli/sink/http1_connection.hpp"
#include "cli/sink/http2_connection.hpp"
#include "cli/sink/output_file.hpp"
#include "cli/sink/request_handler.hpp"

namespace arca::cli::sink {

struct SinkOptions {
  std::string listen = "127.0.0.1";
  std::uint16_t grpc_port = 0;  // 0: any free one
  std::uint16_t http_port = 0;
  std::uint16_t control_port = 0;  // always on loopback
  TrackOptions track;
  Behaviour behaviour;
  Schedule schedule;
  std::uint64_t bytes_per_second_max = 0;  // 0: no limit
  std::size_t body_max = 64 << 20;
  std::uint64_t seed = 1;
  std::string report_path;
  base::Duration report_interval = std::chrono::seconds(1);
  std::string write_path;
  std::uint64_t write_max = 256 << 20;
};

struct Ports {
  std::uint16_t grpc = 0;
  std::uint16_t http = 0;
  std::uint16_t control = 0;
};

// Not thread-safe: everything happens on the thread that runs its loop.
class SinkServer final : public ConnectionHost {
 public:
  // Binds and listens; the loop outlives the server. Nothing is answered until the loop runs.
  static Result<std::unique_ptr<SinkServer>> open(const SinkOptions& options, EventLoop& loop);
  ~SinkServer() override;

  [[nodiscard]] const Ports& ports() const noexcept { return ports_; }
  [[nodiscard]] std::string ready_line() const;
  // Everything that has been counted, as the control port and the report file show it.
  [[nodiscard]] nlohmann::ordered_json report() const;
  // Writes the report file, if one was asked for.
  Result<void> write_report();
  void behave(const Behaviour& behaviour);

 private:
  enum class Door : std::uint8_t { grpc, http, control };
  class OtlpService;
  class ControlService;

  SinkServer(const SinkOptions& options, EventLoop& loop, std::unique_ptr<RequestLog> log);
  Result<void> open_door(Door door, std::uint16_t& port);
  void close_doors();  // refuse: listeners and connections of the OTLP ports
  void reopen_doors();
  void accept_all(Door door, int listener);
  void follow_schedule(std::size_t step, base::SteadyTime round_began);
  void report_again();

  // ConnectionHost
  EventLoop& loop() noexcept override { return loop_; }
  std::size_t bandwidth_left(std::size_t wanted) noexcept override;
  void bandwidth_used(std::size_t bytes) noexcept override;
  base::SteadyTime bandwidth_ready_at() noexcept override;
  base::MutableBytes read_buffer() noexcept override { return read_buffer_; }
  void ended(Connection& connection) override;

  struct Listener {
    int descriptor = -1;
    EventLoop::Key key = 0;
  };

  SinkOptions options_;
  EventLoop& loop_;
  std::unique_ptr<RequestLog> log_;
  Tally tally_;
  Behaviours behaviours_;
  RequestHandler handler_;
  BodyPool bodies_;
  std::unique_ptr<OtlpService> otlp_service_;
  std::unique_ptr<ControlService> control_service_;
  Ports ports_;
  std::array<Listener, 3> listeners_{};
  bool doors_open_ = true;
  std::vector<std::byte> read_buffer_;
  double bandwidth_budget_ = 0;  // bytes, as of bandwidth_counted_at_
  base::SteadyTime bandwidth_counted_at_;
  base::SteadyTime opened_at_;
  std::optional<std::uint64_t> schedule_timer_;
  std::unordered_map<Connection*, std::pair<Door, std::unique_ptr<Connection>>> connections_;
};

}  // namespace arca::cli::sink
