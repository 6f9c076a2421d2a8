#include "cassandra/parked_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <unordered_map>

#include "cassandra/parked_reader_state.hpp"
#include "cassandra/store_columns.hpp"

namespace arca::cassandra {

namespace {

constexpr std::uint32_t rows_page_size = 100;  // of spans, which may be large
constexpr std::uint32_t index_page_size = 1000;
constexpr std::uint32_t names_page_size = 5000;

constexpr std::string_view rows_text = "SELECT trace_data FROM {0}.traces_overflow WHERE trace_id = ?";
constexpr std::string_view names_text = "SELECT name FROM {0}.overflow_names WHERE kind = ? AND service = ?";
// The shards of a service and bucket as one question: whoever looks back for days asks a thousand times.
constexpr std::string_view index_text =
    "SELECT start_ns, trace_id, duration_ns, errors, shard FROM {0}.overflow_traces WHERE service = ? AND bucket = ? "
    "AND shard IN ({2}) AND start_ns >= ? AND start_ns < ? PER PARTITION LIMIT ?";
constexpr std::string_view heads_text =
    "SELECT position, writer, sequence, signal, sealed_at_ns, raw_size FROM {0}.overflow_chunks WHERE segment = ? "
    "AND position >= ?";
constexpr std::string_view quarantine_text = "SELECT reason, {1} FROM {0}.quarantine WHERE hour = ? AND shard = ?";
constexpr std::string_view quarantine_parts_text = "SELECT DISTINCT hour, shard FROM {0}.quarantine";

// The rows of a page lie in memory together: so many as make a mebibyte, if they are like those before.
std::uint32_t next_page_size(std::size_t row_count, std::uint64_t bytes) noexcept {
  constexpr std::uint64_t page_bytes = 1U << 20U;
  constexpr std::uint64_t rows_max = 5000;
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(page_bytes * row_count / std::max<std::uint64_t>(bytes, 1), 1, rows_max));
}

std::int64_t nanos(base::WallTime time) noexcept { return time.time_since_epoch().count(); }
base::WallTime time_of(std::int64_t nanos) noexcept { return base::WallTime(base::Duration(nanos)); }

}  // namespace

Error ParkedReader::State::error_of(const StoreStatus& status) {
  Answer answer;
  answer.outcome = status.outcome;
  answer.refusal = status.refusal;
  answer.message = status.message;
  return answer.error();
}

Result<void> ParkedReader::State::prepare() {
  const std::pair<Statement*, std::string_view> all[] = {
      {&rows, rows_text},   {&names, names_text},           {&index, index_text},
      {&heads, heads_text}, {&quarantine, quarantine_text}, {&quarantine_parts, quarantine_parts_text}};
  std::array<std::int16_t, index_shard_count> shards{};
  std::iota(shards.begin(), shards.end(), std::int16_t{0});
  for (const auto& [target, pattern] : all) {
    const auto statement =
        cql.statement(fmt::format(fmt::runtime(pattern), options.keyspace, chunk_columns, fmt::join(shards, ", ")),
                      StatementKind::idempotent);
    if (!statement) return failure(statement.error());
    *target = *statement;
  }
  return {};
}

Result<void> ParkedReader::State::select(Statement statement, std::size_t count, const MakeValues& values,
                                         std::uint32_t page_size, const TakeRowOf& take) {
  struct Page {
    std::vector<std::byte> state;
    std::uint32_t size = 0;
  };
  std::unordered_map<std::size_t, Page> pages;  // those that come next
  return ask_all<Answer>(
      count, options.in_flight_max, clock, options.timeout,
      [&](std::size_t number, std::function<void(Answer)> done) {
        Request request;
        request.statement = statement;
        request.values = values(number);
        request.page_size = page_size;
        if (const auto page = pages.find(number); page != pages.end()) {
          request.paging_state = page->second.state;
          request.page_size = page->second.size;
        }
        // std::function wants copies; an Answer moves.
        cql.execute(std::move(request), [done = std::move(done)](Answer answer) { done(std::move(answer)); });
      },
      [&](std::size_t number, Answer& answer) -> Result<Next> {
        if (answer.outcome == Outcome::not_sent) return Next::again_later;
        if (!answer.ok()) return failure(answer.error());
        std::uint64_t bytes = 0;
        for (std::size_t i = 0; i < answer.row_count(); ++i) {
          const Row row = answer.row(i);
          for (std::size_t column = 0; column < row.count(); ++column) bytes += row.bytes(column).size();
          if (!take(number, row)) return Next::stop;
        }
        const base::Bytes next = answer.rows ? answer.rows->paging_state() : base::Bytes();
        if (next.empty()) return Next::go_on;
        pages[number] = {{next.begin(), next.end()}, next_page_size(answer.row_count(), bytes)};
        return Next::again;
      });
}

ParkedReader::ParkedReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ParkedReader::~ParkedReader() = default;

Result<std::unique_ptr<ParkedReader>> ParkedReader::create(Cql& cql, ParkingStore& store, os::Clock& clock,
                                                           Options options) {
  auto state = std::make_unique<State>(cql, store, clock, std::move(options));
  if (const auto done = state->prepare(); !done) return failure(done.error());
  return std::unique_ptr<ParkedReader>(new ParkedReader(std::move(state)));
}

