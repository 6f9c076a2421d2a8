#include "driver/driver.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "support/wait.hpp"

namespace arca::driver {
namespace {

Library load(const char* path) {
  void* handle = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw std::runtime_error(::dlerror());
  Library library{};
  auto find = [&]<class Function>(const char* name, Function& function) {
    void* symbol = ::dlsym(handle, name);
    if (symbol == nullptr) throw std::runtime_error(::dlerror());
    function = reinterpret_cast<Function>(symbol);
  };
  find("arca_cql_abi_version", library.abi_version);
  find("arca_cql_open", library.open);
  find("arca_cql_statement", library.statement);
  find("arca_cql_execute", library.execute);
  find("arca_cql_batch", library.batch);
  find("arca_cql_event_fd", library.event_fd);
  find("arca_cql_poll", library.poll);
  find("arca_cql_client_get_status", library.client_get_status);
  find("arca_cql_result_row_count", library.result_row_count);
  find("arca_cql_result_column_count", library.result_column_count);
  find("arca_cql_result_row", library.result_row);
  find("arca_cql_result_column_name", library.result_column_name);
  find("arca_cql_result_paging_state", library.result_paging_state);
  find("arca_cql_result_message", library.result_message);
  find("arca_cql_result_free", library.result_free);
  find("arca_cql_close", library.close);
  return library;
}

}  // namespace

const Library& library() {
  static const Library loaded = load(ARCA_CQL_LIBRARY);
  return loaded;
}

const Library& library_with_hooks() {
  static const Library loaded = load(ARCA_CQL_HOOKS_LIBRARY);
  return loaded;
}

std::string big_endian(std::int32_t number) {
  const auto bits = static_cast<std::uint32_t>(number);
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(bits >> shift & 0xFF));
  return bytes;
}

void Log::write(void* context, std::int32_t level, const char* text, std::size_t length) {
  auto* log = static_cast<Log*>(context);
  const std::lock_guard lock(log->mutex_);
  log->text_ += std::to_string(level) + " " + std::string(text, length) + "\n";
}

std::string Log::all() const {
  const std::lock_guard lock(mutex_);
  return text_;
}

Client::Client(const std::string& contact_points, const std::function<void(arca_cql_options&)>& change,
               const Library& library)
    : library_(library) {
  arca_cql_options options{};
  options.size = sizeof options;
  options.contact_points = contact_points.c_str();
  options.log = &Log::write;
  options.log_context = &log_;
  if (change) change(options);
  const int status = library_.open(&options, &client_);
  if (status != ARCA_CQL_OK) throw std::runtime_error("open: " + std::to_string(status) + " " + log_.all());
}

Client::~Client() { close(std::chrono::milliseconds(0)); }

int Client::close(std::chrono::milliseconds drain) {
  if (client_ == nullptr) return ARCA_CQL_CLOSED;
  return library_.close(std::exchange(client_, nullptr), static_cast<std::uint32_t>(drain.count()));
}

arca_cql_client_status Client::status() const {
  arca_cql_client_status status{};
  status.size = sizeof status;
  EXPECT_EQ(library_.client_get_status(client_, &status), ARCA_CQL_OK);
  return status;
}

bool Client::wait_connected(std::chrono::milliseconds timeout) const {
  return support::wait_until([&] { return status().connected == 1; }, timeout);
}

bool Client::wait_connect_status(int expected, std::chrono::milliseconds timeout) const {
  return support::wait_until(
      [&] {
        const auto now = status();
        return now.last_connect_status == expected && std::string_view(now.last_error) != "not connected yet";
      },
      timeout);
}

