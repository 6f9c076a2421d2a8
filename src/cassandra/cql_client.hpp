// CqlClient: the real Cql, over the driver's C interface (driver/include/arca_cql.h). It loads libarca_cql.so when it
// is opened, and has one thread that waits for completions and calls back. Used where a Cassandra tier is configured.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "cassandra/cql.hpp"
#include "cassandra/settings.hpp"

namespace arca::cassandra {

class CqlClient final : public Cql {
 public:
  // Returns at once; it connects in the background, for ever. ErrorCode::not_found if there is no driver (the message
  // says where it was looked for), unsupported_version if it speaks another version, invalid_config if an option cannot
  // work.
  static Result<std::unique_ptr<CqlClient>> open(const ConnectionSettings& settings);
  // Requires: not in a callback. In a forked child it lets go of everything.
  ~CqlClient() override;

  Result<Statement> statement(std::string_view text, StatementKind kind) override;
  void execute(Request request, AnswerCallback done) noexcept override;
  void batch(Batch batch, AnswerCallback done) noexcept override;
  [[nodiscard]] bool has_window(std::uint64_t bytes) const noexcept override;
  [[nodiscard]] ConnectionStatus status() const override;
  void close(base::SteadyTime deadline) noexcept override;
  // Waits until connected; the last error otherwise.
  Result<void> wait_connected(std::chrono::milliseconds timeout);

 private:
  class State;
  explicit CqlClient(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace arca::cassandra
