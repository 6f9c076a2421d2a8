// ScriptedCql: a Cql that keeps what is asked and answers when the test says so. For the answers of a cluster that come
// in an order, or with an outcome, that no real one gives when asked to.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "cassandra/cql.hpp"

namespace arca::cassandra {

// Rows made of values.
class ScriptedRows final : public Answer::Rows {
 public:
  ScriptedRows(std::vector<std::string> columns, Values values)
      : columns_(std::move(columns)), values_(std::move(values)) {
    for (std::size_t i = 0; i < values_.count(); ++i) cells_.push_back({values_.at(i).data, values_.at(i).size});
  }
  [[nodiscard]] std::size_t count() const noexcept override { return cells_.size() / columns_.size(); }
  [[nodiscard]] Row row(std::size_t index) const noexcept override {
    return {cells_.data() + index * columns_.size(), columns_.size()};
  }
  [[nodiscard]] std::vector<std::string> columns() const override { return columns_; }
  [[nodiscard]] base::Bytes paging_state() const noexcept override { return {}; }

 private:
  std::vector<std::string> columns_;
  Values values_;
  std::vector<Row::Cell> cells_;
};

// Not thread-safe: one test thread.
class ScriptedCql final : public Cql {
 public:
  struct Asked {
    std::string text;
    Values values;
    std::uint32_t row_count = 1;
    std::int64_t timestamp_us = 0;
    bool is_batch = false;
    AnswerCallback done;
  };

  Result<Statement> statement(std::string_view text, StatementKind) override {
    texts_.emplace_back(text);
    return Statement{static_cast<std::uint32_t>(texts_.size() - 1)};
  }
  void execute(Request request, AnswerCallback done) noexcept override {
    asked.push_back(
        {texts_[request.statement.number], std::move(request.values), 1, request.timestamp_us, false, std::move(done)});
  }
  void batch(Batch batch, AnswerCallback done) noexcept override {
    asked.push_back({texts_[batch.statement.number], std::move(batch.values), batch.row_count, batch.timestamp_us, true,
                     std::move(done)});
  }
  [[nodiscard]] bool has_window(std::uint64_t) const noexcept override { return true; }
  [[nodiscard]] ConnectionStatus status() const override { return {}; }

  // Takes the oldest request.
  Asked take() {
    Asked one = std::move(asked.front());
    asked.pop_front();
    return one;
  }
  void answer(Outcome outcome, std::unique_ptr<Answer::Rows> rows = nullptr) {
    const Asked one = take();
    Answer made;
    made.outcome = outcome;
    made.message = outcome == Outcome::ok ? "" : "as scripted";
    made.rows = std::move(rows);
    one.done(std::move(made));
  }

  std::deque<Asked> asked;

 private:
  std::vector<std::string> texts_;
};

}  // namespace arca::cassandra
