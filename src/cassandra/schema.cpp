#include "cassandra/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "cassandra/lease_table.hpp"
#include "cassandra/schema_definition.hpp"
#include "os/clock.hpp"
#include "os/random.hpp"

namespace arca::cassandra {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view lease_table_name = "recovery_leases";
constexpr std::chrono::seconds maker_ttl{60};  // longer than one statement of the schema takes
constexpr std::chrono::seconds agreement_time{10};
constexpr milliseconds pause_between_attempts{200};

// Of the lease of the one who makes the tables: one for all datacenters, so all of them have a say in it.
ShardKey maker_key() { return {"*", -1}; }

// A conversation with one time limit over all of its requests. Not thread-safe: of one call.
class Talk {
 public:
  Talk(Cql& cql, milliseconds timeout) : cql_(cql), deadline_(os::SystemClock().steady_now() + timeout) {}

  [[nodiscard]] milliseconds left() const {
    const auto rest = std::chrono::ceil<milliseconds>(deadline_ - os::SystemClock().steady_now());
    return std::max(milliseconds(1), rest);
  }
  [[nodiscard]] bool is_over() const { return os::SystemClock().steady_now() >= deadline_; }
  void wait() const { std::this_thread::sleep_for(std::min(pause_between_attempts, left())); }

  // Asks again while that may help and there is time. At most one value, a text.
  Result<Answer> ask(const std::string& text, const std::string& value = {}) const {
    for (;;) {
      const auto statement = cql_.statement(text, StatementKind::idempotent);
      if (!statement) return failure(statement.error());  // also when it has been closed: nothing comes any more
      Request request;
      request.statement = *statement;
      if (!value.empty()) request.values.text(value);
      Answer answer = execute_and_wait(cql_, std::move(request), left());
      if (answer.ok()) return answer;
      if (answer.outcome == Outcome::refused || is_over()) return failure(answer.error());
      wait();
    }
  }
  // Calls an asynchronous operation, waits for what it reads.
  template <class T, class Start>
  std::pair<StoreStatus, T> wait_for(Start start) const {
    struct Waiting {
      std::mutex mutex;
      std::condition_variable arrived;
      std::optional<std::pair<StoreStatus, T>> answer;  // protected by mutex
    };
    const auto waiting = std::make_shared<Waiting>();
    start([waiting](StoreStatus status, T value) {
      const std::scoped_lock lock(waiting->mutex);
      waiting->answer.emplace(std::move(status), std::move(value));
      waiting->arrived.notify_one();
    });
    std::unique_lock lock(waiting->mutex);
    waiting->arrived.wait_for(lock, left(), [&] { return waiting->answer.has_value(); });
    if (!waiting->answer) return {StoreStatus{Outcome::unknown, Refusal::none, "no answer in time"}, T{}};
    return std::move(*waiting->answer);
  }

