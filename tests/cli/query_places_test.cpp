// `arca query` over the places on this host: whatever process recorded it, however it ended, it is found where it lies,
// once.
#include <fcntl.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "cli/query_fixture.hpp"
#include "cli/sink/sink_server.hpp"

namespace arca::cli {
namespace {

using namespace testing;
using QueryPlacesTest = testing::QueryTest;
using model::Signal;

TEST_F(QueryPlacesTest, ATraceIsShownWhileItsProcessLives) {
  const auto telemetry = start(config("shop"));
  const std::string id = record_checkout(*telemetry);
  const Outcome outcome = query({"trace", id});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  for (const char* part :
       {"GET /checkout", "charge card", "render", "error: card declined", "exception.type=\"CardError\"",
        "link to trace", "the bank said no", "checkout begins", "3 spans", "1 error", "2 log records"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << " is not in\n" << outcome.out;
  }
  EXPECT_EQ(outcome.out.find("exception.stacktrace"), std::string::npos);
  EXPECT_NE(query({"trace", id, "--details"}).out.find("exception.stacktrace"), std::string::npos);
}

TEST_F(QueryPlacesTest, ATraceIsShownAfterItsProcessWasKilled) {
  in_killed_process(config("shop"), [](Telemetry& telemetry) { record_checkout(telemetry); });
  const auto traces = lines_of(query({"traces", "--json", "--operation", "GET /checkout"}).out);
  ASSERT_EQ(traces.size(), 1U);
  const std::string id = traces[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"];
  const Outcome outcome = query({"trace", id});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("3 spans"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("2 log records"), std::string::npos) << outcome.out;
}

TEST_F(QueryPlacesTest, WhatPoolAndJournalHoldOfKilledProcessesIsAllFound) {
  Config small = config("shop");
  small.pool_size = 2U << 20U;
  constexpr std::size_t span_count = 20'000;  // some megabytes: the journal takes what the pool cannot
  in_killed_process(small, [](Telemetry& telemetry) {
    const auto tracer = telemetry.tracer_provider()->GetTracer("load");
    const std::string padding(200, 'x');
    for (std::size_t i = 0; i < span_count; ++i) tracer->StartSpan("work", {{"padding", padding}})->End();
  });
  const auto services = lines_of(query({"services", "--json"}).out);
  ASSERT_EQ(services.size(), 1U);
  EXPECT_EQ(services[0]["service"], "shop");
  EXPECT_EQ(services[0]["spans"], span_count);
  EXPECT_EQ(services[0]["places"], Json({"pool", "journal"}));
  const auto of_journal = lines_of(query({"services", "--json", "--from", "journal"}).out);
  const auto of_pool = lines_of(query({"services", "--json", "--from", "pool"}).out);
  // What was on its way from one to the other when the process was killed lies in both.
  EXPECT_GE(of_journal[0]["spans"].get<std::size_t>() + of_pool[0]["spans"].get<std::size_t>(), span_count);
}

TEST_F(QueryPlacesTest, ASpanThatLiesInSeveralPlacesIsShownOnceWithAllOfThem) {
  const std::string request = request_with({{.id = 'a'}, {.id = 'b', .parent = 'a'}});
  keep(writer_folder(7), Signal::traces, request, 7, 1);
  keep("quarantine/0000000000000008", Signal::traces, request, 8, 1);
  const Outcome outcome = query({"trace", hex_of('T')});
  EXPECT_NE(outcome.out.find("2 spans"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("in journal, quarantine"), std::string::npos) << outcome.out;
  const auto traces = lines_of(query({"traces", "--json"}).out);
  ASSERT_EQ(traces.size(), 1U);
  EXPECT_EQ(traces[0]["resourceSpans"][0]["scopeSpans"][0]["spans"].size(), 2U);
}

TEST_F(QueryPlacesTest, AChunkThatMovesBetweenPlacesCountsOnce) {
  const std::string request = request_with({{.id = 'a'}});
  keep(writer_folder(7), Signal::traces, request, 7, 1);
  keep("quarantine/0000000000000007", Signal::traces, request, 7, 1);
  EXPECT_EQ(lines_of(query({"services", "--json"}).out)[0]["spans"], 1);
}

TEST_F(QueryPlacesTest, RejectedTelemetryIsFoundInTheQuarantine) {
  keep("quarantine/0000000000000008", Signal::logs, logs(1, 3), 8, 1);
  const Outcome found = query({"logs", "--from", "quarantine", "--json"});
  EXPECT_EQ(found.code, 0) << found.err;
  EXPECT_EQ(lines_of(found.out).size(), 3U);
  EXPECT_EQ(query({"logs", "--from", "journal,pool"}).code, 7);
}

TEST_F(QueryPlacesTest, QueryingChangesNothing) {
  in_killed_process(config("shop"), [](Telemetry& telemetry) { record_checkout(telemetry); });
  keep("quarantine/0000000000000008", Signal::logs, logs(1, 3), 8, 1);
  const auto content = [&] {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
      std::ostringstream text;
      text << std::filesystem::last_write_time(entry.path()).time_since_epoch().count();
      if (entry.is_regular_file()) text << std::ifstream(entry.path()).rdbuf();
      all[entry.path()] = text.str();
    }
    return all;
  };
  const auto before = content();
  for (const char* what : {"services", "operations", "traces", "logs", "metrics"})
    EXPECT_NE(query({what}).code, 1) << what;
  EXPECT_EQ(content(), before);
}

TEST_F(QueryPlacesTest, DamageIsSaidAndTheRestIsShown) {
  keep(writer_folder(7), Signal::traces, request_with({{.trace = 'A', .name = "first"}}), 7, 1);
  keep(writer_folder(7), Signal::traces, request_with({{.trace = 'B', .name = "second"}}), 7, 2);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(state_)) {
    if (entry.path().extension() != ".segment") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const std::size_t at = text.find("first");
    if (at == std::string::npos) continue;
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file << "FIRST";
  }
  const Outcome outcome = query({"traces"});
  EXPECT_EQ(outcome.code, 1) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("second"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.err.find("checksum"), std::string::npos) << outcome.err;
}

TEST_F(QueryPlacesTest, ARequestThatIsNoOtlpIsSaid) {
  keep(writer_folder(7), Signal::traces, std::string("\x0a\x7f rubbish"), 7, 1);
  const Outcome outcome = query({"traces"});
  EXPECT_EQ(outcome.code, 1) << outcome.out << outcome.err;
  EXPECT_NE(outcome.err.find("chunk 0000000000000007-1"), std::string::npos) << outcome.err;
}

// A live pool is read while its process delivers, and uses its memory again: what is seen is always whole.
TEST_F(QueryPlacesTest, APoolThatIsDrainedMeanwhileShowsNothingButWholeSpans) {
  os::SystemClock clock;
  sink::EventLoop loop{clock};
  const auto server = std::move(*sink::SinkServer::open(sink::SinkOptions{}, loop));
  std::atomic<bool> stopping{false};
  std::thread collector([&] {
    while (!stopping) loop.step(std::chrono::milliseconds(2));
  });
  Config small = config("shop");
  small.pool_size = 2U << 20U;
  small.otlp.endpoint = "http://127.0.0.1:" + std::to_string(server->ports().http);
  auto telemetry = start(small);
  std::thread host([&] {
    const auto tracer = telemetry->tracer_provider()->GetTracer("load");
    while (!stopping) tracer->StartSpan("work", {{"padding", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}})->End();
  });
  std::size_t seen = 0;
  for (int i = 0; i < 30; ++i) {
    const Outcome outcome = query({"operations", "--json"});
    EXPECT_TRUE(outcome.code == 0 || outcome.code == 7) << outcome.err;
    for (const Json& line : lines_of(outcome.out)) {
      EXPECT_EQ(line["operation"], "work");
      seen += line["spans"].get<std::size_t>();
    }
  }
  EXPECT_GT(seen, 0U);
  stopping = true;
  host.join();
  telemetry.reset();
  collector.join();
}

TEST_F(QueryPlacesTest, MissingStateIsAFailureWithItsName) {
  const Outcome outcome = query({"services"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find(state_), std::string::npos);
}

}  // namespace
}  // namespace arca::cli
