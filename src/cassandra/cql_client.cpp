#include "cassandra/cql_client.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "cassandra/cql_library.hpp"
#include "cassandra/cql_options.hpp"
#include "cassandra/cql_outcome.hpp"
#include "os/clock.hpp"
#include "os/fork.hpp"
#include "os/log.hpp"
#include "os/thread.hpp"

namespace arca::cassandra {
namespace {

constexpr base::Duration drain_time = std::chrono::seconds(1);  // how long the destructor waits for answers under way
constexpr std::chrono::milliseconds status_age_max{50};
constexpr std::size_t completions_max = 64;  // taken at a time

// What the driver borrows while a request is under way, and who is to be called.
struct Pending {
  Values values;
  std::vector<std::byte> paging_state;
  std::vector<arca_cql_value> raw;
  AnswerCallback done;

  explicit Pending(Values given, std::vector<std::byte> page = {})
      : values(std::move(given)), paging_state(std::move(page)) {
    raw.reserve(values.count());
    for (std::size_t i = 0; i < values.count(); ++i) {
      const Values::View view = values.at(i);
      raw.push_back({view.data, view.size});
    }
  }
};

void call(AnswerCallback& done, Answer answer) noexcept {
  try {
    done(std::move(answer));
  } catch (const std::exception& error) {  // a broken invariant of the caller must not end the thread of all
    os::log(os::LogLevel::error, "a callback of the Cassandra client failed: {}", error.what());
  }
}

}  // namespace

class CqlClient::State {
 public:
  State(const ConnectionSettings& settings, const CqlLibrary& library)
      : library_(library),
        contact_points_(settings.contact_points),
        consistency_(settings.consistency),
        in_flight_max_(settings.in_flight_max),
        in_flight_bytes_max_(settings.in_flight_bytes_max) {}

  Result<void> open(const ConnectionSettings& settings);
  void close(base::SteadyTime deadline);
  [[nodiscard]] bool is_forked() const noexcept { return generation_ != os::fork_generation(); }

  Result<Statement> statement(std::string_view text, StatementKind kind);
  void execute(Request request, AnswerCallback done) noexcept;
  void batch(Batch batch, AnswerCallback done) noexcept;
  bool has_window(std::uint64_t bytes) noexcept;
  arca_cql_client_status status();
  [[nodiscard]] const std::string& contact_points() const noexcept { return contact_points_; }

 private:
  template <class Begin>
  void send(std::unique_ptr<Pending> pending, AnswerCallback done, Begin begin) noexcept;
  bool keep(std::uint64_t tag, std::unique_ptr<Pending>& pending) noexcept;
  std::unique_ptr<Pending> take(std::uint64_t tag) noexcept;
  void serve(const std::stop_token& stop);
  void complete_all();

  const CqlLibrary library_;
  const std::string contact_points_;
  const Consistency consistency_;
  const std::uint32_t in_flight_max_;
  const std::uint64_t in_flight_bytes_max_;
  const std::uint64_t generation_ = os::fork_generation();
  DriverLog log_;
  arca_cql_client* client_ = nullptr;
  int stop_fd_ = -1;

  std::shared_mutex open_mutex_;  // held shared by calls into the driver, so that none outlasts it
  bool closed_ = false;           // protected by open_mutex_

  std::mutex mutex_;
  std::condition_variable nothing_pending_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Pending>> pending_;  // these protected by mutex_
  std::uint64_t next_tag_ = 1;
  std::uint64_t pending_bytes_ = 0;

