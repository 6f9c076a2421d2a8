// A Cql that answers what a script says: each statement is known by its text, its handler gives rows or a failure.
// Answers come before execute() returns.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cassandra/cql.hpp"

namespace arca::fakes {

// Rows of an answer, each cell as the server would send it.
class FakeRows final : public cassandra::Answer::Rows {
 public:
  explicit FakeRows(std::vector<cassandra::Values> rows, std::vector<std::byte> next = {})
      : rows_(std::move(rows)), next_(std::move(next)) {
    for (const cassandra::Values& row : rows_) {
      std::vector<cassandra::Row::Cell> cells;
      for (std::size_t i = 0; i < row.count(); ++i) cells.push_back({row.at(i).data, row.at(i).size});
      cells_.push_back(std::move(cells));
    }
  }
  [[nodiscard]] std::size_t count() const noexcept override { return rows_.size(); }
  [[nodiscard]] cassandra::Row row(std::size_t index) const noexcept override {
    return {cells_[index].data(), cells_[index].size()};
  }
  [[nodiscard]] std::vector<std::string> columns() const override { return {}; }
  [[nodiscard]] base::Bytes paging_state() const noexcept override { return next_; }

 private:
  std::vector<cassandra::Values> rows_;
  std::vector<std::vector<cassandra::Row::Cell>> cells_;
  std::vector<std::byte> next_;
};

// Thread-safe, if the handlers are.
class FakeCql final : public cassandra::Cql {
 public:
  using Handler = std::function<cassandra::Answer(const cassandra::Request&)>;

  // Statements whose text contains `part`.
  void on(std::string part, Handler handler) { handlers_.emplace_back(std::move(part), std::move(handler)); }

  Result<cassandra::Statement> statement(std::string_view text, cassandra::StatementKind) override {
    texts_.emplace_back(text);
    return cassandra::Statement{static_cast<std::uint32_t>(texts_.size() - 1)};
  }
  void execute(cassandra::Request request, cassandra::AnswerCallback done) noexcept override {
    const std::string& text = texts_.at(request.statement.number);
    for (const auto& [part, handler] : handlers_) {
      if (text.find(part) == std::string::npos) continue;
      done(handler(request));
      return;
    }
    done(failed(cassandra::Outcome::refused, "no handler for " + text));
  }
  void batch(cassandra::Batch, cassandra::AnswerCallback done) noexcept override {
    done(failed(cassandra::Outcome::refused, "no batches here"));
  }
  [[nodiscard]] bool has_window(std::uint64_t) const noexcept override { return true; }
  [[nodiscard]] cassandra::ConnectionStatus status() const override { return {}; }

  static cassandra::Answer failed(cassandra::Outcome outcome, std::string message) {
    cassandra::Answer answer;
    answer.outcome = outcome;
    answer.message = std::move(message);
    return answer;
  }
  static cassandra::Answer rows(std::vector<cassandra::Values> rows, std::vector<std::byte> next = {}) {
    cassandra::Answer answer;
    answer.outcome = cassandra::Outcome::ok;
    answer.rows = std::make_unique<FakeRows>(std::move(rows), std::move(next));
    return answer;
  }

 private:
  std::vector<std::pair<std::string, Handler>> handlers_;
  std::vector<std::string> texts_;
};

}  // namespace arca::fakes