int Client::send(const Send& what, std::uint64_t tag) {
  std::uint32_t statement = 0;
  const int known = library_.statement(client_, what.text.data(), what.text.size(), what.flags, &statement);
  if (known != ARCA_CQL_OK) return known;
  const std::uint64_t key = next_key_++;
  auto& [caller_tag, borrowed] = in_flight_[key];
  caller_tag = tag;
  borrowed.send = what;
  for (const auto& value : borrowed.send.values) {
    if (!value) {
      borrowed.values.push_back({nullptr, -1});
    } else if (*value == unset) {
      borrowed.values.push_back({nullptr, -2});
    } else {
      borrowed.values.push_back({value->data(), static_cast<std::int64_t>(value->size())});
    }
  }
  const auto count = static_cast<std::uint32_t>(borrowed.values.size());
  int status = ARCA_CQL_OK;
  if (what.rows > 0) {
    arca_cql_batch_request request{.size = sizeof request,
                                   .statement = statement,
                                   .consistency = what.consistency,
                                   .reserved = 0,
                                   .timestamp_us = what.timestamp_us,
                                   .values = borrowed.values.data(),
                                   .values_per_row = count / what.rows,
                                   .row_count = what.rows,
                                   .tag = key};
    status = library_.batch(client_, &request);
  } else {
    arca_cql_request request{.size = sizeof request,
                             .statement = statement,
                             .consistency = what.consistency,
                             .serial = what.serial,
                             .timestamp_us = what.timestamp_us,
                             .values = borrowed.values.data(),
                             .value_count = count,
                             .page_size = what.page_size,
                             .paging_state = what.paging_state.empty() ? nullptr : what.paging_state.data(),
                             .paging_state_size = what.paging_state.size(),
                             .tag = key};
    status = library_.execute(client_, &request);
  }
  if (status != ARCA_CQL_OK) in_flight_.erase(key);
  return status;
}

std::optional<Answer> Client::take(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    arca_cql_completion completion{};
    if (library_.poll(client_, &completion, 1) == 1) {
      Answer answer = copy_out(completion);
      library_.result_free(completion.result);
      const auto found = in_flight_.find(completion.tag);
      EXPECT_NE(found, in_flight_.end()) << "a completion that nobody waits for, or the second of one request";
      if (found != in_flight_.end()) {
        answer.tag = found->second.first;
        in_flight_.erase(found);
      }
      return answer;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return std::nullopt;
    pollfd waiting{library_.event_fd(client_), POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(left.count())) == 1) {
      std::uint64_t count = 0;
      (void)!::read(waiting.fd, &count, sizeof count);
    }
  }
}

Answer Client::run(const Send& what) {
  const int status = send(what);
  if (status != ARCA_CQL_OK) {
    Answer refused;
    refused.status = status;
    refused.message = "refused by the function itself";
    return refused;
  }
  auto answer = take();
  if (!answer) throw std::runtime_error("no completion within 30 s");
  return *answer;
}

Answer Client::copy_out(const arca_cql_completion& completion) const {
  Answer answer;
  answer.status = completion.status;
  answer.server_code = completion.server_code;
  answer.latency = std::chrono::nanoseconds(completion.latency_ns);
  const arca_cql_result* result = completion.result;
  if (result == nullptr) return answer;
  if (const char* message = library_.result_message(result)) {
    answer.message = message;
    return answer;
  }
  answer.has_rows = true;
  const std::uint32_t columns = library_.result_column_count(result);
  for (std::uint32_t i = 0; i < columns; ++i) answer.columns.emplace_back(library_.result_column_name(result, i));
  for (std::uint64_t i = 0; i < library_.result_row_count(result); ++i) {
    const arca_cql_cell* cells = library_.result_row(result, i);
    auto& row = answer.rows.emplace_back();
    for (std::uint32_t j = 0; j < columns; ++j) {
      if (cells[j].size < 0) {
        row.emplace_back(std::nullopt);
      } else {
        row.emplace_back(std::string(static_cast<const char*>(cells[j].data), static_cast<std::size_t>(cells[j].size)));
      }
    }
  }
  std::size_t size = 0;
  if (const void* state = library_.result_paging_state(result, &size)) {
    answer.paging_state.assign(static_cast<const char*>(state), size);
  }
  EXPECT_EQ(library_.result_row(result, answer.rows.size()), nullptr);
  EXPECT_EQ(library_.result_column_name(result, columns), nullptr);
  return answer;
}

}  // namespace arca::driver
