// ClosableCql: a Cql that can end before those who use it. Sinks, row writer and parked source send from several
// threads until they are gone themselves; after close() what they send is answered at once: not sent. Used by whoever
// owns a client together with them.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "cassandra/cql.hpp"

namespace arca::cassandra {

// Thread-safe.
class ClosableCql final : public Cql {
 public:
  explicit ClosableCql(std::unique_ptr<Cql> inner);
  ~ClosableCql() override;  // closes
  ClosableCql(const ClosableCql&) = delete;
  ClosableCql& operator=(const ClosableCql&) = delete;

  // Is called, on any thread, when a server says that tables are not as they were.
  void set_schema_watch(std::function<void()> watch);

  Result<Statement> statement(std::string_view text, StatementKind kind) override;
  void execute(Request request, AnswerCallback done) noexcept override;
  void batch(Batch batch, AnswerCallback done) noexcept override;
  [[nodiscard]] bool has_window(std::uint64_t bytes) const noexcept override;
  [[nodiscard]] ConnectionStatus status() const override;
  // Closes and destroys the inner Cql, which calls back for all that is under way.
  void close(base::SteadyTime deadline) noexcept override;

 private:
  void end(std::optional<base::SteadyTime> deadline) noexcept;
  [[nodiscard]] std::shared_ptr<Cql> inner() const noexcept;
  [[nodiscard]] AnswerCallback watched(AnswerCallback done) const;

  mutable std::mutex mutex_;
  std::shared_ptr<Cql> inner_;  // these protected by mutex_
  std::shared_ptr<const std::function<void()>> watch_;
};

}  // namespace arca::cassandra
