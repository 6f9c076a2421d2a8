#include "telemetry/cassandra_tier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "flow/doorbell.hpp"
#include "os/log.hpp"
#include "os/random.hpp"
#include "os/thread.hpp"

namespace arca::telemetry {
namespace {

constexpr base::Duration seal_time = std::chrono::seconds(5);     // of what is open when the Collector is back
constexpr base::Duration destroy_time = std::chrono::seconds(2);  // for the thread, when nobody has called end()
constexpr base::Duration connect_time = std::chrono::seconds(3);  // until it is worth a word that nobody answers
constexpr std::size_t text_size_max = 512;

std::string list_of(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
  return text.substr(0, text_size_max);
}

// Lets nothing through until connection and tables are there.
class ReadySink final : public model::Sink {
 public:
  ReadySink(model::Sink& inner, const std::atomic<bool>& ready, base::Duration poll)
      : inner_(inner), ready_(ready), poll_(poll) {}

  [[nodiscard]] std::string_view name() const noexcept override { return inner_.name(); }
  [[nodiscard]] model::Readiness readiness(model::Signal signal, base::SteadyTime now) noexcept override {
    if (!ready_.load(std::memory_order_acquire)) return {false, now + poll_};
    return inner_.readiness(signal, now);
  }
  void submit(model::Chunk chunk, model::AckCallback done) noexcept override {
    if (!ready_.load(std::memory_order_acquire)) {
      model::Ack ack = model::not_sent_for_want_of_memory(chunk.id);  // the same verdict: nothing was sent
      done(std::move(ack));
      return;
    }
    inner_.submit(std::move(chunk), std::move(done));
  }
  void cancel_all() noexcept override { inner_.cancel_all(); }

 private:
  model::Sink& inner_;
  const std::atomic<bool>& ready_;
  const base::Duration poll_;
};

cassandra::CassandraSinkOptions sink_options(const CassandraTierOptions& from, cassandra::Purpose purpose) {
  cassandra::CassandraSinkOptions made;
  made.writer = from.writer;
  made.host = from.host;
  made.purpose = purpose;
  made.lifetime = from.timing.lifetime;
  made.margin = from.timing.margin;
  made.chunk_ttl = from.chunk_ttl;
  return made;
}

cassandra::ParkedSourceOptions source_options(const CassandraTierOptions& from) {
  cassandra::ParkedSourceOptions made;
  made.only_looks = from.only_looks;
  made.scan_interval = from.scan_interval;
  made.chunk_ttl = from.chunk_ttl;
  made.lifetime = from.timing.lifetime;
  made.margin = from.timing.margin;
  made.lease_ttl = from.timing.lease_ttl;
  made.lease_renewal = base::Duration(from.timing.lease_ttl) / 3;
  made.rows_still_time = from.timing.rows_still_time;
  return made;
}

}  // namespace

class CassandraTier::State {
 public:
  State(std::unique_ptr<CassandraLink> link_in, os::Clock& clock_in, CassandraTierOptions options_in)
      : link(std::move(link_in)), clock(clock_in), options(std::move(options_in)) {
    cassandra::ParkingStore& store = link->store();
    os::Random& random = os::system_random();
    if (options.writes_rows) {
      rows = std::make_unique<cassandra::RowWriter>(
          store, clock,
          cassandra::RowWriterOptions{.in_flight_max = options.row_batches_in_flight,
                                      .rows_per_second = options.rows_per_second});
    }
    own = make_sink(cassandra::Purpose::overflow, store, random);
    foreign = make_sink(cassandra::Purpose::overflow, store, random);
    if (options.archives) archive = make_sink(cassandra::Purpose::archive, store, random);
    if (options.recovers) {
      parked = std::make_unique<cassandra::ParkedSource>(store, rows.get(), clock, random, source_options(options));
    }
    link->set_schema_watch([this] { schema_suspect.store(true, std::memory_order_release); });
  }

