#include "cassandra/row_scanner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cassandra/row_scanner_state.hpp"

namespace arca::cassandra {

base::SteadyTime RowScanner::State::tend(base::SteadyTime now) {
  base::SteadyTime next = now + std::chrono::seconds(1);
  enter([&] { next = pump(now); });
  return next;
}

bool RowScanner::State::is_drained() const {
  const std::lock_guard lock(mutex_);
  return knows_progress_ && status_.ranges_done == options_.range_count;
}

RowScannerStatus RowScanner::State::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

Result<std::optional<model::Claim>> RowScanner::State::claim(model::SignalSet signals, base::SteadyTime now) {
  std::optional<model::Claim> claim;
  if (!signals.contains(model::Signal::traces)) return claim;
  enter([&] {
    for (auto& [sequence, piece] : pieces_) {
      if (piece.is_claimed || piece.is_settled || piece.not_before > now) continue;
      claim = model::Claim{};
      claim->chunk = {.id = {options_.writer, sequence},
                      .signal = model::Signal::traces,
                      .item_count = piece.rows.span_count,
                      .sealed_at = clock_.wall_now(),
                      .payload = piece.rows.request};
      claim->attempt_number = ++piece.attempt_count;
      piece.is_claimed = true;
      return;
    }
  });
  return claim;
}

Result<void> RowScanner::State::settle(const model::Ack& ack) {
  Result<void> done = failure(ErrorCode::not_found, "chunk " + model::to_string(ack.chunk_id) + " was not claimed");
  enter([&] {
    const auto found = pieces_.find(ack.chunk_id.sequence);
    if (found == pieces_.end() || !found->second.is_claimed || found->second.is_settled) return;
    found->second.is_settled = true;
    found->second.rows.request = {};
    done = {};
    pump(clock_.steady_now());
  });
  return done;
}

void RowScanner::State::release(const model::ChunkId& id, base::SteadyTime not_before) {
  enter([&] {
    const auto found = pieces_.find(id.sequence);
    if (found == pieces_.end() || found->second.is_settled) return;
    found->second.is_claimed = false;
    found->second.not_before = not_before;
  });
}

void RowScanner::State::forget_release_times() {
  enter([&] {
    for (auto& [sequence, piece] : pieces_) piece.not_before = base::SteadyTime::min();
  });
}

base::SteadyTime RowScanner::State::next_claim_at(model::SignalSet signals, base::SteadyTime now) {
  base::SteadyTime next = base::never;
  if (!signals.contains(model::Signal::traces)) return next;
  enter([&] {
    for (const auto& [sequence, piece] : pieces_) {
      if (!piece.is_claimed && !piece.is_settled) next = std::min(next, std::max(now, piece.not_before));
    }
  });
  return next;
}

model::Backlog RowScanner::State::backlog() const {
  const std::lock_guard lock(mutex_);
  model::Backlog left;
  for (const auto& [sequence, piece] : pieces_) {
    if (piece.is_settled) continue;
    ++left.chunk_count;
    left.bytes += piece.rows.request.size();
    left.item_count[model::index_of(model::Signal::traces)] += piece.rows.span_count;
  }
  return left;
}

Result<std::unique_ptr<RowScanner>> RowScanner::create(Cql& cql, os::Clock& clock, RowScannerOptions options) {
  const std::string& space = options.keyspace;
  const auto read_scan =
      cql.statement(fmt::format("SELECT range, last_token, rows, done_at FROM {}.row_scans WHERE scan = ?", space),
                    StatementKind::idempotent);
  if (!read_scan) return failure(read_scan.error());
  const auto read_rows =
      cql.statement(fmt::format("SELECT token(trace_id), trace_id, span_id, trace_data FROM {}.traces_overflow "
                                "WHERE token(trace_id) > ? AND token(trace_id) <= ?",
                                space),
                    StatementKind::idempotent);
  if (!read_rows) return failure(read_rows.error());
  const auto put_scan = cql.statement(
      fmt::format("INSERT INTO {}.row_scans (scan, range, last_token, rows, done_at) VALUES (?, ?, ?, ?, ?)", space),
      StatementKind::idempotent);
  if (!put_scan) return failure(put_scan.error());
  return std::unique_ptr<RowScanner>(new RowScanner(
      std::make_shared<State>(cql, clock, std::move(options), State::Statements{*read_scan, *read_rows, *put_scan})));
}

RowScanner::RowScanner(std::shared_ptr<State> state) : state_(std::move(state)) {}
RowScanner::~RowScanner() { state_->stop(); }

base::SteadyTime RowScanner::tend(base::SteadyTime now) { return state_->tend(now); }
bool RowScanner::is_drained() const { return state_->is_drained(); }
RowScannerStatus RowScanner::status() const { return state_->status(); }
Result<std::optional<model::Claim>> RowScanner::claim(model::SignalSet signals, base::SteadyTime now) {
  return state_->claim(signals, now);
}
Result<void> RowScanner::settle(const model::Ack& ack) { return state_->settle(ack); }
void RowScanner::release(const model::ChunkId& id, base::SteadyTime not_before) { state_->release(id, not_before); }
void RowScanner::forget_release_times() { state_->forget_release_times(); }
base::SteadyTime RowScanner::next_claim_at(model::SignalSet signals, base::SteadyTime now) {
  return state_->next_claim_at(signals, now);
}
void RowScanner::set_waker(std::function<void()> waker) { state_->set_waker(std::move(waker)); }
model::Backlog RowScanner::backlog() const { return state_->backlog(); }

}  // namespace arca::cassandra
