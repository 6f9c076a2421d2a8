// CollectorSink: delivers chunks to an OpenTelemetry Collector, one transport for each signal. The first route of every
// router, and the only sink of recovery. It never retries by itself: it says what happened, once for each chunk.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "model/sink.hpp"
#include "net/endpoint.hpp"
#include "net/transport.hpp"
#include "os/clock.hpp"
#include "otlp/export_response.hpp"

namespace arca::sinks {

struct Part {
  model::Payload payload;
  std::uint32_t item_count = 0;
};

// The two seams to the otlp floor; the defaults are otlp's own functions.
using ReadAnswer = std::function<otlp::Answer(const model::ChunkId&, model::Signal, const net::Response&)>;
using SplitRequest = std::function<std::optional<std::array<Part, 2>>(const Part&, model::Signal)>;

[[nodiscard]] ReadAnswer answer_reader(net::Protocol protocol);
[[nodiscard]] SplitRequest request_splitter();

struct CollectorRoute {
  std::unique_ptr<net::Transport> transport;  // empty: this signal is not sent
  ReadAnswer read_answer;
  base::Duration timeout{};  // of one delivery of this signal; 0: the sink's
};

// One delivery that has ended: what the Collector's part of the self-metrics tells.
struct DeliveryReport {
  model::Signal signal = model::Signal::traces;
  base::Duration duration{};
  model::Verdict verdict = model::Verdict::unknown;
  std::uint32_t refused_item_count = 0;
  std::optional<int> status;  // gRPC or HTTP status of the last answer
};
using DeliveryObserver = std::function<void(const DeliveryReport&)>;

struct CollectorSinkOptions {
  std::array<CollectorRoute, model::signal_count> routes;
  SplitRequest split;
  std::uint32_t in_flight_max = 4;                    // per signal; of metrics there is never more than one
  base::Duration timeout = std::chrono::seconds(10);  // of one delivery, with all its parts
};

// What `arca status` shows of one signal.
struct CollectorCounters {
  std::uint64_t request_count = 0;
  std::uint64_t request_bytes = 0;        // payload bytes, before compression
  std::uint64_t delivered_count = 0;      // requests that were taken
  std::uint64_t retryable_count = 0;      // not taken, may be sent again
  std::uint64_t non_retryable_count = 0;  // rejected for good
  std::uint64_t no_answer_count = 0;      // sent, and then silence
  std::uint64_t split_count = 0;
  std::uint32_t in_flight_count = 0;       // chunks
  std::uint64_t in_flight_item_count = 0;  // in them
  std::uint64_t sent_item_count = 0;       // in all that were ever sent, and their bytes
  std::uint64_t sent_bytes = 0;
};

struct CollectorStatus {
  std::array<CollectorCounters, model::signal_count> signals;
  std::string last_error;
  std::optional<base::WallTime> last_error_at;
};

// Thread-safe.
class CollectorSink final : public model::Sink {
 public:
  // `clock` must outlive the sink.
  CollectorSink(CollectorSinkOptions options, os::Clock& clock);
  ~CollectorSink() override;

  [[nodiscard]] std::string_view name() const noexcept override { return "collector"; }
  [[nodiscard]] model::Readiness readiness(model::Signal signal, base::SteadyTime now) noexcept override;
  void submit(model::Chunk chunk, model::AckCallback done) noexcept override;
  void cancel_all() noexcept override;
  // Ends for good: returns when it has called back for everything under way. Those who stand in front of it may be
  // destroyed then and not before, because a chunk that was not taken is offered to the next of them. Requires: nobody
  // submits any more.
  void close() noexcept;
  [[nodiscard]] CollectorStatus status() const;
  // Is told of every delivery that ends from now on, on any thread; empty: nobody is.
  void set_observer(DeliveryObserver observer);

 private:
  struct Delivery;

  void send_next(std::shared_ptr<Delivery> delivery);
  void take_answer(const std::shared_ptr<Delivery>& delivery, const net::Response& response);
  void finish(Delivery& delivery) noexcept;
  void tell(const Delivery& delivery) noexcept;
  void note_error(const std::string& what);
  [[nodiscard]] otlp::Answer read(const Delivery& delivery, const net::Response& response) const;
  [[nodiscard]] std::uint32_t window(model::Signal signal) const noexcept;

  const std::array<ReadAnswer, model::signal_count> readers_;
  const SplitRequest split_;
  const std::uint32_t in_flight_max_;
  const std::array<base::Duration, model::signal_count> timeouts_;
  os::Clock& clock_;
  std::array<std::atomic<std::uint32_t>, model::signal_count> in_flight_{};
  std::array<std::atomic<std::uint64_t>, model::signal_count> in_flight_items_{};

  mutable std::mutex mutex_;
  CollectorStatus status_;  // these protected by mutex_
  std::shared_ptr<const DeliveryObserver> observer_;

  // Last: they die first, and have then called back for everything.
  std::array<std::unique_ptr<net::Transport>, model::signal_count> transports_;
};

// "arca/0.1.0 OTel-OTLP-Exporter-Cpp/1.19.0", as the specification wants distributions to name themselves.
[[nodiscard]] std::string user_agent(std::string_view arca_version, std::string_view opentelemetry_version);

}  // namespace arca::sinks
