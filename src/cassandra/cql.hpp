// Cql: the seam to a Cassandra cluster. Statements with values go in, answers come back on the client's thread. The
// real one is CqlClient (cql_client.hpp), over the driver's C interface; tests script their own. Used by CqlStore,
// Schema and the row scanner; nobody above them sees CQL.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arca/result.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "cassandra/settings.hpp"
#include "cassandra/uuid.hpp"

namespace arca::cassandra {

// What became of a request, as far as whoever asked must act on it.
enum class Outcome : std::uint8_t {
  ok,
  not_sent,   // window full, not connected, closing: nothing happened; try again later
  not_taken,  // unavailable or overloaded: nothing was written; try again later
  unknown,    // time-out, connection lost: it may have happened; the same statement may be sent again
  refused,    // invalid, schema, authentication, TLS: sending it again changes nothing until somebody acts
};
std::string_view to_string(Outcome outcome) noexcept;

// More about a refusal, for those who can do something.
enum class Refusal : std::uint8_t { none, authentication, tls, schema, invalid, usage };

// The values of one execution in the order of its markers. Small ones are copied; a borrowed blob is not: its owner is
// held until the answer is there. Not thread-safe. Movable.
class Values {
 public:
  void reserve(std::size_t value_count, std::size_t copied_bytes) {
    entries_.reserve(value_count);
    arena_.reserve(copied_bytes);
  }
  Values& text(std::string_view value);
  Values& blob(base::Bytes value);  // copied
  Values& borrow(base::Bytes value, std::shared_ptr<const void> owner);
  Values& boolean(bool value);
  Values& tinyint(std::int8_t value);
  Values& smallint(std::int16_t value);
  Values& integer(std::int32_t value);
  Values& bigint(std::int64_t value);
  Values& timestamp(base::WallTime value);  // milliseconds, rounded down
  Values& uuid(const Uuid& value);
  Values& text_set(const std::vector<std::string>& value);
  Values& null();
  Values& unset();

  [[nodiscard]] std::size_t count() const noexcept { return entries_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }  // over all values
  // -1 is null, -2 unset, otherwise the size; `data` is valid until the next call that adds.
  struct View {
    const std::byte* data = nullptr;
    std::int64_t size = -1;
  };
  [[nodiscard]] View at(std::size_t index) const noexcept;

 private:
  struct Entry {
    std::size_t offset = 0;  // in arena_, if not borrowed
    const std::byte* borrowed = nullptr;
    std::int64_t size = -1;
  };
  Values& add(base::Bytes value);

  std::vector<Entry> entries_;
  std::vector<std::byte> arena_;
  std::vector<std::shared_ptr<const void>> owners_;
  std::size_t bytes_ = 0;
};

// One row of an answer; its bytes live as long as the Answer. Readers give nothing for null and for another size.
class Row {
 public:
  struct Cell {
    const std::byte* data = nullptr;
    std::int64_t size = -1;  // -1: null
  };
  Row(const Cell* cells, std::size_t count) : cells_(cells), count_(count) {}

  [[nodiscard]] bool is_null(std::size_t column) const noexcept;
  [[nodiscard]] base::Bytes bytes(std::size_t column) const noexcept;  // empty for null
  [[nodiscard]] std::string_view text(std::size_t column) const noexcept;
  [[nodiscard]] std::optional<bool> boolean(std::size_t column) const noexcept;
  [[nodiscard]] std::optional<std::int8_t> tinyint(std::size_t column) const noexcept;
  [[nodiscard]] std::optional<std::int16_t> smallint(std::size_t column) const noexcept;
  [[nodiscard]] std::optional<std::int32_t> integer(std::size_t column) const noexcept;
  [[nodiscard]] std::optional<std::int64_t> bigint(std::size_t column) const noexcept;
  [[nodiscard]] std::optional<base::WallTime> timestamp(std::size_t column) const noexcept;
  [[nodiscard]] std::optional<Uuid> uuid(std::size_t column) const noexcept;
  [[nodiscard]] std::vector<std::string> text_set(std::size_t column) const;  // of set<text> or list<text>
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

