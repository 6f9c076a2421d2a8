#include "arca/status.hpp"

#include <fmt/format.h>

#include <cstring>

#include "otlp/utf8.hpp"
#include "telemetry/pipeline.hpp"

namespace arca {
namespace {

constexpr std::size_t error_size_max = 512;

std::string quoted(std::string_view text) {
  std::string result = "\"";
  // The texts are other people's, and the cut may go through a character: JSON takes neither.
  for (const char c : otlp::replace_ill_formed(text.substr(0, error_size_max))) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string to_json(const SignalStatus& signal) {
  return fmt::format(
      R"({{"accepted":{},"delivered":{},"parked":{},"quarantined":{},"in_journal":{},"in_memory":{},"refused":{},"lost":{},"holds":{}}})",
      signal.accepted, signal.delivered, signal.parked, signal.quarantined, signal.in_journal, signal.in_memory,
      signal.refused, signal.lost, signal.holds());
}

const char* to_text(Breaker breaker) {
  switch (breaker) {
    case Breaker::closed:
      return "closed";
    case Breaker::open:
      return "open";
    case Breaker::half_open:
      return "half_open";
  }
  return "closed";
}

std::string to_json(const std::optional<std::chrono::seconds>& time) {
  return time ? std::to_string(time->count()) : "null";
}

}  // namespace

std::string to_json(const Status& status) {
  return fmt::format(
      R"({{"writer":{},"state_directory":{},"traces":{},"metrics":{},"logs":{},"pool_bytes":{},"pool_size":{},)"
      R"("journal_bytes":{},"journal_size":{},"backlog_bytes":{},"oldest_age_seconds":{},"seconds_until_full":{},)"
      R"("breakers":{{"traces":"{}","metrics":"{}","logs":"{}"}},"last_error":{},"pool_on_tmpfs":{}}})",
      quoted(status.writer), quoted(status.state_directory), to_json(status.traces), to_json(status.metrics),
      to_json(status.logs), status.pool_bytes, status.pool_size, status.journal_bytes, status.journal_size,
      status.backlog_bytes, to_json(status.oldest_age), to_json(status.until_full), to_text(status.breakers[0]),
      to_text(status.breakers[1]), to_text(status.breakers[2]), quoted(status.last_error), status.pool_on_tmpfs);
}

namespace telemetry {
namespace {

struct Snapshot {
  model::Totals pool;
  model::Totals journal;
  std::array<std::uint64_t, model::signal_count> in_memory{};
  std::array<std::uint64_t, model::signal_count> in_journal{};
};

bool same(const model::Totals& left, const model::Totals& right) noexcept {
  return std::memcmp(&left, &right, sizeof left) == 0;
}

std::uint64_t settled(const model::SignalTotals& totals) noexcept {
  return totals.delivered + totals.parked + totals.quarantined + totals.lost;
}

std::uint64_t difference(std::uint64_t from, std::uint64_t subtract) noexcept {
  return from > subtract ? from - subtract : 0;
}

// Counts are taken one after another while records move. If nothing moved in between they are exact and independent
// of each other, so the law is a test of them. Else what is in memory and journal follows from the totals.
Snapshot take(const journal::Pool& pool, const journal::Journal& journal) {
  Snapshot now;
  for (int attempt = 0; attempt < 5; ++attempt) {
    now.journal = journal.totals();
    now.pool = pool.totals();
    now.in_memory = pool.in_memory();
    now.in_journal = journal.backlog().item_count;
    if (same(now.pool, pool.totals()) && same(now.journal, journal.totals())) return now;
  }
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    const model::SignalTotals& of_pool = now.pool[i];
    now.in_journal[i] = difference(of_pool.journaled, settled(now.journal[i]));
    now.in_memory[i] = difference(of_pool.accepted, settled(of_pool) + of_pool.journaled);
  }
  return now;
}

}  // namespace

void read_law(const journal::Pool& pool, const journal::Journal& journal, Status& status) {
  const Snapshot now = take(pool, journal);
  SignalStatus* const signals[] = {&status.traces, &status.metrics, &status.logs};
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    const model::SignalTotals& of_pool = now.pool[i];
    const model::SignalTotals& of_journal = now.journal[i];
    *signals[i] = {.accepted = of_pool.accepted + of_pool.refused,
                   .delivered = of_pool.delivered + of_journal.delivered,
                   .parked = of_pool.parked + of_journal.parked,
                   .quarantined = of_pool.quarantined + of_journal.quarantined,
                   .in_journal = now.in_journal[i],
                   .in_memory = now.in_memory[i],
                   .refused = of_pool.refused,
                   .lost = of_pool.lost + of_journal.lost};
  }
}

}  // namespace telemetry
}  // namespace arca
