// What RowScanner asks of Cassandra: how far the scan is, rows, and the progress that it writes.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "cassandra/row_scanner_state.hpp"
#include "os/log.hpp"

namespace arca::cassandra {
namespace {

base::Duration backoff(std::uint32_t failure_count) noexcept {
  const std::uint32_t doublings = std::min<std::uint32_t>(failure_count > 0 ? failure_count - 1 : 0, 10);
  return std::min<base::Duration>(std::chrono::milliseconds(100) * (1U << doublings), std::chrono::seconds(5));
}

}  // namespace

TokenRange token_range(std::uint32_t number, std::uint32_t count) noexcept {
  // Murmur3 gives every 64-bit number but the smallest.
  const std::uint64_t width = ~std::uint64_t{0} / count;
  const auto border = [&](std::uint32_t at) {
    constexpr std::uint64_t smallest = std::uint64_t{1} << 63U;
    return static_cast<std::int64_t>(smallest + width * at);
  };
  return {border(number), number + 1 == count ? std::numeric_limits<std::int64_t>::max() : border(number + 1)};
}

void RowScanner::State::report_once(const Error& error) {
  status_.last_error = error.message();
  if (std::exchange(reported_, error.message()) == error.message()) return;
  call([report = options_.report, error] {
    report ? report(error) : os::log(os::LogLevel::warn, "{} ({})", error.message(), to_string(error.code()));
  });
}

void RowScanner::State::after_failure(const char* what) noexcept {
  try {
    is_asking_ = false;
    again_at_ = clock_.steady_now() + backoff(++failure_count_);
    report_once(Error(ErrorCode::internal, std::string("scan of rows: ") + what));
  } catch (const std::exception&) {
    // No memory even for that.
  }
}

bool RowScanner::State::fail(const Answer& answer, const char* what) {
  if (answer.ok()) {
    failure_count_ = 0;
    return false;
  }
  status_.last_error = std::string(what) + ": " + answer.message;
  again_at_ = clock_.steady_now() + backoff(++failure_count_);
  if (answer.outcome == Outcome::refused) report_once(answer.error().with_context("scan of rows"));
  return true;
}

base::SteadyTime RowScanner::State::pump(base::SteadyTime now) {
  advance();
  const base::SteadyTime next = write_progress(now);
  if (is_asking_) return next;
  if (again_at_ > now) return std::min(next, again_at_);
  if (!knows_progress_) {
    read_progress({});
    return next;
  }
  while (next_ < options_.range_count && is_done_before_[next_]) ++next_;
  if (next_ == options_.range_count || pieces_.size() >= options_.read_ahead_chunks) return next;
  read_page();
  return next;
}

// --- progress ------------------------------------------------------------------------------------

void RowScanner::State::read_progress(std::vector<std::byte> page) {
  auto answer = later<Answer>([this](const Answer& found) { take_progress(found); });
  // An answer cannot be copied, and a callback must be.
  auto shared = std::make_shared<decltype(answer)>(std::move(answer));
  is_asking_ = true;
  call([this, page = std::move(page), shared] {
    Request request;
    request.statement = statements_.read_scan;
    request.values.text(options_.scan);
    request.paging_state = page;
    cql_.execute(std::move(request), [shared](Answer found) { (*shared)(std::move(found)); });
  });
}

void RowScanner::State::take_progress(const Answer& answer) {
  is_asking_ = false;
  if (fail(answer, "read the progress of the scan")) return;
  is_done_before_.resize(options_.range_count);
  for (std::size_t i = 0; i < answer.row_count(); ++i) {
    const Row row = answer.row(i);
    const auto number = static_cast<std::uint32_t>(row.integer(0).value_or(-1));
    if (number >= options_.range_count) continue;
    if (row.timestamp(3)) {
      if (!is_done_before_[number]) ++status_.ranges_done;
      is_done_before_[number] = true;
    } else if (const auto token = row.bigint(1)) {
      Range range;
      range.token = range.written_token = *token;
      range.row_count = static_cast<std::uint64_t>(row.bigint(2).value_or(0));
      ranges_.insert_or_assign(number, range);
    }
  }
  const base::Bytes next = answer.rows ? answer.rows->paging_state() : base::Bytes();
  if (!next.empty()) return read_progress({next.begin(), next.end()});
  knows_progress_ = true;
  wake();
}

// Of each range what is settled without a gap, from its beginning on.
void RowScanner::State::advance() {
  std::vector<std::uint32_t> held_up;  // ranges with an unsettled piece
  for (auto each = pieces_.begin(); each != pieces_.end();) {
    const Piece& piece = each->second;
    const bool is_first = std::find(held_up.begin(), held_up.end(), piece.range) == held_up.end();
    if (!is_first || !piece.is_settled) {
      if (is_first) held_up.push_back(piece.range);
      ++each;
      continue;
    }
    Range& range = ranges_[piece.range];
    range.token = std::max(range.token, piece.rows.safe_token);
    range.row_count += piece.rows.row_count;
    each = pieces_.erase(each);
  }
}

base::SteadyTime RowScanner::State::write_progress(base::SteadyTime now) {
  base::SteadyTime next = base::never;
  for (auto& [number, range] : ranges_) {
    if (range.is_done || range.is_writing) continue;
    const std::uint32_t mine = number;
    const bool is_done = range.is_read && std::none_of(pieces_.begin(), pieces_.end(),
                                                       [&](const auto& each) { return each.second.range == mine; });
    if (!is_done && range.token == range.written_token) continue;
    base::SteadyTime at = range.again_at;
    if (!is_done && range.written_at != base::SteadyTime::min())
      at = std::max(at, range.written_at + options_.progress_interval);
    if (at > now) {
      next = std::min(next, at);
      continue;
    }
    auto answer = later<Answer>([this, mine, is_done, token = range.token](const Answer& written) {
      Range& done = ranges_[mine];
      done.is_writing = false;
      if (!written.ok()) {
        status_.last_error = "write the progress of the scan: " + written.message;
        done.again_at = clock_.steady_now() + backoff(++done.failure_count);
        return;
      }
      done.failure_count = 0;
      done.written_token = token;
      if (!is_done) return;
      done.is_done = true;
      ++status_.ranges_done;
      wake();
    });
    auto shared = std::make_shared<decltype(answer)>(std::move(answer));
    range.is_writing = true;
    range.written_at = now;
    call([this, mine, is_done, token = range.token, rows = range.row_count, shared] {
      Request request;
      request.statement = statements_.put_scan;
      request.values.text(options_.scan)
          .integer(static_cast<std::int32_t>(mine))
          .bigint(token)
          .bigint(static_cast<std::int64_t>(rows));
      is_done ? request.values.timestamp(clock_.wall_now()) : request.values.unset();
      cql_.execute(std::move(request), [shared](Answer written) { (*shared)(std::move(written)); });
    });
  }
  return next;
}

// --- rows ----------------------------------------------------------------------------------------

void RowScanner::State::read_page() {
  const TokenRange whole = token_range(next_, options_.range_count);
  const auto [place, is_new] = ranges_.try_emplace(next_);
  if (is_new) place->second.token = place->second.written_token = whole.first;
  if (!joiner_) {
    joiner_.emplace(options_.chunk_size, place->second.token);
    paging_state_.clear();
  }
  auto answer = later<Answer>([this](const Answer& found) { take_page(found); });
  auto shared = std::make_shared<decltype(answer)>(std::move(answer));
  is_asking_ = true;
  call([this, first = joiner_->begin_token(), last = whole.last, page = paging_state_, rows = page_size_, shared] {
    Request request;
    request.statement = statements_.read_rows;
    request.values.bigint(first).bigint(last);
    request.page_size = rows;
    request.paging_state = page;
    cql_.execute(std::move(request), [shared](Answer found) { (*shared)(std::move(found)); });
  });
}

// Rows may have megabytes: a page of them that takes longer than a request may would be asked for again for ever.
void RowScanner::State::fit_page_size(const Answer& answer) {
  constexpr std::uint32_t trial_pages = 16;  // then a larger one is tried, which may cost a time-out
  if (answer.outcome == Outcome::unknown) {
    page_size_ = std::max<std::uint32_t>(1, page_size_ / 2);
    good_page_count_ = 0;
  } else if (answer.ok() && page_size_ < options_.page_size && ++good_page_count_ >= trial_pages) {
    page_size_ = std::min(options_.page_size, page_size_ * 2);
    good_page_count_ = 0;
  }
}

void RowScanner::State::take_page(const Answer& answer) {
  is_asking_ = false;
  fit_page_size(answer);
  if (fail(answer, "read rows")) return;
  for (std::size_t i = 0; i < answer.row_count(); ++i) take_row(answer.row(i));
  const base::Bytes next = answer.rows ? answer.rows->paging_state() : base::Bytes();
  paging_state_.assign(next.begin(), next.end());
  if (paging_state_.empty()) end_range();
  wake();
}

void RowScanner::State::take_row(const Row& row) {
  ++status_.row_count;
  const std::int64_t token = row.bigint(0).value_or(std::numeric_limits<std::int64_t>::min());
  RowJoiner::Taken taken = joiner_->add(token, row.bytes(3));
  keep(std::move(taken.before));
  if (taken.refusal.empty()) return;
  ++status_.foreign_row_count;
  if (status_.foreign_example.empty()) {
    status_.foreign_example = fmt::format("trace_id {}, span_id {}: {}", row.text(1), row.text(2), taken.refusal);
    report_once(Error(ErrorCode::corrupt, "rows of traces_overflow that are no OTLP stay as they are, for example " +
                                              status_.foreign_example));
  }
}

void RowScanner::State::keep(std::optional<JoinedRows> rows) {
  if (!rows) return;
  status_.span_count += rows->span_count;
  if (rows->span_count > 0) ++status_.chunk_count;
  Piece piece;
  piece.range = next_;
  piece.is_settled = rows->span_count == 0;  // rows that are not sent move the progress on, no more
  piece.rows = std::move(*rows);
  pieces_.emplace(++sequence_, std::move(piece));
}

void RowScanner::State::end_range() {
  keep(joiner_->finish());
  joiner_.reset();
  Range& range = ranges_[next_];
  range.is_read = true;
  ++next_;
}

}  // namespace arca::cassandra