  struct Outlet {
    std::unique_ptr<cassandra::CassandraSink> sink;
    std::unique_ptr<ReadySink> guarded;
  };
  std::unique_ptr<Outlet> make_sink(cassandra::Purpose purpose, cassandra::ParkingStore& store, os::Random& random) {
    auto outlet = std::make_unique<Outlet>();
    outlet->sink =
        std::make_unique<cassandra::CassandraSink>(store, rows.get(), clock, random, sink_options(options, purpose));
    outlet->guarded = std::make_unique<ReadySink>(*outlet->sink, ready, options.poll);
    return outlet;
  }

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const std::uint64_t seen = doorbell.count();
      const base::SteadyTime now = clock.steady_now();
      base::SteadyTime next = base::never;
      try {
        next = step(now, stop);
      } catch (const std::exception& broken) {  // no memory, for a while
        os::log(os::LogLevel::error, "Cassandra: {}", broken.what());
      }
      doorbell.wait(seen, std::min(next, now + options.poll), stop);
    }
    const std::lock_guard lock(mutex);
    thread_ended = true;
    ended.notify_all();
  }

  base::SteadyTime step(base::SteadyTime now, const std::stop_token& stop) {
    if (schema_suspect.exchange(false, std::memory_order_acq_rel) && ready.exchange(false)) {
      say("the tables are not as they were; they are looked at again");
    }
    if (!ready.load(std::memory_order_acquire)) look_at_schema(now, stop);
    if (stop.stop_requested()) return now;  // the wait for an answer may have lasted until after the end
    watch_collector(now, stop);
    base::SteadyTime next = base::never;
    for (Outlet* outlet : {own.get(), foreign.get(), archive.get()}) {
      if (outlet != nullptr) next = std::min(next, outlet->sink->tend(now));
    }
    return next;
  }

  void look_at_schema(base::SteadyTime now, const std::stop_token& stop) {
    if (now < schema_again_at) return;
    const cassandra::ConnectionStatus connection = link->connection();
    if (!connection.connected) {
      const bool is_late = now - begun_at >= connect_time;
      if (is_late && !connection.last_error.empty()) say("no connection to Cassandra: " + connection.last_error);
      return;
    }
    schema_suspect.store(false, std::memory_order_release);  // what was said before says nothing about now
    const auto report = link->prepare();
    if (stop.stop_requested()) return;
    if (report && report->fits()) {
      if (!report->notes.empty()) say("Cassandra: " + list_of(report->notes));
      os::log(os::LogLevel::info, "Cassandra: connected to {} nodes, the tables fit", connection.node_count);
      if (report->notes.empty()) say("");
      schema_retry = base::Duration::zero();
      for (Outlet* outlet : {own.get(), foreign.get(), archive.get()}) {
        if (outlet != nullptr) outlet->sink->close_all();
      }
      ready.store(true, std::memory_order_release);
      if (parked) parked->scan_now();
      return;
    }
    if (!report) {
      say("Cassandra: the tables could not be looked at: " + report.error().message());
    } else if (!report->complete()) {
      say("Cassandra: missing: " + list_of(report->missing));
    } else {
      say("Cassandra: the tables differ: " + list_of(report->differences));
    }
    schema_retry = std::clamp(2 * schema_retry, options.schema_retry_first, options.schema_retry_max);
    schema_again_at = clock.steady_now() + schema_retry;
  }

  // What lies in open segments would otherwise wait until they are old or idle.
  void watch_collector(base::SteadyTime now, const std::stop_token& stop) {
    if (!options.collector_is_well) return;
    const bool is_well = options.collector_is_well();
    if (!std::exchange(collector_was_well, is_well) && is_well && ready.load(std::memory_order_acquire)) {
      own->sink->seal_all(now + seal_time, stop);
      foreign->sink->seal_all(now + seal_time, stop);
      if (parked) parked->scan_now();
    }
  }

  // Once for each text; the log would otherwise fill with what does not change.
  void say(const std::string& text) {
    {
      const std::lock_guard lock(mutex);
      if (std::exchange(last_error, text) == text) return;
    }
    if (!text.empty()) os::log(os::LogLevel::warn, "{}; what is accepted stays in pool and journal meanwhile", text);
  }

  // Ends the thread. Only a look at the tables can keep it beyond the deadline, and that ends with the link; without
  // tables there is nothing that the link would be kept for.
  void stop(base::SteadyTime deadline) {
    thread.request_stop();
    doorbell.ring();
    std::unique_lock lock(mutex);
    while (!thread_ended && ready.load(std::memory_order_acquire) && clock.steady_now() < deadline) {
      ended.wait_for(lock, std::min<base::Duration>(deadline - clock.steady_now(), std::chrono::milliseconds(20)));
    }
    const bool has_ended = thread_ended;
    lock.unlock();
    if (!has_ended) close(clock.steady_now());
    thread.join();
  }

  // Whoever waits for an ack has it when this returns.
  void close(base::SteadyTime deadline) {
    ready.store(false, std::memory_order_release);
    link->close(deadline);
    for (Outlet* outlet : {own.get(), foreign.get(), archive.get()}) {
      if (outlet != nullptr) outlet->sink->cancel_all();
    }
  }

  const std::unique_ptr<CassandraLink> link;
  os::Clock& clock;
  const CassandraTierOptions options;
  std::atomic<bool> ready{false};
  std::atomic<bool> schema_suspect{false};

  std::unique_ptr<cassandra::RowWriter> rows;
  std::unique_ptr<Outlet> own;
  std::unique_ptr<Outlet> foreign;
  std::unique_ptr<Outlet> archive;
  std::unique_ptr<cassandra::ParkedSource> parked;

  // Touched by the thread only.
  const base::SteadyTime begun_at = clock.steady_now();
  base::SteadyTime schema_again_at{};
  base::Duration schema_retry{};
  bool collector_was_well = true;

  std::uint64_t parked_seen = 0;  // chunks parked here, when is_drained() was last asked
  bool is_over = false;           // touched by end() only

  flow::Doorbell doorbell;
  mutable std::mutex mutex;
  std::condition_variable ended;
  bool thread_ended = false;  // these protected by mutex
  std::string last_error;
  std::jthread thread;
};

