// What the tests of `arca query` share: a state directory, processes that record into it through arca::Telemetry while
// no Collector is there, and the little shop whose telemetry is looked for. Used by tests/cli/query_*_test.cpp.
#pragma once

#include <gtest/gtest.h>
#include <opentelemetry/logs/provider.h>
#include <opentelemetry/metrics/provider.h>
#include <opentelemetry/trace/provider.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "arca/telemetry.hpp"
#include "cli/otlp_request.hpp"
#include "cli/run_command.hpp"
#include "journal/journal.hpp"
#include "otlp/reader.hpp"
#include "support/fork_quiet.hpp"
#include "support/shared_text.hpp"
#include "support/temporary_directory.hpp"
#include "support/wait.hpp"

namespace arca::cli::testing {

namespace otel = opentelemetry;
using Json = nlohmann::ordered_json;

inline std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
  return lines;
}

inline std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

class QueryTest : public ::testing::Test {
 protected:
  [[nodiscard]] Config config(const std::string& service) const {
    Config config;
    config.service_name = service;
    config.state_directory = state_;
    config.pool_directory = directory_.path();
    config.pool_size = 8U << 20U;
    config.otlp.protocol = "http/protobuf";
    config.otlp.endpoint = "http://127.0.0.1:9";  // nobody
    config.schedule_delay = std::chrono::milliseconds(20);
    config.self_metrics = false;
    config.shutdown_timeout = std::chrono::milliseconds(100);
    config.recovery.enabled = false;
    config.install_global = false;
    return config;
  }
  [[nodiscard]] std::unique_ptr<Telemetry> start(const Config& with) const {
    auto started = Telemetry::start(with);
    EXPECT_TRUE(started) << started.error().message();
    return started ? std::move(*started) : nullptr;
  }

  // Records with `record` in a process of its own, which is then killed.
  void in_killed_process(const Config& with, const std::function<void(Telemetry&)>& record) const {
    ASSERT_TRUE(support::rest_before_fork());
    const pid_t child = fork();
    if (child == 0) {
      auto telemetry = Telemetry::start(with);
      if (!telemetry) _exit(1);
      record(**telemetry);
      kill(getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended with " << status;
  }

  // A checkout: GET /checkout with a child that fails, with an exception, a link and log records. Returns the trace id.
  static std::string record_checkout(Telemetry& telemetry, std::int64_t customer = 42) {
    const auto tracer = telemetry.tracer_provider()->GetTracer("shop", "1.0");
    const auto logger = telemetry.logger_provider()->GetLogger("shop");
    const auto earlier = tracer->StartSpan("earlier");
    const auto root = tracer->StartSpan("GET /checkout", {{"customer.id", customer}});
    const otel::trace::Scope scope(root);
    logger->Info("checkout begins", otel::common::MakeAttributes({{"items", 3}}));
    {
      const auto charge =
          tracer->StartSpan("charge card", {{"card.kind", "visa"}}, {{earlier->GetContext(), {{"why", "retry"}}}});
      const otel::trace::Scope inner(charge);
      charge->AddEvent("exception", {{"exception.type", "CardError"},
                                     {"exception.message", "card declined"},
                                     {"exception.stacktrace", "at charge()\nat checkout()"}});
      logger->Error("the bank said no");
      std::this_thread::sleep_for(std::chrono::milliseconds(3));  // a duration to look for, not a synchronisation
      charge->SetStatus(otel::trace::StatusCode::kError, "card declined");
      charge->End();
    }
    tracer->StartSpan("render")->End();
    root->SetStatus(otel::trace::StatusCode::kOk);
    root->End();
    earlier->End();
    std::array<char, 32> id;
    root->GetContext().trace_id().ToLowerBase16(id);
    return {id.data(), id.size()};
  }

  [[nodiscard]] Outcome query(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "query");
    arguments.insert(arguments.end(), {"--state", state_});
    return run(arguments);
  }

  // Puts a request into the journal of a writer (0: a new one), or into its quarantine.
  void keep(const std::string& folder, model::Signal signal, const std::string& request, std::uint64_t writer = 7,
            std::uint64_t sequence = 1) const {
    os::SystemClock clock;
    journal::JournalOptions options;
    options.directory = state_ + "/" + folder;
    options.writer = {writer};
    options.size_max = 16U << 20U;
    options.segment_size = 4U << 20U;
    const auto journal = journal::Journal::open(os::posix_file_system(), clock, options);
    ASSERT_TRUE(journal) << journal.error().message();
    model::Chunk chunk;
    chunk.id = {{writer}, sequence};
    chunk.signal = signal;
    chunk.item_count = 1;
    chunk.sealed_at = clock.wall_now();
    chunk.payload = model::Payload::copy_of(base::as_bytes(request));
    ASSERT_TRUE((*journal)->append(chunk));
  }
  static std::string writer_folder(std::uint64_t writer) {
    return "writers/" + model::to_string(model::WriterId{writer}) + "/journal";
  }

  support::TemporaryDirectory directory_;
  std::string state_ = directory_ / "state";
};

// One span by hand; ids are given by a letter each, which fills them.
struct MadeSpan {
  char trace = 'T';
  char id = 'a';
  char parent = 0;
  std::string name = "work";
  std::uint64_t start = 1'700'000'000'000'000'000ULL;
  std::uint64_t length = 1'000'000;
};
inline std::string fixed(unsigned number, std::uint64_t value) {
  std::string bytes = varint(number << 3U | 1U);
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  return bytes;
}
inline std::string request_with(const std::vector<MadeSpan>& made, const std::string& service = "shop") {
  std::string records;
  for (const MadeSpan& each : made) {
    std::string span = field(1, std::string(16, each.trace)) + field(2, std::string(8, each.id));
    if (each.parent != 0) span += field(4, std::string(8, each.parent));
    records += field(2, span + field(5, each.name) + fixed(7, each.start) + fixed(8, each.start + each.length));
  }
  return field(1, field(1, field(1, text_attribute("service.name", service))) + field(2, records));
}
inline std::string hex_of(char letter) {
  std::string text;
  for (int i = 0; i < 16; ++i) text += otlp::to_hex(base::as_bytes({&letter, 1}));
  return text;
}

}  // namespace arca::cli::testing
