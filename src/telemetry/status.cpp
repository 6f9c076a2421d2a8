#include "arca/status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "otlp/utf8.hpp"
#include "telemetry/pipeline.hpp"

namespace arca {
namespace {

constexpr std::size_t error_size_max = 512;

std::string in_quotes(std::string_view text) {
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

std::string to_json(const CassandraStatus& cassandra) {
  if (!cassandra.configured) return R"({"configured":false})";
  const auto items = [](const std::array<std::uint64_t, 3>& counts) {
    return fmt::format(R"({{"traces":{},"metrics":{},"logs":{}}})", counts[0], counts[1], counts[2]);
  };
  return fmt::format(
      R"({{"configured":true,"connected":{},"ready":{},"nodes_up":{},"nodes_known":{},"parked_bytes":{},"failures":{},)"
      R"("open_segments":{},"waiting_segments":{},"segments_known":{},"oldest_age_seconds":{},"rows_pending":{},)"
      R"("near_ttl":{},"replayed":{},"replay_quarantined":{},"parked_lost":{},"archive_missed":{},"last_error":{}}})",
      cassandra.connected, cassandra.ready, cassandra.up_count, cassandra.node_count, cassandra.parked_bytes,
      cassandra.failure_count, cassandra.open_segments, cassandra.waiting_segments, cassandra.segments_known,
      to_json(cassandra.oldest_age), cassandra.rows_pending, cassandra.near_ttl, items(cassandra.replayed),
      items(cassandra.replay_quarantined), items(cassandra.parked_lost), cassandra.archive_missed,
      in_quotes(cassandra.last_error));
}

}  // namespace

std::string to_json(const Status& status) {
  return fmt::format(
      R"({{"writer":{},"state_directory":{},"traces":{},"metrics":{},"logs":{},"pool_bytes":{},"pool_size":{},)"
      R"("journal_bytes":{},"journal_size":{},"backlog_bytes":{},"oldest_age_seconds":{},"seconds_until_full":{},)"
      R"("unreplicated_bytes":{},"unreplicated_items":{},)"
      R"("breakers":{{"traces":"{}","metrics":"{}","logs":"{}"}},"last_error":{},"pool_on_tmpfs":{},"cassandra":{}}})",
      in_quotes(status.writer), in_quotes(status.state_directory), to_json(status.traces), to_json(status.metrics),
      to_json(status.logs), status.pool_bytes, status.pool_size, status.journal_bytes, status.journal_size,
      status.backlog_bytes, to_json(status.oldest_age), to_json(status.until_full), status.unreplicated_bytes,
      status.unreplicated_items, to_text(status.breakers[0]), to_text(status.breakers[1]), to_text(status.breakers[2]),
      in_quotes(status.last_error), status.pool_on_tmpfs, to_json(status.cassandra));
}

namespace telemetry {
namespace {

// Takes up to `items` off, from one counter after the other.
void take_off(std::uint64_t items, std::initializer_list<std::uint64_t*> counters) noexcept {
  for (std::uint64_t* const counter : counters) {
    const std::uint64_t part = std::min(items, *counter);
    *counter -= part;
    items -= part;
  }
}

}  // namespace

// Each of the two accounts is of one moment, so the law is a test of them; between them chunks may be on their way.
// The journal has a chunk before the pool has let go of it, so what the journal, looked at last, was ever given beyond
// what the pool has ever noted stands in both: it counts where it was, however the journal has settled it since. The
// other way round, what the pool gave away and the journal does not know, breaks the law, as it should.
void read_law(const journal::Pool& pool, const journal::Journal& journal, Status& status) {
  const model::Account pool_account = pool.account();
  const model::Account journal_account = journal.account();
  SignalStatus* const signals[] = {&status.traces, &status.metrics, &status.logs};
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    const model::SignalTotals& of_pool = pool_account.totals[i];
    model::SignalTotals of_journal = journal_account.totals[i];
    std::uint64_t in_journal = journal_account.items[i];
    if (of_journal.journaled > of_pool.journaled) {
      take_off(of_journal.journaled - of_pool.journaled,
               {&in_journal, &of_journal.delivered, &of_journal.quarantined, &of_journal.parked, &of_journal.lost});
    }
    *signals[i] = {.accepted = of_pool.accepted + of_pool.refused,
                   .delivered = of_pool.delivered + of_journal.delivered,
                   .parked = of_pool.parked + of_journal.parked,
                   .quarantined = of_pool.quarantined + of_journal.quarantined,
                   .in_journal = in_journal,
                   .in_memory = pool_account.items[i],
                   .refused = of_pool.refused,
                   .lost = of_pool.lost + of_journal.lost};
  }
}

void take_from_parked(const ParkedItems& items, std::size_t signal, std::uint64_t& parked, std::uint64_t& delivered,
                      std::uint64_t& quarantined, std::uint64_t& lost) noexcept {
  const auto move = [&parked](std::uint64_t count, std::uint64_t& to) {
    const std::uint64_t moved = std::min(parked, count);
    parked -= moved;
    to += moved;
  };
  move(items.quarantined[signal], quarantined);
  move(items.delivered[signal], delivered);
  move(items.lost[signal], lost);
}

void count_replayed(const ParkedItems& items, Status& status) {
  SignalStatus* const signals[] = {&status.traces, &status.metrics, &status.logs};
  for (std::size_t i = 0; i < model::signal_count; ++i) {
    SignalStatus& signal = *signals[i];
    take_from_parked(items, i, signal.parked, signal.delivered, signal.quarantined, signal.lost);
  }
}

}  // namespace telemetry
}  // namespace arca