Result<std::unique_ptr<CassandraTier>> CassandraTier::start(std::unique_ptr<CassandraLink> link, os::Clock& clock,
                                                            CassandraTierOptions options) {
  std::unique_ptr<CassandraTier> tier(
      new CassandraTier(std::make_unique<State>(std::move(link), clock, std::move(options))));
  auto thread =
      os::start_thread("arca-cassandra", [&state = *tier->state_](const std::stop_token& stop) { state.run(stop); });
  if (!thread) return tl::unexpected(thread.error());
  tier->state_->thread = std::move(*thread);
  return tier;
}

Result<std::unique_ptr<CassandraTier>> CassandraTier::start(const CassandraSettings& settings, os::Clock& clock,
                                                            CassandraTierOptions options) {
  options.writes_rows = settings.rows && !options.only_looks;
  options.rows_per_second = settings.rows_per_second;
  options.row_batches_in_flight = std::max<std::uint32_t>(1, settings.requests_in_flight * 3 / 8);
  options.scan_interval = settings.scan_interval;
  options.chunk_ttl = settings.chunk_ttl;
  CassandraSettings for_link = settings;
  if (options.only_looks) for_link.apply_schema = false;
  auto link = make_cassandra_link(for_link, options.datacenter);
  if (!link) return tl::unexpected(link.error());
  return start(std::move(*link), clock, std::move(options));
}

CassandraTier::CassandraTier(std::unique_ptr<State> state) : state_(std::move(state)) {}
CassandraTier::~CassandraTier() { end(state_->clock.steady_now() + destroy_time); }

