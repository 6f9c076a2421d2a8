#include "cassandra/cql_outcome.hpp"

#include <cstddef>
#include <exception>
#include <type_traits>

namespace arca::cassandra {
namespace {

struct Meaning {
  Outcome outcome = Outcome::unknown;
  Refusal refusal = Refusal::none;
  const char* text = "a status of the driver that this Arca does not know";
};

Meaning meaning_of(std::int32_t status) noexcept {
  switch (status) {
    case ARCA_CQL_OK:
      return {Outcome::ok, Refusal::none, ""};
    case ARCA_CQL_WINDOW_FULL:
      return {Outcome::not_sent, Refusal::none, "too many requests are under way"};
    case ARCA_CQL_NOT_CONNECTED:
      return {Outcome::not_sent, Refusal::none, "no node is connected"};
    case ARCA_CQL_CLOSED:
      return {Outcome::not_sent, Refusal::none, "the client is closed"};
    case ARCA_CQL_FORKED:
      return {Outcome::not_sent, Refusal::none, "the client belongs to the parent process"};
    case ARCA_CQL_NO_RESOURCES:
      return {Outcome::not_sent, Refusal::none, "no memory, thread or descriptor"};
    case ARCA_CQL_UNAVAILABLE:
      return {Outcome::not_taken, Refusal::none, "too few replicas are alive for the consistency"};
    case ARCA_CQL_OVERLOADED:
      return {Outcome::not_taken, Refusal::none, "the node is overloaded"};
    case ARCA_CQL_TIMED_OUT:
      return {Outcome::unknown, Refusal::none, "no answer in time"};
    case ARCA_CQL_WRITE_TIMEOUT:
      return {Outcome::unknown, Refusal::none, "too few replicas acknowledged the write in time"};
    case ARCA_CQL_READ_TIMEOUT:
      return {Outcome::unknown, Refusal::none, "too few replicas answered the read in time"};
    case ARCA_CQL_CONNECTION_LOST:
      return {Outcome::unknown, Refusal::none, "the connection broke"};
    case ARCA_CQL_SERVER:
      return {Outcome::unknown, Refusal::none, "an error of the server"};
    case ARCA_CQL_PANIC:
      return {Outcome::unknown, Refusal::none, "a defect of the driver"};
    case ARCA_CQL_AUTHENTICATION:
      return {Outcome::refused, Refusal::authentication, "wrong or missing credentials, or not permitted"};
    case ARCA_CQL_TLS:
      return {Outcome::refused, Refusal::tls, "certificate, host name or TLS hand-shake"};
    case ARCA_CQL_SCHEMA:
      return {Outcome::refused, Refusal::schema, "keyspace, table or column is missing or of another type"};
    case ARCA_CQL_INVALID:
      return {Outcome::refused, Refusal::invalid, "the server refuses the statement"};
    case ARCA_CQL_USAGE:
      return {Outcome::refused, Refusal::usage, "the driver refuses the call"};
    default:
      return {};
  }
}

// The rows are read where the driver keeps them. Its cells and ours are both an address and a size.
static_assert(sizeof(Row::Cell) == sizeof(arca_cql_cell) && alignof(Row::Cell) == alignof(arca_cql_cell));
static_assert(offsetof(Row::Cell, data) == offsetof(arca_cql_cell, data));
static_assert(offsetof(Row::Cell, size) == offsetof(arca_cql_cell, size));
static_assert(std::is_standard_layout_v<Row::Cell>);

class DriverRows final : public Answer::Rows {
 public:
  DriverRows(const CqlLibrary& library, arca_cql_result* result) : library_(library), result_(result) {}
  ~DriverRows() override { library_.result_free(result_); }
  DriverRows(const DriverRows&) = delete;
  DriverRows& operator=(const DriverRows&) = delete;

  [[nodiscard]] std::size_t count() const noexcept override { return library_.result_row_count(result_); }
  [[nodiscard]] Row row(std::size_t index) const noexcept override {
    const arca_cql_cell* const cells = library_.result_row(result_, index);
    return {reinterpret_cast<const Row::Cell*>(cells), cells == nullptr ? 0 : library_.result_column_count(result_)};
  }
  [[nodiscard]] std::vector<std::string> columns() const override {
    std::vector<std::string> names;
    const std::uint32_t count = library_.result_column_count(result_);
    for (std::uint32_t i = 0; i < count; ++i) {
      const char* const name = library_.result_column_name(result_, i);
      names.emplace_back(name != nullptr ? name : "");
    }
    return names;
  }
  [[nodiscard]] base::Bytes paging_state() const noexcept override {
    std::size_t size = 0;
    const void* const data = library_.result_paging_state(result_, &size);
    return {static_cast<const std::byte*>(data), data != nullptr ? size : 0};
  }

 private:
  const CqlLibrary library_;  // a copy: an answer may outlive its client
  arca_cql_result* const result_;
};

}  // namespace

Answer answer_of_call(std::int32_t status) noexcept {
  const Meaning meaning = meaning_of(status);
  Answer answer;
  // A call that is answered so did not begin, unless the driver itself broke in it.
  answer.outcome = meaning.outcome == Outcome::ok ? Outcome::unknown : meaning.outcome;
  answer.refusal = meaning.refusal;
  try {
    answer.message = meaning.text;
  } catch (const std::exception&) {  // no memory for the text; the outcome is what counts
  }
  return answer;
}

Answer answer_of_completion(const CqlLibrary& library, const arca_cql_completion& completion) {
  const Meaning meaning = meaning_of(completion.status);
  Answer answer;
  answer.outcome = meaning.outcome;
  answer.refusal = meaning.refusal;
  // It was under way, when the client closed or when there was no memory for its answer: it may have been written.
  if (completion.status == ARCA_CQL_CLOSED || completion.status == ARCA_CQL_FORKED ||
      completion.status == ARCA_CQL_NO_RESOURCES) {
    answer.outcome = Outcome::unknown;
  }
  if (completion.result == nullptr) {
    if (!answer.ok()) answer.message = meaning.text;
    return answer;
  }
  auto rows = std::make_unique<DriverRows>(library, completion.result);
  if (answer.ok()) {
    answer.rows = std::move(rows);
  } else {
    const char* const said = library.result_message(completion.result);
    answer.message = said != nullptr && *said != '\0' ? said : meaning.text;
  }
  return answer;
}

}  // namespace arca::cassandra
