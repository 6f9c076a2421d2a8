// What is understood of a log line, and that nothing is understood wrongly.
#include "cli/agent/log_line.hpp"

#include <gtest/gtest.h>

namespace arca::cli::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::int64_t noon = 1'795'435'200;  // 2026-11-23T12:00:00Z

TimeContext context(seconds offset = seconds(0)) { return {base::WallTime(seconds(noon)), offset}; }
LogLine parse(std::string_view text) { return parse_log_line(text, context()); }
std::optional<double> time_of(std::string_view text, seconds offset = seconds(0)) {
  const auto line = parse_log_line(text, context(offset));
  if (!line.time) return std::nullopt;
  return std::chrono::duration<double>(*line.time - base::WallTime(seconds(noon))).count();
}
const LogValue* attribute(const LogLine& line, std::string_view name) {
  for (const auto& [key, value] : line.attributes)
    if (key == name) return &value;
  return nullptr;
}

TEST(LogLine, IsoTimesWithAnyFractionAndZone) {
  EXPECT_DOUBLE_EQ(time_of("2026-11-23T12:00:01Z hello").value(), 1);
  EXPECT_DOUBLE_EQ(time_of("2026-11-23 12:00:01.250 INFO hello").value(), 1.25);
  EXPECT_DOUBLE_EQ(time_of("2026-11-23 12:00:01,500 hello").value(), 1.5);
  EXPECT_DOUBLE_EQ(time_of("[2026-11-23T14:00:00+02:00] hello").value(), 0);
  EXPECT_DOUBLE_EQ(time_of("2026-11-23 07:00:00 -0500 hello").value(), 0);
  EXPECT_DOUBLE_EQ(time_of("2026/11/23 12:00:02 [error] 7#7: *1 open() failed").value(), 2);
  EXPECT_DOUBLE_EQ(time_of("2026-11-23 13:00:00 local", seconds(3600)).value(), 0) << "no zone: the host's";
}

TEST(LogLine, ATimeThatCannotBeIsNone) {
  for (const char* text : {"2026-13-01T00:00:00Z x", "2026-02-30T00:00:00Z x", "2026-11-23T24:00:00Z x", "2026-11-2",
                           "20261123 x", "1234 x", "Nov 31 12:00:00 host x", "12345678901 x", "", " "}) {
    EXPECT_FALSE(time_of(text)) << text;
  }
}

TEST(LogLine, EpochTimesOfAllUsualLengths) {
  EXPECT_DOUBLE_EQ(time_of("1795435201 x").value(), 1);
  EXPECT_DOUBLE_EQ(time_of("1795435201.5 x").value(), 1.5);
  EXPECT_DOUBLE_EQ(time_of("1795435200500 x").value(), 0.5);
  EXPECT_DOUBLE_EQ(time_of("1795435200500000 x").value(), 0.5);
  EXPECT_DOUBLE_EQ(time_of("1795435200500000000 x").value(), 0.5);
}

TEST(LogLine, SyslogWithAndWithoutPriority) {
  const LogLine old = parse("<34>Nov 23 11:59:59 web1 sshd[42]: Failed password");
  EXPECT_EQ(old.severity, LogSeverity::error2);
  EXPECT_EQ(std::get<std::string>(*attribute(old, "host.name")), "web1");
  EXPECT_EQ(std::get<std::string>(*attribute(old, "syslog.appname")), "sshd");
  EXPECT_EQ(std::get<std::int64_t>(*attribute(old, "process.pid")), 42);
  EXPECT_EQ(std::get<std::int64_t>(*attribute(old, "syslog.facility.code")), 4);
  EXPECT_DOUBLE_EQ(time_of("Nov 23 11:59:59 web1 cron: x").value(), -1);
  const LogLine fresh = parse("<165>1 2026-11-23T12:00:00.5Z web1 evntslog 7 ID47 - message");
  EXPECT_EQ(fresh.severity, LogSeverity::info2);
  EXPECT_EQ(std::get<std::string>(*attribute(fresh, "syslog.msgid")), "ID47");
  EXPECT_EQ(fresh.body, "<165>1 2026-11-23T12:00:00.5Z web1 evntslog 7 ID47 - message");
}