void CassandraTier::end(base::SteadyTime deadline) {
  State& state = *state_;
  if (std::exchange(state.is_over, true)) return;
  if (state.thread.joinable()) state.stop(deadline);
  if (state.ready.exchange(false)) {
    for (State::Outlet* outlet : {state.own.get(), state.foreign.get(), state.archive.get()}) {
      if (outlet == nullptr) continue;
      if (!outlet->sink->seal_all(deadline)) {
        os::log(os::LogLevel::debug, "Cassandra: a segment stays unsealed; recovery waits until it is old enough");
      }
    }
    if (state.parked && !state.parked->close(deadline)) {
      os::log(os::LogLevel::debug, "Cassandra: a lease is not given back; it ends by itself");
    }
  }
  state.close(deadline);
}

model::Sink& CassandraTier::own() noexcept { return *state_->own->guarded; }
model::Sink& CassandraTier::foreign() noexcept { return *state_->foreign->guarded; }
model::Sink* CassandraTier::archive() noexcept { return state_->archive ? state_->archive->guarded.get() : nullptr; }
cassandra::ParkedSource* CassandraTier::parked_source() noexcept { return state_->parked.get(); }
base::SteadyTime CassandraTier::tend_parked(base::SteadyTime now) {
  return is_ready() ? state_->parked->tend(now) : now + state_->options.poll;
}
bool CassandraTier::is_drained() {
  const std::uint64_t parked = state_->own->sink->account().chunk_count + state_->foreign->sink->account().chunk_count;
  if (std::exchange(state_->parked_seen, parked) != parked) state_->parked->scan_now();
  return state_->parked->is_drained();
}

bool CassandraTier::holds_metrics() const noexcept { return state_->own->sink->holds_metrics(); }
bool CassandraTier::is_ready() const noexcept { return state_->ready.load(std::memory_order_acquire); }

ParkedItems CassandraTier::parked_items() const {
  const cassandra::ParkedAccount account = state_->own->sink->account();
  ParkedItems items{.delivered = account.delivered, .quarantined = account.quarantined, .lost = account.lost};
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    const std::uint64_t done = account.delivered[i] + account.quarantined[i] + account.lost[i];
    items.waiting_item_count += account.parked[i] > done ? account.parked[i] - done : 0;
  }
  return items;
}

CassandraStatus CassandraTier::status() const {
  CassandraStatus status;
  status.configured = true;
  const cassandra::ConnectionStatus connection = state_->link->connection();
  status.connected = connection.connected;
  status.ready = is_ready();
  status.node_count = connection.node_count;
  status.up_count = connection.up_count;
  std::optional<base::WallTime> oldest;
  const auto take_oldest = [&](const std::optional<base::WallTime>& time) {
    if (time) oldest = std::min(oldest.value_or(*time), *time);
  };
  for (const State::Outlet* outlet : {state_->own.get(), state_->foreign.get()}) {
    const cassandra::ParkedAccount account = outlet->sink->account();
    status.parked_bytes += account.stored_bytes;
    status.open_segments += account.open_segment_count;
    status.waiting_segments += account.waiting_segment_count;
    take_oldest(account.oldest);
  }
  if (state_->rows) status.rows_pending = state_->rows->status().pending_item_count;
  if (state_->parked) {
    const cassandra::ParkedSourceStatus parked = state_->parked->status();
    status.segments_known = parked.segments_known;
    status.near_ttl = parked.near_ttl;
    take_oldest(parked.oldest);
    status.last_error = parked.last_error;
  }
  if (oldest) {
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(state_->clock.wall_now() - *oldest);
    status.oldest_age = std::max(std::chrono::seconds(0), age);
  }
  if (!connection.last_error.empty()) status.last_error = connection.last_error;
  const std::lock_guard lock(state_->mutex);
  if (!state_->last_error.empty()) status.last_error = state_->last_error;
  return status;
}

}  // namespace arca::telemetry