Result<void> ParkedReader::read_traces(const std::vector<std::string>& trace_ids, const TakeRow& take) {
  return state_->select(
      state_->rows, trace_ids.size(),
      [&](std::size_t number) {
        Values values;
        values.text(trace_ids[number]);
        return values;
      },
      rows_page_size, [&](std::size_t, const Row& row) { return take(row.bytes(0)); });
}

Result<void> ParkedReader::services(const TakeName& take) {
  return state_->select(
      state_->names, 1,
      [](std::size_t) {
        Values values;
        values.text(kind_service).text("");
        return values;
      },
      names_page_size, [&](std::size_t, const Row& row) { return take(row.text(0), ""); });
}

Result<void> ParkedReader::operations(const std::string& service, const TakeName& take) {
  std::vector<std::string> of;
  if (!service.empty()) of.push_back(service);
  if (of.empty()) {
    const auto listed = services([&](std::string_view name, std::string_view) {
      of.emplace_back(name);
      return true;
    });
    if (!listed) return listed;
  }
  return state_->select(
      state_->names, of.size(),
      [&](std::size_t number) {
        Values values;
        values.text(kind_operation).text(of[number]);
        return values;
      },
      names_page_size, [&](std::size_t number, const Row& row) { return take(of[number], row.text(0)); });
}

// The buckets in which a trace of this time may have begun, the newest first.
std::vector<base::WallTime> ParkedReader::State::index_buckets(const TimeRange& range) const {
  const base::WallTime now = clock.wall_now();
  const base::WallTime first = bucket_of(range.since.value_or(now - options.lookback));
  // Clocks of hosts differ: some are ahead of ours.
  base::WallTime bucket = bucket_of(std::min(range.until.value_or(now + bucket_length), now + 6 * bucket_length));
  std::vector<base::WallTime> buckets;
  for (; bucket >= first; bucket -= bucket_length) buckets.push_back(bucket);
  return buckets;
}

// From the newest buckets to the oldest, more at once with every step, until there is enough.
Result<IndexAnswer> ParkedReader::find_traces(const IndexQuery& query) {
  constexpr std::size_t questions_max = 1024;  // of one step
  const std::size_t services = query.services.size();
  const std::size_t lines_max = std::max<std::size_t>(200, 2 * query.limit);  // of one shard of a service and bucket
  IndexAnswer answer;
  if (services == 0) return answer;
  const std::int64_t first = query.range.since ? nanos(*query.range.since) : 0;
  const std::int64_t end = query.range.until ? nanos(*query.range.until) : INT64_MAX;
  const std::vector<base::WallTime> buckets = state_->index_buckets(query.range);
  std::unordered_map<std::string, std::int64_t> found;  // by trace: its first start
  std::int64_t certain_from = INT64_MIN;                // of a partition that was cut, older lines are not known
  std::size_t at = 0;
  for (std::size_t step = 2; at < buckets.size() && found.size() < query.limit && certain_from == INT64_MIN;
       step *= 2) {
    const std::size_t count = std::min({step, buckets.size() - at, std::max<std::size_t>(1, questions_max / services)});
    std::vector<std::array<std::size_t, index_shard_count>> line_counts(count * services);
    const auto done = state_->select(
        state_->index, line_counts.size(),
        [&](std::size_t number) {
          Values values;
          values.text(query.services[number % services]).timestamp(buckets[at + number / services]);
          values.bigint(first).bigint(end).integer(static_cast<std::int32_t>(lines_max));
          return values;
        },
        index_page_size,
        [&](std::size_t number, const Row& row) {
          const std::int64_t start = row.bigint(0).value_or(0);
          const auto shard = static_cast<std::size_t>(row.smallint(4).value_or(0)) % index_shard_count;
          if (++line_counts[number][shard] == lines_max) certain_from = std::max(certain_from, start);
          if (row.bigint(2).value_or(0) < query.duration_min.count()) return true;
          if (query.errors_only && row.integer(3).value_or(0) == 0) return true;
          const auto [place, is_new] = found.try_emplace(std::string(row.text(1)), start);
          if (!is_new) place->second = std::min(place->second, start);
          return true;
        });
    if (!done) return failure(done.error());
    at += count;
  }
  if (certain_from != INT64_MIN) {
    answer.more_before = time_of(certain_from);
  } else if (at < buckets.size()) {
    answer.more_before = buckets[at - 1];
  }
  for (const auto& [id, start] : found) {
    if (start >= certain_from) answer.traces.push_back({id, time_of(start)});
  }
  std::sort(answer.traces.begin(), answer.traces.end(), [](const IndexedTrace& a, const IndexedTrace& b) {
    return a.start != b.start ? a.start > b.start : a.trace_id < b.trace_id;
  });
  if (answer.traces.size() > query.limit) {
    answer.traces.resize(query.limit);
    answer.more_before = answer.traces.back().start + base::Duration(1);
  }
  return answer;
}

}  // namespace arca::cassandra