TEST(LogLine, ATimeWithoutYearLiesInThePast) {
  // On January 1st, December 31st was yesterday.
  const TimeContext new_year{base::WallTime(seconds(1'798'761'600)), seconds(0)};  // 2027-01-01
  const auto line = parse_log_line("Dec 31 23:59:59 host app: x", new_year);
  ASSERT_TRUE(line.time);
  EXPECT_EQ(new_year.now - *line.time, nanoseconds(seconds(1)));
}

TEST(LogLine, AccessLogsGiveHttpAttributes) {
  const LogLine line =
      parse(R"(10.0.0.7 - bob [23/Nov/2026:12:00:03 +0000] "GET /cart?id=5 HTTP/1.1" 503 612 "-" "curl/7.88")");
  ASSERT_TRUE(line.time);
  EXPECT_EQ(*line.time, base::WallTime(seconds(noon + 3)));
  EXPECT_EQ(std::get<std::string>(*attribute(line, "client.address")), "10.0.0.7");
  EXPECT_EQ(std::get<std::string>(*attribute(line, "http.request.method")), "GET");
  EXPECT_EQ(std::get<std::string>(*attribute(line, "url.path")), "/cart");
  EXPECT_EQ(std::get<std::int64_t>(*attribute(line, "http.response.status_code")), 503);
  EXPECT_EQ(std::get<std::int64_t>(*attribute(line, "http.response.body.size")), 612);
  EXPECT_EQ(std::get<std::string>(*attribute(line, "user_agent.original")), "curl/7.88");
}

TEST(LogLine, KlogGivesTimeAndSeverity) {
  const LogLine line = parse("E1123 12:00:00.250000    1 main.go:12] boom");
  EXPECT_EQ(line.severity, LogSeverity::error);
  EXPECT_DOUBLE_EQ(time_of("E1123 12:00:00.250000    1 main.go:12] boom").value(), 0.25);
}

TEST(LogLine, SeverityIsFoundWhereItStandsAndOnlyThere) {
  EXPECT_EQ(parse("2026-11-23 12:00:00 [warn] x").severity, LogSeverity::warn);
  EXPECT_EQ(parse("2026-11-23 12:00:00 ERROR x").severity, LogSeverity::error);
  EXPECT_EQ(parse("ts=1 level=debug msg=x").severity, LogSeverity::debug);
  EXPECT_EQ(parse("fatal: not a repository").severity, LogSeverity::fatal);
  EXPECT_EQ(parse("[E] short").severity, LogSeverity::error);
  EXPECT_EQ(parse("there was no error at all").severity, LogSeverity::none);
  EXPECT_EQ(parse("I saw W and D").severity, LogSeverity::none);
  EXPECT_EQ(parse("ERRORS informed").severity, LogSeverity::none);
}

TEST(LogLine, TraceIdsAreFoundInTheirUsualForms) {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c", span = "b7ad6b7169203331";
  for (const std::string& text :
       {"x trace_id=" + trace + " span_id=" + span, "x traceId: " + trace + ", spanId: " + span,
        "x trace.id=\"" + trace + "\" span.id=\"" + span + "\"", "x traceparent=00-" + trace + "-" + span + "-01"}) {
    EXPECT_EQ(parse(text).trace_id, trace) << text;
    EXPECT_EQ(parse(text).span_id, span) << text;
  }
  EXPECT_EQ(parse("trace_id=" + trace.substr(1)).trace_id, "");
  EXPECT_EQ(parse("trace_id=" + trace + "0").trace_id, "");
  EXPECT_EQ(parse("trace_id=00000000000000000000000000000000").trace_id, "") << "invalid by the specification";
  EXPECT_EQ(parse("x 00-" + trace).trace_id, "");
}

TEST(LogLine, JsonObjectsBecomeBodyAndAttributes) {
  const LogLine line = parse(
      R"({"time":"2026-11-23T12:00:01Z","level":"warn","message":"low stock","trace_id":"0AF7651916cd43dd8448eb211c80319c",)"
      R"("span_id":"b7ad6b7169203331","item":7,"price":1.5,"sale":true,"tags":["a","b"],"none":null})");
  EXPECT_EQ(line.body, "low stock");
  EXPECT_EQ(line.severity, LogSeverity::warn);
  EXPECT_EQ(*line.time, base::WallTime(seconds(noon + 1)));
  EXPECT_EQ(line.trace_id, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(line.span_id, "b7ad6b7169203331");
  EXPECT_EQ(std::get<std::int64_t>(*attribute(line, "item")), 7);
  EXPECT_DOUBLE_EQ(std::get<double>(*attribute(line, "price")), 1.5);
  EXPECT_EQ(std::get<bool>(*attribute(line, "sale")), true);
  EXPECT_EQ(std::get<std::string>(*attribute(line, "tags")), R"(["a","b"])");
  EXPECT_EQ(attribute(line, "message"), nullptr);
}

TEST(LogLine, JsonLevelsByNumberAndTimesByEpoch) {
  const LogLine line = parse(R"({"level":50,"time":1795435200500,"msg":"x","pid":1})");
  EXPECT_EQ(line.severity, LogSeverity::error);
  EXPECT_EQ(*line.time, base::WallTime(seconds(noon) + milliseconds(500)));
}

TEST(LogLine, JsonWithoutMessageKeepsTheWholeLineAsBody) {
  const std::string text = R"({"a":1})";
  EXPECT_EQ(parse(text).body, text);
  EXPECT_NE(attribute(parse(text), "a"), nullptr);
}

TEST(LogLine, BrokenOrMonstrousJsonIsPlainText) {
  for (const std::string& text :
       {std::string(R"({"a":)"), std::string("{"), std::string("{} trailing"), std::string(60'000, '{'),
        "{\"a\":" + std::string(5000, '[') + std::string(5000, ']') + "}"}) {
    const LogLine line = parse(text);
    EXPECT_EQ(line.body, text);
    EXPECT_TRUE(line.attributes.empty());
  }
}

TEST(LogLine, AnyBytesComeThroughUnchanged) {
  std::string bytes;
  for (int i = 0; i < 4096; ++i) bytes += static_cast<char>(i * 37 % 256);
  EXPECT_EQ(parse(bytes).body, bytes);
  for (const char* start : {"<", "<999>", "<34>", "<34>1 ", "[", "E1123", "{\"", "00-"}) {
    EXPECT_EQ(parse(start + bytes).body, start + bytes);
    EXPECT_EQ(parse(start).body, start);
  }
}

}  // namespace
}  // namespace arca::cli::agent
