#include "sinks/collector_sink.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <vector>

#include "os/log.hpp"

namespace arca::sinks {
namespace {

using model::Verdict;

// A signal that goes to no Collector in this process goes to none in a second either.
constexpr base::Duration no_transport_poll = std::chrono::seconds(5);

std::array<ReadAnswer, model::signal_count> readers_of(CollectorSinkOptions& options) {
  std::array<ReadAnswer, model::signal_count> readers;
  for (std::size_t i = 0; i < readers.size(); ++i) readers[i] = std::move(options.routes[i].read_answer);
  return readers;
}

std::array<base::Duration, model::signal_count> timeouts_of(const CollectorSinkOptions& options) {
  std::array<base::Duration, model::signal_count> timeouts{};
  for (std::size_t i = 0; i < timeouts.size(); ++i) {
    const base::Duration own = options.routes[i].timeout;
    timeouts[i] = own > base::Duration::zero() ? own : options.timeout;
  }
  return timeouts;
}

}  // namespace

// One chunk under way. Its parts (one, until the Collector finds it too large) go one behind the other, because the
// rest of a divided request is seldom worth a second place in the window. Touched by one thread at a time.
struct CollectorSink::Delivery {
  model::Chunk chunk;
  model::AckCallback done;
  base::SteadyTime begin;
  base::SteadyTime deadline;
  std::vector<Part> parts;  // the next one stands last
  bool any_delivered = false;
  std::uint32_t refused_item_count = 0;
  std::optional<int> status;  // of the last answer
  model::Ack ack;
};

CollectorSink::CollectorSink(CollectorSinkOptions options, os::Clock& clock)
    : readers_(readers_of(options)),
      split_(std::move(options.split)),
      in_flight_max_(std::max<std::uint32_t>(1, options.in_flight_max)),
      timeouts_(timeouts_of(options)),
      clock_(clock) {
  for (std::size_t i = 0; i < transports_.size(); ++i) transports_[i] = std::move(options.routes[i].transport);
}

CollectorSink::~CollectorSink() = default;

std::uint32_t CollectorSink::window(model::Signal signal) const noexcept {
  return signal == model::Signal::metrics ? 1 : in_flight_max_;
}

model::Readiness CollectorSink::readiness(model::Signal signal, base::SteadyTime now) noexcept {
  const std::size_t index = model::index_of(signal);
  if (transports_[index] == nullptr) return {false, now + no_transport_poll};
  return {in_flight_[index].load(std::memory_order_relaxed) < window(signal), base::never};
}

void CollectorSink::submit(model::Chunk chunk, model::AckCallback done) noexcept {
  const std::size_t index = model::index_of(chunk.signal);
  const model::ChunkId id = chunk.id;
  const std::uint32_t item_count = chunk.item_count;
  in_flight_[index].fetch_add(1, std::memory_order_relaxed);
  in_flight_items_[index].fetch_add(item_count, std::memory_order_relaxed);
  try {
    auto delivery = std::make_shared<Delivery>();
    delivery->ack.chunk_id = id;
    delivery->ack.verdict = Verdict::delivered;
    delivery->begin = clock_.steady_now();
    delivery->deadline = delivery->begin + timeouts_[index];
    delivery->parts.push_back({chunk.payload, chunk.item_count});
    delivery->chunk = std::move(chunk);
    delivery->done = done;
    if (transports_[index] == nullptr) {
      delivery->ack.verdict = Verdict::retry;
      delivery->ack.reason = fmt::format("{} are not sent to a Collector", to_string(delivery->chunk.signal));
      finish(*delivery);
      return;
    }
    {
      const std::scoped_lock lock(mutex_);
      status_.signals[index].sent_item_count += item_count;
      status_.signals[index].sent_bytes += delivery->chunk.payload.size();
    }
    send_next(std::move(delivery));
  } catch (const std::exception& error) {
    // Nothing has left: only building the delivery can throw.
    in_flight_[index].fetch_sub(1, std::memory_order_relaxed);
    in_flight_items_[index].fetch_sub(item_count, std::memory_order_relaxed);
    model::Ack ack;
    ack.chunk_id = id;
    ack.verdict = Verdict::retry;
    ack.reason = error.what();
    done(std::move(ack));
  }
}

void CollectorSink::send_next(std::shared_ptr<Delivery> delivery) {
  const std::size_t index = model::index_of(delivery->chunk.signal);
  const base::Duration left = delivery->deadline - clock_.steady_now();
  const model::Payload payload = delivery->parts.back().payload;
  {
    const std::scoped_lock lock(mutex_);
    ++status_.signals[index].request_count;
    status_.signals[index].request_bytes += payload.size();
  }
  std::vector<std::pair<std::string, std::string>> headers{{"arca-chunk-id", to_string(delivery->chunk.id)}};
  transports_[index]->send(payload, std::move(headers), std::max(left, base::Duration(std::chrono::milliseconds(1))),
                           [this, delivery = std::move(delivery)](const net::Response& response) {
                             try {
                               take_answer(delivery, response);
                             } catch (const std::exception& error) {
                               delivery->ack.verdict = Verdict::unknown;
                               delivery->ack.reason = error.what();
                               finish(*delivery);
                             }
                           });
}

otlp::Answer CollectorSink::read(const Delivery& delivery, const net::Response& response) const {
  if (response.outcome == net::Outcome::answered)
    return readers_[model::index_of(delivery.chunk.signal)](delivery.chunk.id, delivery.chunk.signal, response);
  otlp::Answer answer;
  answer.ack.verdict = response.outcome == net::Outcome::not_sent ? Verdict::retry : Verdict::unknown;
  answer.ack.reason = response.message;
  return answer;
}

void CollectorSink::take_answer(const std::shared_ptr<Delivery>& delivery, const net::Response& response) {
  const otlp::Answer answer = read(*delivery, response);
  Delivery& d = *delivery;
  d.status = response.outcome == net::Outcome::answered ? std::optional(response.status) : std::nullopt;
  const Part part = std::move(d.parts.back());
  d.parts.pop_back();
  {
    const std::scoped_lock lock(mutex_);
    CollectorCounters& counters = status_.signals[model::index_of(d.chunk.signal)];
    if (answer.ack.verdict == Verdict::delivered) ++counters.delivered_count;
    if (answer.ack.verdict == Verdict::retry) ++counters.retryable_count;
    if (answer.ack.verdict == Verdict::rejected) ++counters.non_retryable_count;
    if (answer.ack.verdict == Verdict::unknown) ++counters.no_answer_count;
  }
  if (answer.ack.verdict != Verdict::delivered || answer.ack.refused_item_count > 0) note_error(answer.ack.reason);

  auto halves = answer.too_large && split_ ? split_(part, d.chunk.signal) : std::nullopt;
  if (halves) {
    d.parts.push_back(std::move((*halves)[1]));
    d.parts.push_back(std::move((*halves)[0]));
    {
      const std::scoped_lock lock(mutex_);
      ++status_.signals[model::index_of(d.chunk.signal)].split_count;
    }
    send_next(delivery);
    return;
  }
  if (!answer.ack.reason.empty()) d.ack.reason = answer.ack.reason;
  switch (answer.ack.verdict) {
    case Verdict::delivered:
    case Verdict::parked:
      d.any_delivered = true;
      d.refused_item_count += answer.ack.refused_item_count;
      break;
    case Verdict::rejected:
      d.refused_item_count += part.item_count;
      break;
    case Verdict::retry:
    case Verdict::unknown:
      // The chunk is the unit of settlement: what was taken of it will be sent again, under the same id.
      d.ack.verdict = d.any_delivered ? Verdict::unknown : answer.ack.verdict;
      d.ack.retry_after = answer.ack.retry_after;
      d.parts.clear();
      finish(d);
      return;
  }
  if (!d.parts.empty()) {
    send_next(delivery);
    return;
  }
  d.ack.verdict = d.any_delivered ? Verdict::delivered : Verdict::rejected;
  d.ack.refused_item_count = d.any_delivered ? d.refused_item_count : 0;
  finish(d);
}

void CollectorSink::finish(Delivery& delivery) noexcept {
  in_flight_[model::index_of(delivery.chunk.signal)].fetch_sub(1, std::memory_order_relaxed);
  in_flight_items_[model::index_of(delivery.chunk.signal)].fetch_sub(delivery.chunk.item_count,
                                                                     std::memory_order_relaxed);
  tell(delivery);
  const model::AckCallback done = std::move(delivery.done);
  delivery.done = nullptr;
  if (!done) return;
  try {
    done(std::move(delivery.ack));
  } catch (const std::exception& error) {
    os::log(os::LogLevel::error, "a verdict could not be handled: {}", error.what());
  }
}

void CollectorSink::set_observer(DeliveryObserver observer) {
  auto next = observer ? std::make_shared<const DeliveryObserver>(std::move(observer)) : nullptr;
  const std::scoped_lock lock(mutex_);
  observer_.swap(next);
}

void CollectorSink::tell(const Delivery& delivery) noexcept {
  std::shared_ptr<const DeliveryObserver> observer;
  {
    const std::scoped_lock lock(mutex_);
    observer = observer_;
  }
  if (observer == nullptr) return;
  try {
    (*observer)({delivery.chunk.signal, clock_.steady_now() - delivery.begin, delivery.ack.verdict,
                 delivery.ack.refused_item_count, delivery.status});
  } catch (const std::exception& error) {  // a figure less
    os::log(os::LogLevel::debug, "a delivery is not measured: {}", error.what());
  }
}

void CollectorSink::note_error(const std::string& what) {
  const std::scoped_lock lock(mutex_);
  status_.last_error = what;
  status_.last_error_at = clock_.wall_now();
}

void CollectorSink::cancel_all() noexcept {
  for (auto& transport : transports_)
    if (transport != nullptr) transport->cancel_all();
}

void CollectorSink::close() noexcept {
  for (auto& transport : transports_)
    if (transport != nullptr) transport->close();
}

CollectorStatus CollectorSink::status() const {
  const std::scoped_lock lock(mutex_);
  CollectorStatus status = status_;
  for (std::size_t i = 0; i < in_flight_.size(); ++i) {
    status.signals[i].in_flight_count = in_flight_[i].load(std::memory_order_relaxed);
    status.signals[i].in_flight_item_count = in_flight_items_[i].load(std::memory_order_relaxed);
  }
  return status;
}

std::string user_agent(std::string_view arca_version, std::string_view opentelemetry_version) {
  return fmt::format("arca/{} OTel-OTLP-Exporter-Cpp/{}", arca_version, opentelemetry_version);
}

}  // namespace arca::sinks