  std::atomic<bool> connected_{false};
  std::atomic<std::int64_t> connected_asked_at_{0};  // steady nanoseconds
  std::jthread thread_;
};

Result<void> CqlClient::State::open(const ConnectionSettings& settings) {
  stop_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_fd_ < 0) return failure(ErrorCode::unavailable, "no descriptor left for the Cassandra client");
  const arca_cql_options options = driver_options(settings, log_);
  const std::int32_t status = library_.open(&options, &client_);
  if (status != ARCA_CQL_OK) {
    const std::string why = log_.last();
    if (status == ARCA_CQL_NO_RESOURCES) {
      return failure(ErrorCode::unavailable, "the Cassandra client cannot start: " + why);
    }
    return failure(ErrorCode::invalid_config, why.empty() ? "the Cassandra driver refuses the options" : why);
  }
  auto thread = os::start_thread("arca-cql", [this](const std::stop_token& stop) { serve(stop); });
  if (!thread) return failure(thread.error());
  thread_ = std::move(*thread);
  return {};
}

// Own thread only once: the answers that come while it waits are called back by that thread still.
void CqlClient::State::close(base::SteadyTime deadline) {
  {
    const std::unique_lock lock(open_mutex_);
    if (std::exchange(closed_, true)) return;
  }
  if (thread_.joinable()) {
    std::unique_lock lock(mutex_);
    nothing_pending_.wait_until(lock, deadline, [this] { return pending_.empty(); });
    lock.unlock();
    thread_.request_stop();
    const std::uint64_t one = 1;
    if (::write(stop_fd_, &one, sizeof one) < 0) os::log(os::LogLevel::error, "cannot wake the Cassandra client");
    thread_.join();
  }
  if (client_ != nullptr) {
    library_.close(client_, 0);
    client_ = nullptr;
  }
  if (stop_fd_ >= 0) ::close(stop_fd_);
  stop_fd_ = -1;
  // The driver has let go of their values: whoever still waits is told.
  std::unique_lock lock(mutex_);
  auto left = std::move(pending_);
  pending_.clear();
  lock.unlock();
  for (auto& [tag, pending] : left) {
    Answer answer;
    answer.message = "the Cassandra client was closed with the request under way";
    call(pending->done, std::move(answer));
  }
}

Result<Statement> CqlClient::State::statement(std::string_view text, StatementKind kind) {
  if (is_forked()) return failure(ErrorCode::shut_down, "the Cassandra client belongs to the parent process");
  const std::shared_lock lock(open_mutex_);
  if (closed_) return failure(ErrorCode::shut_down, "the Cassandra client is closed");
  Statement made;
  made.is_read = text.starts_with("SELECT ");
  const std::uint32_t flags = kind == StatementKind::conditional ? ARCA_CQL_SERIAL : ARCA_CQL_IDEMPOTENT;
  const std::int32_t status = library_.statement(client_, text.data(), text.size(), flags, &made.number);
  if (status == ARCA_CQL_OK) return made;
  return failure(ErrorCode::internal,
                 fmt::format("the Cassandra driver refuses a statement (status {}): {}", status, text));
}

