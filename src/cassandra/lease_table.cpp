#include "cassandra/lease_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cassandra/store_call.hpp"

namespace arca::cassandra {

struct LeaseTable::Statements {
  Statement read;
  Statement take;
  Statement renew;
  Statement release;
};

namespace {

LeaseStanding standing_in(const Answer& answer) {
  LeaseStanding found;
  if (answer.row_count() == 0) return found;
  const std::vector<std::string> columns = answer.rows->columns();
  const auto column = [&](std::string_view name) {
    return static_cast<std::size_t>(std::find(columns.begin(), columns.end(), name) - columns.begin());
  };
  const Row row = answer.row(0);
  found.owner = row.uuid(column("owner"));
  found.epoch = row.bigint(column("epoch"));
  return found;
}

Lease lease_of(const LeaseStanding& standing, const Uuid& asker) {
  Lease lease;
  lease.held = standing.owner == asker;
  lease.owner = standing.owner.value_or(Uuid{});
  lease.epoch = standing.epoch.value_or(0);
  return lease;
}

// The server counts whole seconds of its clock, so a TTL ends up to one of them early.
std::int32_t seconds_of(std::chrono::seconds ttl) {
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(ttl.count() + 1, 2, 86'400));
}

// Executes; an unknown outcome once more. `take` takes the answer, unless memory has run out and `done` knows.
template <class Done, class Make, class Take>
void execute_twice(Cql& cql, const Kept<Done>& done, Make make, Take take) {
  AnswerCallback answered = [&cql, done, make, take](Answer answer) {
    if (answer.outcome != Outcome::unknown) return take(answer);
    attempt(done, [&] {
      AnswerCallback again = take;
      cql.execute(make(), std::move(again));
    });
  };
  cql.execute(make(), std::move(answered));
}

}  // namespace

Result<LeaseTable> LeaseTable::create(Cql& cql, const std::string& keyspace, Consistency consistency) {
  const std::string table = keyspace + ".recovery_leases";
  auto statements = std::make_shared<Statements>();
  const auto add = [&cql](Statement& target, const std::string& text, StatementKind kind) -> Result<void> {
    auto made = cql.statement(text, kind);
    if (!made) return failure(made.error());
    target = *made;
    return {};
  };
  Result<void> added =
      add(statements->read, fmt::format("SELECT owner, epoch FROM {} WHERE datacenter = ? AND shard = ?", table),
          StatementKind::idempotent);
  if (added) {
    // One partition, so one decision; the epoch has no TTL, the owner has.
    added = add(statements->take,
                fmt::format("BEGIN BATCH UPDATE {0} USING TTL ? SET owner = ? WHERE datacenter = ? AND shard = ? IF "
                            "owner = null AND epoch = ? "
                            "UPDATE {0} SET epoch = ? WHERE datacenter = ? AND shard = ? APPLY BATCH",
                            table),
                StatementKind::conditional);
  }
  if (added) {
    added = add(
        statements->renew,
        fmt::format("UPDATE {} USING TTL ? SET owner = ? WHERE datacenter = ? AND shard = ? IF owner = ? AND epoch = ?",
                    table),
        StatementKind::conditional);
  }
  if (added) {
    // The only delete there is: of one cell among as many as there are shards.
    added =
        add(statements->release,
            fmt::format("DELETE owner FROM {} WHERE datacenter = ? AND shard = ? IF owner = ? AND epoch = ?", table),
            StatementKind::conditional);
  }
  if (!added) return failure(added.error());
  return LeaseTable(cql, std::move(statements), consistency);
}

Request LeaseTable::request_of(Statement statement) const {
  Request request;
  request.statement = statement;
  request.consistency = consistency_;
  return request;
}

void LeaseTable::take(const ShardKey& key, const Uuid& owner, std::chrono::seconds ttl,
                      StoreRead<Lease> done) const noexcept {
  attempt_with(std::move(done), [&](const Kept<StoreRead<Lease>>& kept) {
    Request read = request_of(statements_->read);
    read.values.text(key.datacenter).smallint(key.shard);
    // A plain read first: whoever finds an owner need not trouble Paxos.
    AnswerCallback answered = [self = *this, datacenter = std::string(key.datacenter), shard = key.shard, owner, ttl,
                               kept](const Answer& answer) {
      if (!answer.ok()) return (*kept)(status_of(answer), {});
      attempt(kept, [&] { self.take_or_renew(standing_in(answer), {datacenter, shard}, owner, ttl, kept); });
    };
    cql_->execute(std::move(read), std::move(answered));
  });
}

// After what the plain read has found.
void LeaseTable::take_or_renew(const LeaseStanding& standing, const ShardKey& key, const Uuid& owner,
                               std::chrono::seconds ttl, const Kept<StoreRead<Lease>>& done) const {
  if (standing.owner == owner) return renew(key, owner, standing.epoch.value_or(0), ttl, *done);
  if (standing.owner) return (*done)({}, lease_of(standing, owner));
  const std::int64_t epoch = standing.epoch.value_or(0) + 1;
  const auto make = [self = *this, datacenter = std::string(key.datacenter), shard = key.shard, owner, ttl,
                     before = standing.epoch, epoch] {
    Request request = self.request_of(self.statements_->take);
    request.values.integer(seconds_of(ttl)).uuid(owner).text(datacenter).smallint(shard);
    before ? request.values.bigint(*before) : request.values.null();
    request.values.bigint(epoch).text(datacenter).smallint(shard);
    return request;
  };
  execute_twice(*cql_, done, make, [owner, epoch, done](const Answer& taken) {
    if (!taken.ok()) return (*done)(status_of(taken), {});
    // Not applied, and yet ours: the first of two was.
    (*done)({}, taken.applied() ? Lease{true, owner, epoch} : lease_of(standing_in(taken), owner));
  });
}

void LeaseTable::renew(const ShardKey& key, const Uuid& owner, std::int64_t epoch, std::chrono::seconds ttl,
                       StoreRead<Lease> done) const noexcept {
  attempt_with(std::move(done), [&](const Kept<StoreRead<Lease>>& kept) {
    const auto make = [self = *this, datacenter = std::string(key.datacenter), shard = key.shard, owner, epoch, ttl] {
      Request request = self.request_of(self.statements_->renew);
      request.values.integer(seconds_of(ttl)).uuid(owner).text(datacenter).smallint(shard);
      request.values.uuid(owner).bigint(epoch);
      return request;
    };
    execute_twice(*cql_, kept, make, [owner, epoch, kept](const Answer& renewed) {
      if (!renewed.ok()) return (*kept)(status_of(renewed), {});
      Lease lease = renewed.applied() ? Lease{true, owner, epoch} : lease_of(standing_in(renewed), owner);
      lease.held = renewed.applied();  // of another epoch it is not the same lease
      (*kept)({}, lease);
    });
  });
}

void LeaseTable::release(const ShardKey& key, const Uuid& owner, std::int64_t epoch, StoreDone done) const noexcept {
  attempt_with(std::move(done), [&](const Kept<StoreDone>& kept) {
    const auto make = [self = *this, datacenter = std::string(key.datacenter), shard = key.shard, owner, epoch] {
      Request request = self.request_of(self.statements_->release);
      request.values.text(datacenter).smallint(shard).uuid(owner).bigint(epoch);
      return request;
    };
    // Not applied: somebody else has it, or nobody any more. Either way it is not ours.
    execute_twice(*cql_, kept, make, [kept](const Answer& released) { (*kept)(status_of(released)); });
  });
}

}  // namespace arca::cassandra