 private:
  Cql& cql_;
  const base::SteadyTime deadline_;
};

// --- what there is ---

struct Found {
  std::optional<Replication> replication;  // empty: no such keyspace
  TableDefinitions tables;
};

// The columns of a key arrive in any order; each says its place.
void add_key_column(std::vector<std::string>& key, std::size_t position, std::string name) {
  if (key.size() <= position) key.resize(position + 1);
  key[position] = std::move(name);
}

void add_column(TableDefinition& table, const Row& row) {
  const std::string name(row.text(1));
  table.columns[name] = row.text(2);
  const auto position = static_cast<std::size_t>(std::clamp(row.integer(4).value_or(0), 0, 1000));
  if (row.text(3) == "partition_key") add_key_column(table.partition_key, position, name);
  if (row.text(3) == "clustering") {
    add_key_column(table.clustering, position, name + (row.text(5) == "desc" ? " DESC" : " ASC"));
  }
}

Result<Found> look(const Talk& talk, const std::string& keyspace) {
  Found found;
  auto answer = talk.ask("SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?", keyspace);
  if (!answer) return failure(answer.error());
  if (answer->row_count() == 0) return found;
  found.replication = replication_in(answer->row(0).bytes(0));

  answer =
      talk.ask("SELECT table_name, default_time_to_live FROM system_schema.tables WHERE keyspace_name = ?", keyspace);
  if (!answer) return failure(answer.error());
  for (std::size_t i = 0; i < answer->row_count(); ++i) {
    found.tables[std::string(answer->row(i).text(0))].ttl_s = answer->row(i).integer(1).value_or(0);
  }
  answer = talk.ask(
      "SELECT table_name, column_name, type, kind, position, clustering_order FROM system_schema.columns "
      "WHERE keyspace_name = ?",
      keyspace);
  if (!answer) return failure(answer.error());
  for (std::size_t i = 0; i < answer->row_count(); ++i) {
    const Row row = answer->row(i);
    const auto table = found.tables.find(std::string(row.text(0)));
    if (table != found.tables.end()) add_column(table->second, row);
  }
  return found;
}

// --- what differs ---

bool fits(const Replication& wanted, const Replication& found) {
  if (wanted.strategy != found.strategy) return false;
  if (wanted.factors == found.factors) return true;
  // The server makes a factor for each datacenter out of one for all.
  const auto for_all = wanted.factors.find("replication_factor");
  return wanted.strategy == "NetworkTopologyStrategy" && for_all != wanted.factors.end() && !found.factors.empty() &&
         std::all_of(found.factors.begin(), found.factors.end(),
                     [&](const auto& one) { return one.second == for_all->second; });
}

void compare_table(const std::string& name, const TableDefinition& wanted, const TableDefinition& found,
                   SchemaReport& report) {
  const std::string cure =
      "no statement changes that: rename the keyspace in the configuration, or drop the table when nothing in it is "
      "needed";
  if (key_text(wanted) != key_text(found)) {
    report.differences.push_back(fmt::format("table {} has the primary key {}, should have {}: {}", name,
                                             key_text(found), key_text(wanted), cure));
  }
  for (const auto& [column, type] : wanted.columns) {
    const auto there = found.columns.find(column);
    if (there == found.columns.end()) {
      report.missing.push_back(fmt::format("column {}.{} {}", name, column, type));
    } else if (there->second != type) {
      report.differences.push_back(
          fmt::format("column {}.{} is of type {}, should be {}: {}", name, column, there->second, type, cure));
    }
  }
  if (wanted.ttl_s != found.ttl_s) {
    report.differences.push_back(
        fmt::format("table {0} keeps its rows for {1} s, should for {2} s: ALTER TABLE {0} WITH default_time_to_live = "
                    "{2} (what is "
                    "written before keeps its own), or configure {1} s",
                    name, found.ttl_s, wanted.ttl_s));
  }
}

// A quorum of all copies must be alive for each write; more copies than nodes can never be.
void note_factor(const std::string& keyspace, const Replication& replication, std::uint32_t node_count,
                 SchemaReport& report) {
  std::uint32_t copies = 0;
  for (const auto& [name, factor] : replication.factors) copies += factor;
  if (node_count == 0 || copies <= node_count) return;
  const std::uint32_t quorum = copies / 2 + 1;
  report.notes.push_back(fmt::format(
      "keyspace {} keeps {} copies, and the cluster has {} node{}: {}", keyspace, copies, node_count,
      node_count == 1 ? "" : "s",
      quorum > node_count
          ? fmt::format("a quorum of {} cannot acknowledge, so nothing is parked there; add nodes or lower the "
                        "replication factor",
                        quorum)
          : "fewer copies are kept than configured, until there are more nodes"));
}

Result<SchemaReport> check(const Talk& talk, Cql& cql, const SchemaSettings& settings) {
  const auto found = look(talk, settings.keyspace);
  if (!found) return failure(found.error().with_context("reading the schema"));
  SchemaReport report;
  const Replication wanted = wanted_replication(settings);
  if (!found->replication) {
    report.missing.push_back("keyspace " + settings.keyspace);
  } else if (!fits(wanted, *found->replication)) {
    report.differences.push_back(fmt::format(
        "keyspace {} is replicated by {}, should be by {}: ALTER KEYSPACE and repair it, or configure what is there",
        settings.keyspace, to_string(*found->replication), to_string(wanted)));
  }
  note_factor(settings.keyspace, found->replication.value_or(wanted), cql.status().node_count, report);
  for (const auto& [name, table] : wanted_tables(settings)) {
    const std::string full_name = settings.keyspace + "." + name;
    const auto there = found->tables.find(name);
    if (there == found->tables.end()) {
      report.missing.push_back("table " + full_name);
    } else {
      compare_table(full_name, table, there->second, report);
    }
  }
  return report;
}

// --- making what is missing ---

bool is_missing(const SchemaReport& report, const std::string& what) {
  return std::find(report.missing.begin(), report.missing.end(), what) != report.missing.end();
}

// Statements for what is missing; `first`: keyspace and leases, else all other tables and columns.
std::vector<std::string> statements_for(const SchemaReport& report, const SchemaSettings& settings, bool first) {
  std::vector<std::string> needed;
  for (const std::string& statement : schema_statements(settings)) {
    const std::string table = table_of(statement);
    const std::string what =
        table.empty() ? "keyspace " + settings.keyspace : "table " + settings.keyspace + "." + table;
    const bool is_first = table.empty() || table == lease_table_name;
    if (is_first == first && is_missing(report, what)) needed.push_back(statement);
  }
  constexpr std::string_view column = "column ";
  for (const std::string& what : report.missing) {
    if (first || !what.starts_with(column)) continue;
    const std::string name = what.substr(column.size());
    const auto dot = name.rfind('.', name.find(' '));
    needed.push_back(fmt::format("ALTER TABLE {} ADD {}", name.substr(0, dot), name.substr(dot + 1)));
  }
  return needed;
}

// What somebody else has just made, seen on one node, may not have come to the node that is asked: then again.
Result<void> execute_all(const Talk& talk, const std::vector<std::string>& statements) {
  const base::SteadyTime deadline = os::SystemClock().steady_now() + agreement_time;
  for (const std::string& statement : statements) {
    auto done = talk.ask(statement);
    while (!done && done.error().code() == ErrorCode::not_found && !talk.is_over() &&
           os::SystemClock().steady_now() < deadline) {
      talk.wait();
      done = talk.ask(statement);
    }
    if (!done) return failure(done.error().with_context(statement.substr(0, 80)));
  }
  return {};
}

// Until all nodes have the same schema, as far as nodes tell of each other; not for ever, since a node that is down
// keeps its old one.
void wait_for_agreement(const Talk& talk) {
  const base::SteadyTime deadline = os::SystemClock().steady_now() + agreement_time;
  while (!talk.is_over() && os::SystemClock().steady_now() < deadline) {
    std::set<std::string> versions;
    for (const char* text : {"SELECT schema_version FROM system.local", "SELECT schema_version FROM system.peers"}) {
      const auto answer = talk.ask(text);
      for (std::size_t i = 0; answer && i < answer->row_count(); ++i) {
        versions.emplace(answer->row(i).text(0));  // 16 bytes of a uuid: compared, never read
      }
    }
    if (versions.size() <= 1) return;
    talk.wait();
  }
}

// Whether a quorum of the replicas can ever answer; where it cannot, there is nobody to agree with either.
bool quorum_is_possible(Cql& cql, const SchemaSettings& settings) {
  std::uint32_t copies = 0;
  for (const auto& [name, factor] : wanted_replication(settings).factors) copies += factor;
  const std::uint32_t nodes = cql.status().node_count;
  return nodes == 0 || copies / 2 + 1 <= nodes;
}

// One at a time: two nodes that make the same table at the same time give it two identities, and the cluster then never
// agrees. `why` tells why it is not ours yet.
Result<std::optional<Lease>> take_turn(const Talk& talk, Cql& cql, const LeaseTable& leases, const Uuid& owner,
                                       const SchemaSettings& settings, std::string& why) {
  const auto [status, lease] =
      talk.wait_for<Lease>([&](StoreRead<Lease> done) { leases.take(maker_key(), owner, maker_ttl, std::move(done)); });
  if (status.ok()) {
    why = "somebody else makes the tables and has not ended in time";
    return lease.held ? std::optional<Lease>(lease) : std::nullopt;
  }
  why = "agreeing on who makes the tables: " + status.message;
  if (status.outcome == Outcome::not_taken && !quorum_is_possible(cql, settings)) return Lease{true, owner, 0};
  // The table of the leases, seen on one node, may not have come to the next yet.
  if (status.outcome != Outcome::refused || status.refusal == Refusal::schema) return std::optional<Lease>();
  return failure(ErrorCode::invalid_config, why);
}

Result<SchemaReport> make_tables(const Talk& talk, Cql& cql, const SchemaSettings& settings) {
  const auto leases = LeaseTable::create(cql, settings.keyspace, Consistency::quorum);
  if (!leases) return failure(leases.error());
  const Uuid owner = random_uuid(os::system_random());
  for (;;) {
    std::string why;
    const auto turn = take_turn(talk, cql, *leases, owner, settings, why);
    if (!turn) return failure(turn.error());
    // Looked at again: whoever had the turn before has made them.
    auto report = check(talk, cql, settings);
    if (!report || (report->complete() && !*turn)) return report;
    if (*turn) {
      wait_for_agreement(talk);  // what he has made may not have come to all nodes yet
      report = check(talk, cql, settings);
      if (!report) return report;
      const auto made = execute_all(talk, statements_for(*report, settings, false));
      talk.wait_for<bool>([&](const StoreRead<bool>& done) {
        leases->release(maker_key(), owner, (*turn)->epoch,
                        [done](StoreStatus status) { done(std::move(status), true); });
      });
      if (!made) return failure(made.error());
      return check(talk, cql, settings);
    }
    if (talk.is_over()) return failure(ErrorCode::timeout, why);
    talk.wait();
  }
}

}  // namespace

Result<SchemaReport> check_schema(Cql& cql, const SchemaSettings& settings, milliseconds timeout) {
  return check(Talk(cql, timeout), cql, settings);
}

Result<SchemaReport> apply_schema(Cql& cql, const SchemaSettings& settings, milliseconds timeout) {
  const Talk talk(cql, timeout);
  auto report = check(talk, cql, settings);
  if (!report || report->complete()) return report;
  // A keyspace has no identity that could differ, and that of the leases is derived from the keyspace: both may be made
  // by several at the same time.
  if (auto made = execute_all(talk, statements_for(*report, settings, true)); !made) return failure(made.error());
  report = make_tables(talk, cql, settings);
  if (report) wait_for_agreement(talk);  // whoever writes next may ask any node
  return report;
}

}  // namespace arca::cassandra