// False for want of memory: it is still the caller's. Under the lock.
bool CqlClient::State::keep(std::uint64_t tag, std::unique_ptr<Pending>& pending) noexcept {
  try {
    std::unique_ptr<Pending>& place = pending_[tag];
    place = std::move(pending);
    pending_bytes_ += place->values.bytes();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

std::unique_ptr<Pending> CqlClient::State::take(std::uint64_t tag) noexcept {
  const std::scoped_lock lock(mutex_);
  const auto found = pending_.find(tag);
  if (found == pending_.end()) return nullptr;
  std::unique_ptr<Pending> pending = std::move(found->second);
  pending_.erase(found);
  pending_bytes_ -= pending->values.bytes();
  if (pending_.empty()) nothing_pending_.notify_all();
  return pending;
}

// `begin` hands the request to the driver: (pending, tag) -> arca_cql_status.
template <class Begin>
void CqlClient::State::send(std::unique_ptr<Pending> pending, AnswerCallback done, Begin begin) noexcept {
  std::int32_t status = ARCA_CQL_CLOSED;
  {
    const std::shared_lock open_lock(open_mutex_);
    if (!closed_) {
      Pending& under_way = *pending;
      under_way.done = std::move(done);
      std::unique_lock lock(mutex_);
      const std::uint64_t tag = next_tag_++;
      const bool is_kept = keep(tag, pending);
      lock.unlock();
      status = is_kept ? begin(under_way, tag) : ARCA_CQL_NO_RESOURCES;
      if (status == ARCA_CQL_OK) return;  // from here on it may have been called back already
      if (is_kept) pending = take(tag);
      done = std::move(pending->done);
    }
  }
  call(done, answer_of_call(status));
}

void CqlClient::State::execute(Request request, AnswerCallback done) noexcept {
  if (is_forked()) return call(done, answer_of_call(ARCA_CQL_FORKED));
  std::unique_ptr<Pending> pending;
  try {
    pending = std::make_unique<Pending>(std::move(request.values), std::move(request.paging_state));
  } catch (const std::exception&) {
    return call(done, answer_of_call(ARCA_CQL_NO_RESOURCES));
  }
  arca_cql_request raw{};
  raw.size = sizeof raw;
  raw.statement = request.statement.number;
  raw.consistency =
      number_of(request.consistency.value_or(request.statement.is_read ? for_reading(consistency_) : consistency_));
  raw.serial = request.serial ? 1 : 0;
  raw.timestamp_us = request.timestamp_us;
  raw.page_size = request.page_size;
  send(std::move(pending), std::move(done), [&](const Pending& under_way, std::uint64_t tag) noexcept {
    raw.values = under_way.raw.data();
    raw.value_count = static_cast<std::uint32_t>(under_way.raw.size());
    raw.paging_state = under_way.paging_state.empty() ? nullptr : under_way.paging_state.data();
    raw.paging_state_size = under_way.paging_state.size();
    raw.tag = tag;
    return library_.execute(client_, &raw);
  });
}

void CqlClient::State::batch(Batch batch, AnswerCallback done) noexcept {
  if (is_forked()) return call(done, answer_of_call(ARCA_CQL_FORKED));
  std::unique_ptr<Pending> pending;
  try {
    pending = std::make_unique<Pending>(std::move(batch.values));
  } catch (const std::exception&) {
    return call(done, answer_of_call(ARCA_CQL_NO_RESOURCES));
  }
  arca_cql_batch_request raw{};
  raw.size = sizeof raw;
  raw.statement = batch.statement.number;
  raw.consistency = number_of(consistency_);
  raw.timestamp_us = batch.timestamp_us;
  raw.row_count = batch.row_count;
  raw.values_per_row = batch.row_count == 0 ? 0 : static_cast<std::uint32_t>(pending->raw.size() / batch.row_count);
  send(std::move(pending), std::move(done), [&](const Pending& under_way, std::uint64_t tag) noexcept {
    raw.values = under_way.raw.data();
    raw.tag = tag;
    return library_.batch(client_, &raw);
  });
}

bool CqlClient::State::has_window(std::uint64_t bytes) noexcept {
  if (is_forked()) return false;
  // Asked before every chunk, so the driver is asked less often.
  const std::int64_t now = os::SystemClock().steady_now().time_since_epoch().count();
  const std::int64_t age_max = std::chrono::nanoseconds(status_age_max).count();
  if (now - connected_asked_at_.load(std::memory_order_relaxed) > age_max) {
    connected_.store(status().connected != 0, std::memory_order_relaxed);
    connected_asked_at_.store(now, std::memory_order_relaxed);
  }
  if (!connected_.load(std::memory_order_relaxed)) return false;
  const std::scoped_lock lock(mutex_);
  return pending_.empty() || (pending_.size() < in_flight_max_ && pending_bytes_ + bytes <= in_flight_bytes_max_);
}

arca_cql_client_status CqlClient::State::status() {
  arca_cql_client_status status{};
  status.size = sizeof status;
  const std::shared_lock lock(open_mutex_);
  if (!closed_) library_.get_status(client_, &status);
  return status;
}

void CqlClient::State::complete_all() {
  std::array<arca_cql_completion, completions_max> taken{};
  std::size_t count = completions_max;
  while (count == completions_max) {
    count = library_.poll(client_, taken.data(), taken.size());
    for (std::size_t i = 0; i < count; ++i) {
      Answer answer = answer_of_completion(library_, taken[i]);
      if (const auto pending = take(taken[i].tag)) call(pending->done, std::move(answer));
    }
  }
}

void CqlClient::State::serve(const std::stop_token& stop) {
  std::array<pollfd, 2> waited{pollfd{library_.event_fd(client_), POLLIN, 0}, pollfd{stop_fd_, POLLIN, 0}};
  while (!stop.stop_requested()) {
    if (::poll(waited.data(), waited.size(), -1) < 0) continue;  // EINTR: all signals are blocked, a debugger's are not
    std::uint64_t ignored = 0;
    while (::read(waited[0].fd, &ignored, sizeof ignored) < 0 && errno == EINTR) {
    }
    complete_all();
  }
}

Result<std::unique_ptr<CqlClient>> CqlClient::open(const ConnectionSettings& settings) {
  auto library = load_driver(settings.driver_library);
  if (!library) return failure(library.error());
  const auto state = std::make_shared<State>(settings, *library);
  if (auto opened = state->open(settings); !opened) {
    state->close(os::SystemClock().steady_now());
    return failure(opened.error());
  }
  return std::unique_ptr<CqlClient>(new CqlClient(state));
}

CqlClient::~CqlClient() {
  if (state_->is_forked()) {
    // Its thread and its locks are the parent's; even joining would wait for ever.
    static_cast<void>(new std::shared_ptr<State>(std::move(state_)));
    return;
  }
  state_->close(os::SystemClock().steady_now() + drain_time);
}

Result<Statement> CqlClient::statement(std::string_view text, StatementKind kind) {
  return state_->statement(text, kind);
}
void CqlClient::execute(Request request, AnswerCallback done) noexcept {
  state_->execute(std::move(request), std::move(done));
}
void CqlClient::batch(Batch batch, AnswerCallback done) noexcept { state_->batch(std::move(batch), std::move(done)); }
void CqlClient::close(base::SteadyTime deadline) noexcept {
  if (!state_->is_forked()) state_->close(deadline);
}
bool CqlClient::has_window(std::uint64_t bytes) const noexcept { return state_->has_window(bytes); }

ConnectionStatus CqlClient::status() const {
  ConnectionStatus made;
  if (state_->is_forked()) {
    made.last_error = "the Cassandra client belongs to the parent process";
    return made;
  }
  const arca_cql_client_status raw = state_->status();
  made.connected = raw.connected != 0;
  made.node_count = raw.node_count;
  made.up_count = raw.up_count;
  made.in_flight = raw.in_flight;
  made.in_flight_bytes = raw.in_flight_bytes;
  made.datacenter = raw.datacenter;
  made.last_error = raw.last_error;
  return made;
}

Result<void> CqlClient::wait_connected(std::chrono::milliseconds timeout) {
  const base::SteadyTime deadline = os::SystemClock().steady_now() + timeout;
  for (;;) {
    if (state_->is_forked()) return failure(ErrorCode::shut_down, status().last_error);
    const arca_cql_client_status raw = state_->status();
    if (raw.connected != 0) return {};
    // More attempts with the same credentials and certificates will hardly help: say it at once.
    const bool is_refused =
        raw.last_connect_status == ARCA_CQL_AUTHENTICATION || raw.last_connect_status == ARCA_CQL_TLS;
    if (is_refused) return failure(ErrorCode::invalid_config, raw.last_error);
    if (os::SystemClock().steady_now() >= deadline) {
      const std::string why(raw.last_error);
      return failure(ErrorCode::unavailable,
                     fmt::format("Cassandra at {} was not reached within {} ms{}{}", state_->contact_points(),
                                 timeout.count(), why.empty() ? "" : ": ", why));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the driver tells nobody that it has connected
  }
}

}  // namespace arca::cassandra
