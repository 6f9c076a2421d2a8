// The Cassandra driver as its callers see it: the exported C symbols of the shared library, through dlopen. Used by the
// tests of this folder only; libarca has a loader of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arca_cql.h"

namespace arca::driver {

// The functions of one build of the library. Never unloaded.
struct Library {
  decltype(&arca_cql_abi_version) abi_version;
  decltype(&arca_cql_open) open;
  decltype(&arca_cql_statement) statement;
  decltype(&arca_cql_execute) execute;
  decltype(&arca_cql_batch) batch;
  decltype(&arca_cql_event_fd) event_fd;
  decltype(&arca_cql_poll) poll;
  decltype(&arca_cql_client_get_status) client_get_status;
  decltype(&arca_cql_result_row_count) result_row_count;
  decltype(&arca_cql_result_column_count) result_column_count;
  decltype(&arca_cql_result_row) result_row;
  decltype(&arca_cql_result_column_name) result_column_name;
  decltype(&arca_cql_result_paging_state) result_paging_state;
  decltype(&arca_cql_result_message) result_message;
  decltype(&arca_cql_result_free) result_free;
  decltype(&arca_cql_close) close;
};

const Library& library();             // what is shipped
const Library& library_with_hooks();  // with panics on demand

// A completion with its result copied out.
struct Answer {
  std::uint64_t tag = 0;
  int status = -1;
  int server_code = 0;
  std::chrono::nanoseconds latency{};
  bool has_rows = false;
  std::vector<std::string> columns{};
  std::vector<std::vector<std::optional<std::string>>> rows{};
  std::string paging_state{};
  std::string message{};
};

// Values of a request; nullopt is null.
using Values = std::vector<std::optional<std::string>>;
inline const std::string unset("\0unset", 6);  // as a value: leaves the column alone

std::string big_endian(std::int32_t number);

// What the log function was given. Thread-safe.
class Log {
 public:
  static void write(void* context, std::int32_t level, const char* text, std::size_t length);
  std::string all() const;

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

struct Send {
  std::string text{};
  Values values{};
  std::uint32_t flags = ARCA_CQL_IDEMPOTENT;
  std::uint16_t consistency = ARCA_CQL_LOCAL_QUORUM;
  std::uint16_t serial = 0;
  std::int64_t timestamp_us = 0;
  std::uint32_t page_size = 0;
  std::string paging_state{};
  std::uint32_t rows = 0;  // 0: execute; else a batch of so many rows
};

// Not thread-safe: one test thread. Closes in its destructor.
class Client {
 public:
  explicit Client(const std::string& contact_points, const std::function<void(arca_cql_options&)>& change = {},
                  const Library& library = driver::library());
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] arca_cql_client* get() const noexcept { return client_; }
  [[nodiscard]] arca_cql_client_status status() const;
  bool wait_connected(std::chrono::milliseconds timeout = std::chrono::seconds(30)) const;
  // Waits until the last attempt to connect had that outcome.
  bool wait_connect_status(int expected, std::chrono::milliseconds timeout = std::chrono::seconds(30)) const;

  // Begins; the answer comes by take() with the number that send() set as tag. Returns the status of the function.
  int send(const Send& what, std::uint64_t tag = 0);
  std::optional<Answer> take(std::chrono::milliseconds timeout = std::chrono::seconds(30));
  // Both: the answer, or one with the status of the function.
  Answer run(const Send& what);
  Answer run(const std::string& text, Values values = {}, std::uint32_t flags = ARCA_CQL_IDEMPOTENT) {
    return run(Send{.text = text, .values = std::move(values), .flags = flags});
  }
  int close(std::chrono::milliseconds drain);
  const Log& log() const noexcept { return log_; }

 private:
  struct Borrowed {  // what a request points into until its completion is taken
    Send send{};
    std::vector<arca_cql_value> values{};
  };
  Answer copy_out(const arca_cql_completion& completion) const;

  const Library& library_;
  arca_cql_client* client_ = nullptr;
  Log log_;
  std::uint64_t next_key_ = 1;
  std::map<std::uint64_t, std::pair<std::uint64_t, Borrowed>> in_flight_;
};

}  // namespace arca::driver
