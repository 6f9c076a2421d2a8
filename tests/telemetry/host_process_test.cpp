// What a library owes to the process it lives in: its signals, its forks, its secrets.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "arca/telemetry.hpp"
#include "fake_collector.hpp"
#include "opentelemetry/metrics/provider.h"
#include "opentelemetry/trace/provider.h"
#include "support/fork_quiet.hpp"
#include "support/temporary_directory.hpp"

namespace arca::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

class HostProcessTest : public ::testing::Test {
 protected:
  Config config(const std::string& url) const {
    Config config;
    config.service_name = "test";
    config.state_directory = directory_.path();
    config.pool_directory = directory_.path();
    config.pool_size = 8U << 20U;
    config.otlp.protocol = "http/protobuf";
    config.otlp.endpoint = url;
    config.schedule_delay = milliseconds(20);
    config.self_metrics = true;
    return config;
  }
  static void record_span() {
    opentelemetry::trace::Provider::GetTracerProvider()->GetTracer("scope")->StartSpan("span")->End();
  }

  support::TemporaryDirectory directory_;
};

// Threads of this process that could run a handler for the signal, but for the calling one.
std::vector<std::string> threads_that_take(int signal) {
  std::vector<std::string> names;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (task.path().filename() == std::to_string(::gettid())) continue;
    std::ifstream status(task.path() / "status");
    std::string line;
    std::string name;
    while (std::getline(status, line)) {
      if (line.starts_with("Name:")) name = line.substr(6);
      if (!line.starts_with("SigBlk:")) continue;
      const auto blocked = std::stoull(line.substr(8), nullptr, 16);
      if ((blocked >> static_cast<unsigned>(signal - 1) & 1U) == 0) names.push_back(name);
    }
  }
  return names;
}

TEST_F(HostProcessTest, NoThreadOfOursRunsTheHostsSignalHandlers) {
  const auto before = threads_that_take(SIGUSR1);  // of a sanitizer
  auto telemetry = Telemetry::start(config("http://127.0.0.1:9"));
  ASSERT_TRUE(telemetry) << telemetry.error().message();
  record_span();
  (*telemetry)->force_flush(milliseconds(50));
  EXPECT_EQ(threads_that_take(SIGUSR1), before);
}

// What the host's callback is asked by runs on a thread of the flush.
TEST_F(HostProcessTest, NeitherDoesTheThreadThatFlushesMetrics) {
  auto telemetry = Telemetry::start(config("http://127.0.0.1:9"));
  ASSERT_TRUE(telemetry) << telemetry.error().message();
  static std::atomic<bool> asked{false};
  static std::atomic<bool> taken{false};
  asked = taken = false;
  auto gauge = opentelemetry::metrics::Provider::GetMeterProvider()->GetMeter("m")->CreateInt64ObservableGauge("g");
  const auto callback = [](opentelemetry::metrics::ObserverResult, void*) {
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    taken = taken || sigismember(&blocked, SIGUSR1) == 0;
    asked = true;
  };
  gauge->AddCallback(callback, nullptr);
  (*telemetry)->force_flush(seconds(5));
  gauge->RemoveCallback(callback, nullptr);
  EXPECT_TRUE(asked);
  EXPECT_FALSE(taken);
}

// A host that has used up its threads must still get out of shutdown, and by no exception.
TEST_F(HostProcessTest, WithoutAThreadToSpareShutdownStillKeepsEverything) {
  const pid_t child = ::fork();  // the limit cannot be taken back
  if (child == 0) {
    ::alarm(20);
    auto telemetry = Telemetry::start(config("http://127.0.0.1:9"));
    if (!telemetry) ::_exit(2);
    record_span();
    rlimit none{};
    if (::setrlimit(RLIMIT_NPROC, &none) != 0) ::_exit(3);
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(4);  // the limit is not for root
    const FlushReport flushed = (*telemetry)->force_flush(milliseconds(200));
    const FlushReport report = (*telemetry)->shutdown(milliseconds(500));
    telemetry->reset();
    ::_exit(flushed.outcome == FlushOutcome::incomplete && report.outcome == FlushOutcome::kept ? 0 : 5);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

#if !defined(ARCA_SANITIZE_THREAD)  // its runtime cannot start threads in the child of a process that has threads
TEST_F(HostProcessTest, AForkedChildThatHasRecordedNothingMayShutDown) {
  FakeCollector collector;
  auto telemetry = Telemetry::start(config(collector.url()));
  ASSERT_TRUE(telemetry) << telemetry.error().message();
  record_span();
  EXPECT_TRUE(support::rest_before_fork());
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(10);
    (*telemetry)->force_flush(seconds(1));
    (*telemetry)->shutdown(seconds(1));
    record_span();
    telemetry->reset();
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ((*telemetry)->force_flush(seconds(20)).outcome, FlushOutcome::delivered);
  EXPECT_EQ(collector.spans().size(), 1U);
}

TEST_F(HostProcessTest, InAForkedChildTheFirstRecordsAndAShutdownMayMeet) {
  auto telemetry = Telemetry::start(config("http://127.0.0.1:9"));
  ASSERT_TRUE(telemetry) << telemetry.error().message();
  for (int trial = 0; trial < 8; ++trial) {
    EXPECT_TRUE(support::rest_before_fork());
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(20);
      auto tracer = (*telemetry)->tracer_provider()->GetTracer("scope");
      std::atomic<bool> done{false};
      std::thread recorder([&] {
        while (!done) tracer->StartSpan("span")->End();
      });
      std::this_thread::sleep_for(std::chrono::microseconds(trial * 700));  // another moment each time
      (*telemetry)->shutdown(milliseconds(200));
      telemetry->reset();
      std::this_thread::sleep_for(milliseconds(20));  // records behind the end
      done = true;
      recorder.join();
      ::_exit(0);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "trial " << trial;
  }
}
#endif

TEST_F(HostProcessTest, TheStatusIsJsonWhateverTheCollectorSays) {
  Status status;
  for (std::size_t size = 500; size < 516; ++size) {
    status.last_error = std::string(size, 'x') + "\xE2\x82\xAC\xE2\x82\xAC";
    const std::string json = to_json(status);
    const auto cut = json.find("\xE2");
    const auto rest = cut == std::string::npos ? std::string() : json.substr(cut, json.find('"', cut) - cut);
    EXPECT_EQ(rest.size() % 3, 0U) << size;  // no character is cut in the middle
  }
  status.last_error = "\xFF";
  EXPECT_EQ(to_json(status).find('\xFF'), std::string::npos);
}

}  // namespace
}  // namespace arca::test