 private:
  const Cell* cells_;
  std::size_t count_;
};

// What a server answered. Movable; cheap to hold, its rows are the driver's memory.
class Answer {
 public:
  // Where the rows of an answer lie.
  class Rows {
   public:
    virtual ~Rows() = default;
    [[nodiscard]] virtual std::size_t count() const noexcept = 0;
    [[nodiscard]] virtual Row row(std::size_t index) const noexcept = 0;
    [[nodiscard]] virtual std::vector<std::string> columns() const = 0;
    [[nodiscard]] virtual base::Bytes paging_state() const noexcept = 0;  // empty: no further page
  };

  Outcome outcome = Outcome::unknown;
  Refusal refusal = Refusal::none;
  std::string message;         // of a failure, for people
  std::unique_ptr<Rows> rows;  // null: none

  [[nodiscard]] bool ok() const noexcept { return outcome == Outcome::ok; }
  [[nodiscard]] std::size_t row_count() const noexcept { return rows ? rows->count() : 0; }
  [[nodiscard]] Row row(std::size_t index) const noexcept { return rows->row(index); }
  // Of a conditional statement: whether it was applied (the first column, a boolean).
  [[nodiscard]] bool applied() const noexcept;
  // The failure as an Error: unavailable, timeout, invalid_config or not_found, with the message. Requires !ok().
  [[nodiscard]] Error error() const;
};
using AnswerCallback = std::function<void(Answer)>;

enum class StatementKind : std::uint8_t {
  idempotent,   // reads and upserts
  conditional,  // IF ...: by Paxos, never sent twice by the driver
};

// Names a statement text at one Cql.
struct Statement {
  std::uint32_t number = 0;
  bool is_read = false;
};

struct Request {
  Statement statement;
  Values values;
  std::optional<Consistency> consistency = {};  // empty: as configured
  bool serial = false;                          // a read that sees the outcome of conditional statements
  std::int64_t timestamp_us = 0;                // of a write: the same at every repetition; 0: now
  std::uint32_t page_size = 0;                  // rows; 0: the driver's default
  std::vector<std::byte> paging_state = {};
};

// Rows of one partition and one statement, written as one unlogged batch.
struct Batch {
  Statement statement;
  Values values;  // row by row
  std::uint32_t row_count = 0;
  std::int64_t timestamp_us = 0;
};

struct ConnectionStatus {
  bool connected = false;
  std::uint32_t node_count = 0;
  std::uint32_t up_count = 0;
  std::uint32_t in_flight = 0;
  std::uint64_t in_flight_bytes = 0;
  std::string datacenter;  // whose nodes are asked; empty while not connected
  std::string last_error;  // of connecting; without secrets
};

// Thread-safe. Callbacks run on a thread of the client, or before the call returns if nothing could be sent; they must
// not wait, and may call back. Each is called exactly once, also when the client is closed.
class Cql {
 public:
  virtual ~Cql() = default;
  // Registers a text; the server is asked at its first use. The same text gives the same number.
  virtual Result<Statement> statement(std::string_view text, StatementKind kind) = 0;
  virtual void execute(Request request, AnswerCallback done) noexcept = 0;
  virtual void batch(Batch batch, AnswerCallback done) noexcept = 0;
  // Whether another request of so many bytes would be sent now: the window has room, and a node is connected. When it
  // is not, an answer under way or the next connection will change it; nobody is told, so ask again after a while.
  [[nodiscard]] virtual bool has_window(std::uint64_t bytes) const noexcept = 0;
  [[nodiscard]] virtual ConnectionStatus status() const = 0;
  // Ends for good: takes nothing more, waits until the deadline for answers, and then gives those that are missing
  // itself. The destructor is the same without a deadline of the caller's. Requires: not in a callback.
  virtual void close(base::SteadyTime /*deadline*/) noexcept {}
};

// Executes and waits for the answer, or for the time-out (Outcome::unknown; the answer is then dropped). Must not be
// called from a callback. For start-up and for commands.
Answer execute_and_wait(Cql& cql, Request request, std::chrono::milliseconds timeout);

}  // namespace arca::cassandra
