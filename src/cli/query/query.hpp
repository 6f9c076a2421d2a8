// Query: what the command line of `arca query` asks for, checked; and the two steps behind it. Used by
// query_command.cpp and the tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/console.hpp"
#include "cli/query/filter.hpp"
#include "cli/query/screen.hpp"
#include "cli/query/telemetry_store.hpp"
#include "os/clock.hpp"

namespace arca::cli::query {

enum class Subject : std::uint8_t { services, operations, traces, trace, logs, metrics };
inline constexpr std::size_t subject_count = 6;
std::string_view to_string(Subject subject) noexcept;
std::optional<Subject> parse_subject(std::string_view text) noexcept;

struct Query {
  Subject subject = Subject::services;
  Filter filter;
  std::size_t limit = 0;
  bool json = false;
  bool follow = false;
  bool details = false;
};

// As typed; empty: not given.
struct QueryWords {
  std::string subject;
  std::string id;
  std::string service;
  std::string operation;
  std::string since;
  std::string until;
  std::string duration_min;
  std::string status;
  std::vector<std::string> attributes;
  std::string trace;
  std::string severity;
  std::string contains;
  std::string metric;
  std::size_t limit = 0;
  bool json = false;
  bool follow = false;
  bool details = false;
};

// ErrorCode::invalid_config with what is wrong and what is allowed.
Result<Query> make_query(const QueryWords& words, base::WallTime now);

// Answers from the store, and returns the exit code. With `follow` it goes on until SIGINT or SIGTERM.
int run_query(const Query& query, TelemetryStore& store, os::Clock& clock, Console& console, const Screen& screen);

}  // namespace arca::cli::query
