// What `arca query` finds and says: conditions, limits, JSON, following, and mistakes.
#include "cli/query/time_point.hpp"
#include "cli/query_fixture.hpp"

namespace arca::cli {
namespace {

using namespace testing;
using model::Signal;
using namespace std::chrono_literals;

class QueryCommandTest : public testing::QueryTest {
 protected:
  void SetUp() override {
    telemetry_ = start(config("shop"));
    trace_ = record_checkout(*telemetry_, 42);
    record_checkout(*telemetry_, 43);
  }
  std::size_t count(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    const Outcome outcome = query(arguments);
    EXPECT_TRUE(outcome.code == 0 || outcome.code == 7) << outcome.err;
    EXPECT_EQ(outcome.code == 7, outcome.out.empty());
    return lines_of(outcome.out).size();
  }
  std::unique_ptr<Telemetry> telemetry_;
  std::string trace_;
};

TEST_F(QueryCommandTest, TracesAreFoundByEveryCondition) {
  EXPECT_EQ(count({"traces"}), 4U);  // two checkouts, and what each links to
  EXPECT_EQ(count({"traces", "--service", "shop"}), 4U);
  EXPECT_EQ(count({"traces", "--service", "bank"}), 0U);
  EXPECT_EQ(count({"traces", "--operation", "charge card"}), 2U);
  EXPECT_EQ(count({"traces", "--operation", "charge"}), 0U);
  EXPECT_EQ(count({"traces", "--status", "error"}), 2U);
  EXPECT_EQ(count({"traces", "--operation", "render", "--status", "error"}), 0U);  // one span must fulfil all
  EXPECT_EQ(count({"traces", "--min-duration", "3ms"}), 4U);
  EXPECT_EQ(count({"traces", "--min-duration", "1h"}), 0U);
  EXPECT_EQ(count({"traces", "--attribute", "customer.id=42"}), 1U);
  EXPECT_EQ(count({"traces", "--attribute", "customer.id=42", "--attribute", "service.name=shop"}), 1U);
  EXPECT_EQ(count({"traces", "--attribute", "customer.id=42", "--attribute", "card.kind=visa"}), 0U);
  EXPECT_EQ(count({"traces", "--since", "1h"}), 4U);
  EXPECT_EQ(count({"traces", "--until", "1h"}), 0U);
  EXPECT_EQ(count({"traces", "--limit", "3"}), 3U);
}

TEST_F(QueryCommandTest, TheNewestTraceComesFirstAndTheNoteSaysHowManyThereAre) {
  const std::string last = record_checkout(*telemetry_);
  const Outcome outcome = query({"traces", "--limit", "1", "--operation", "GET /checkout"});
  EXPECT_NE(outcome.out.find(last), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.err.find("1 of 3 traces shown"), std::string::npos) << outcome.err;
}

TEST_F(QueryCommandTest, LogsAreFoundByEveryCondition) {
  EXPECT_EQ(count({"logs"}), 4U);
  EXPECT_EQ(count({"logs", "--severity", "error"}), 2U);
  EXPECT_EQ(count({"logs", "--severity", "9"}), 4U);
  EXPECT_EQ(count({"logs", "--severity", "fatal"}), 0U);
  EXPECT_EQ(count({"logs", "--contains", "bank"}), 2U);
  EXPECT_EQ(count({"logs", "--trace", trace_}), 2U);
  EXPECT_EQ(count({"logs", "--attribute", "items=3"}), 2U);
  EXPECT_EQ(count({"logs", "--service", "bank"}), 0U);
  const Outcome outcome = query({"logs", "--limit", "2"});  // the newest, in the order of time
  EXPECT_LT(outcome.out.find("checkout begins"), outcome.out.find("the bank said no")) << outcome.out;
  EXPECT_EQ(occurrences(outcome.out, "\n"), 2U);
}

TEST_F(QueryCommandTest, MetricsShowTheNewestValueOfEachSeries) {
  const auto counter = telemetry_->meter_provider()->GetMeter("shop")->CreateUInt64Counter("orders", "", "{order}");
  counter->Add(2, {{"kind", "book"}});
  counter->Add(5, {{"kind", "pen"}});
  telemetry_->force_flush(10ms);
  counter->Add(1, {{"kind", "book"}});
  telemetry_->force_flush(10ms);
  const Outcome outcome = query({"metrics", "--name", "ord*"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("3 {order}"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("kind=\"pen\""), std::string::npos) << outcome.out;
  EXPECT_EQ(occurrences(outcome.out, "orders"), 2U) << outcome.out;
  EXPECT_GE(count({"metrics", "--name", "orders"}), 2U);  // each collection; one that was slow may have come again
  EXPECT_EQ(count({"metrics", "--name", "order"}), 0U);
}

TEST_F(QueryCommandTest, OperationsAreCountedByService) {
  const auto lines = lines_of(query({"operations", "--json"}).out);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0]["operation"], "GET /checkout");
  EXPECT_EQ(lines[1]["errors"], 2);
}

TEST_F(QueryCommandTest, ATraceAsJsonIsOneLineOfSpansAndOneOfLogRecords) {
  const auto lines = lines_of(query({"trace", trace_, "--json"}).out);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["resourceSpans"][0]["scopeSpans"][0]["spans"].size(), 3U);
  EXPECT_EQ(lines[0]["resourceSpans"][0]["scopeSpans"][0]["scope"]["name"], "shop");
  EXPECT_EQ(lines[1]["resourceLogs"][0]["scopeLogs"][0]["logRecords"].size(), 2U);
}

TEST_F(QueryCommandTest, ATraceparentWillDoForATraceId) {
  EXPECT_EQ(query({"trace", "00-" + trace_ + "-00f067aa0ba902b7-01"}).code, 0);
}

TEST_F(QueryCommandTest, NothingFoundIsAnExitCodeOfItsOwn) {
  const Outcome outcome = query({"trace", std::string(32, 'f')});
  EXPECT_EQ(outcome.code, 7);
  EXPECT_NE(outcome.err.find("nothing was found"), std::string::npos);
}

TEST_F(QueryCommandTest, TheScanStopsAtItsLimitAndSaysSo) {
  const Outcome outcome = query({"traces", "--scan-limit", "10"});
  EXPECT_EQ(outcome.code, 6);
  EXPECT_NE(outcome.err.find("--scan-limit"), std::string::npos);
}

TEST_F(QueryCommandTest, FollowShowsWhatComesUntilItIsTold) {
  struct Case {
    std::vector<std::string> arguments;
    std::string expected;
  };
  for (const Case& each : {Case{{"logs", "-f", "--severity", "error"}, "the bank said no"},
                           Case{{"logs", "-f", "--json", "--severity", "error"}, "the bank said no"},
                           Case{{"traces", "-f", "--status", "error"}, "GET /checkout"},
                           Case{{"traces", "-f", "--json", "--status", "error"}, "charge card"}}) {
    support::SharedText text;
    std::ostream out(&text);
    std::ostringstream err;
    std::thread command([&] {
      Console console(out, err, false, false);
      std::vector<std::string> arguments{"query"};
      arguments.insert(arguments.end(), each.arguments.begin(), each.arguments.end());
      arguments.insert(arguments.end(), {"--state", state_});
      EXPECT_EQ(run_command_line(arguments, console), 0);
    });
    // It has looked once, and waits, as soon as it has taken the signal.
    EXPECT_TRUE(support::wait_until([] {
      struct sigaction action {};
      return sigaction(SIGINT, nullptr, &action) == 0 && action.sa_handler != SIG_DFL;
    }));
    const std::size_t before = occurrences(text.text(), each.expected);
    record_checkout(*telemetry_);
    EXPECT_TRUE(support::wait_until([&] { return occurrences(text.text(), each.expected) == before + 1; }))
        << text.text();
    kill(getpid(), SIGINT);
    command.join();
    EXPECT_EQ(occurrences(text.text(), each.expected), before + 1) << text.text() << err.str();
    EXPECT_GE(before, 2U);
  }
}

TEST_F(QueryCommandTest, MistakesSayWhatIsAllowed) {
  const std::vector<std::vector<std::string>> mistakes{
      {},
      {"dances"},
      {"trace"},
      {"trace", "4711"},
      {"traces", std::string(32, 'a')},
      {"traces", "--severity", "error"},
      {"traces", "--since", "later"},
      {"traces", "--since", "1h", "--until", "2h"},
      {"traces", "--status", "fine"},
      {"traces", "--attribute", "key"},
      {"traces", "--min-duration", "long"},
      {"traces", "--limit", "0"},
      {"traces", "--from", "memory"},
      {"traces", "--scan-limit", "much"},
      {"logs", "--severity", "loud"},
      {"logs", "--operation", "work"},
      {"services", "--follow"},
  };
  for (const auto& arguments : mistakes) {
    const Outcome outcome = query(arguments);
    std::string line;
    for (const std::string& argument : arguments) line += argument + " ";
    EXPECT_EQ(outcome.code, 2) << line;
    EXPECT_NE(outcome.err.find("arca query --help"), std::string::npos) << line << outcome.err;
    EXPECT_TRUE(outcome.out.empty()) << line;
  }
}

TEST(TimePointTest, TimesAreReadAsPeopleTypeThem) {
  const base::WallTime now = std::chrono::sys_days(std::chrono::year(2026) / 1 / 31) + 12h;
  const base::WallTime midnight = now - 12h;
  const std::vector<std::pair<std::string, base::WallTime>> good{
      {"15m", now - 15min},
      {"1.5h", now - 90min},
      {"0", now},
      {"09:30", midnight + 9h + 30min},
      {"2026-01-31", midnight},
      {"2026-01-31 09:30", midnight + 9h + 30min},
      {"2026-01-31T09:30:15Z", midnight + 9h + 30min + 15s},
      {"2026-01-31T09:30:15.25Z", midnight + 9h + 30min + 15s + 250ms},
      {"2026-01-31T09:30+02:00", midnight + 7h + 30min},
      {"2026-01-31T09:30:00-0530", midnight + 15h},
      {"2024-02-29", std::chrono::sys_days(std::chrono::year(2024) / 2 / 29)}};
  for (const auto& [text, time] : good) EXPECT_EQ(query::parse_time(text, now), time) << text;
  for (const char* text :
       {"", "noon", "24:00", "12", "12:", "2026-02-30", "2026-13-01", "2026-01-31T", "2026-01-31T9:30", "2026-01-31Z",
        "2026-01-31T09:30:15.Z", "2026-01-31T09:30+2", "1999", "-5m"}) {
    EXPECT_FALSE(query::parse_time(text, now)) << text;
  }
}

}  // namespace
}  // namespace arca::cli
