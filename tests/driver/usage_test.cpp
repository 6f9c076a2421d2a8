// What needs no node: what is refused at once, what a client without a cluster answers, and what it leaves behind.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "driver/driver.hpp"
#include "support/process.hpp"
#include "support/temporary_directory.hpp"
#include "support/wait.hpp"

namespace arca::driver {
namespace {

std::string nobody() { return "127.0.0.1:" + std::to_string(support::free_port()); }

std::size_t entries(const char* directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

int open_with(const std::function<void(arca_cql_options&)>& change, Log* log = nullptr) {
  arca_cql_options options{};
  options.size = sizeof options;
  options.contact_points = "127.0.0.1";
  options.log = log == nullptr ? nullptr : &Log::write;
  options.log_context = log;
  change(options);
  arca_cql_client* client = nullptr;
  const int status = library().open(&options, &client);
  if (status == ARCA_CQL_OK) library().close(client, 0);
  EXPECT_EQ(status == ARCA_CQL_OK, client != nullptr);
  return status;
}

TEST(DriverUsage, TheVersionIsThatOfTheHeader) { EXPECT_EQ(library().abi_version(), ARCA_CQL_ABI_VERSION); }

TEST(DriverUsage, OptionsThatCannotWorkAreRefusedAndSaid) {
  Log log;
  EXPECT_EQ(open_with([](auto& options) { options.contact_points = nullptr; }, &log), ARCA_CQL_USAGE);
  EXPECT_NE(log.all().find("contact point"), std::string::npos) << log.all();
  EXPECT_EQ(open_with([](auto& options) { options.contact_points = "a:b"; }), ARCA_CQL_USAGE);
  EXPECT_EQ(open_with([](auto& options) { options.size = 8; }), ARCA_CQL_USAGE);
  EXPECT_EQ(open_with([](auto& options) { options.worker_threads = 1000; }), ARCA_CQL_USAGE);
  EXPECT_EQ(open_with([](auto& options) { options.ca_file = "/etc/hostname"; }), ARCA_CQL_USAGE);
  const auto with_tls = [&log](const char* arca_cql_options::*member, const char* path) {
    return open_with(
        [&](auto& options) {
          options.use_tls = 1;
          options.*member = path;
        },
        &log);
  };
  EXPECT_EQ(with_tls(&arca_cql_options::ca_file, "/nonexistent.pem"), ARCA_CQL_USAGE);
  EXPECT_NE(log.all().find("/nonexistent.pem"), std::string::npos) << log.all();
  EXPECT_EQ(with_tls(&arca_cql_options::ca_file, "/etc/hostname"), ARCA_CQL_USAGE);
  EXPECT_EQ(with_tls(&arca_cql_options::client_key_file, "/etc/hostname"), ARCA_CQL_USAGE);
  EXPECT_EQ(library().open(nullptr, nullptr), ARCA_CQL_USAGE);
}

TEST(DriverUsage, AStructThatHasGrownIsReadUnlessItSaysMoreThanIsKnown) {
  struct {
    arca_cql_options options;
    std::uint64_t later;
  } newer{};
  newer.options.size = sizeof newer;
  newer.options.contact_points = "127.0.0.1";
  arca_cql_client* client = nullptr;
  newer.later = 1;
  EXPECT_EQ(library().open(&newer.options, &client), ARCA_CQL_USAGE);
  newer.later = 0;
  ASSERT_EQ(library().open(&newer.options, &client), ARCA_CQL_OK);
  EXPECT_EQ(library().close(client, 0), ARCA_CQL_OK);
}

TEST(DriverUsage, ARequestThatMakesNoSenseIsRefusedAtOnce) {
  Client client(nobody());
  std::uint32_t number = 0;
  const std::string text = "SELECT a FROM b WHERE c = ?";
  ASSERT_EQ(library().statement(client.get(), text.data(), text.size(), 0, &number), ARCA_CQL_OK);
  arca_cql_value value{"x", 1};
  arca_cql_request good{};
  good.size = sizeof good;
  good.statement = number;
  good.consistency = ARCA_CQL_ONE;
  good.values = &value;
  good.value_count = 1;
  const auto refused = [&](auto change) {
    arca_cql_request request = good;
    value = {"x", 1};
    change(request);
    return library().execute(client.get(), &request) == ARCA_CQL_USAGE;
  };
  EXPECT_TRUE(refused([](auto& request) { request.size = 1; }));
  EXPECT_TRUE(refused([](auto& request) { request.statement = 99; }));
  EXPECT_TRUE(refused([](auto& request) { request.consistency = 9; }));
  EXPECT_TRUE(refused([](auto& request) { request.serial = 2; }));
  EXPECT_TRUE(refused([](auto& request) { request.values = nullptr; }));
  EXPECT_TRUE(refused([&](auto&) { value.data = nullptr; }));
  EXPECT_TRUE(refused([&](auto&) { value.size = -3; }));
  EXPECT_EQ(library().execute(client.get(), nullptr), ARCA_CQL_USAGE);
  EXPECT_EQ(library().execute(nullptr, &good), ARCA_CQL_USAGE);
  EXPECT_EQ(client.status().in_flight, 0U);
  EXPECT_FALSE(client.take(std::chrono::milliseconds(0)));
}

TEST(DriverUsage, TheSameTextIsTheSameStatementAndThereIsALimit) {
  Client client(nobody());
  const auto number_of = [&](const std::string& text, std::uint32_t flags) {
    std::uint32_t number = 0;
    EXPECT_EQ(library().statement(client.get(), text.data(), text.size(), flags, &number), ARCA_CQL_OK) << text;
    return number;
  };
  EXPECT_EQ(number_of("SELECT 1", 0), number_of("SELECT 1", 0));
  EXPECT_NE(number_of("SELECT 1", 0), number_of("SELECT 1", ARCA_CQL_IDEMPOTENT));
  std::uint32_t number = 0;
  EXPECT_EQ(library().statement(client.get(), "SELECT 1", 8, 64, &number), ARCA_CQL_USAGE);
  EXPECT_EQ(library().statement(client.get(), "\xFF", 1, 0, &number), ARCA_CQL_USAGE);
  for (int i = 2; i < 1024; ++i) number_of("SELECT " + std::to_string(i), 0);
  EXPECT_EQ(library().statement(client.get(), "one more", 8, 0, &number), ARCA_CQL_USAGE);
}

TEST(DriverUsage, WithoutANodeARequestCompletesAtOnceAsNotConnected) {
  Client client(nobody());
  ASSERT_TRUE(client.wait_connect_status(ARCA_CQL_NOT_CONNECTED));
  const Answer answer = client.run("SELECT a FROM b", {});
  EXPECT_EQ(answer.status, ARCA_CQL_NOT_CONNECTED);
  EXPECT_EQ(answer.server_code, -1);
  EXPECT_FALSE(answer.message.empty());
  EXPECT_LT(answer.latency, std::chrono::milliseconds(500));
  const auto status = client.status();
  EXPECT_EQ(status.connected, 0U);
  EXPECT_EQ(status.node_count, 0U);
  EXPECT_NE(std::string(status.last_error), "");
  EXPECT_EQ(status.request_count, 1U);
}

TEST(DriverUsage, OpenReturnsAtOnceAlsoWhenTheNameIsUnknown) {
  const auto begin = std::chrono::steady_clock::now();
  Client client("no-such-host.invalid");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  EXPECT_TRUE(client.wait_connect_status(ARCA_CQL_NOT_CONNECTED));
}

TEST(DriverUsage, WithoutADescriptorOpenSaysNoResources) {
  library();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(next);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const int status = open_with([](auto&) {});
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(status, ARCA_CQL_NO_RESOURCES);
}

TEST(DriverUsage, ThousandsOfClientsLeaveNoThreadAndNoDescriptor) {
  const std::string somewhere = nobody();
  const auto cycle = [&](int count) {
    for (int i = 0; i < count; ++i) {
      Client client(somewhere);
      ASSERT_EQ(client.send({.text = "SELECT 1", .values = {"a"}}), ARCA_CQL_OK);
      ASSERT_EQ(client.close(std::chrono::milliseconds(0)), ARCA_CQL_OK);
    }
  };
  cycle(10);
  const auto descriptors = entries("/proc/self/fd");
  const auto threads = entries("/proc/self/task");
  cycle(2000);
  EXPECT_EQ(entries("/proc/self/fd"), descriptors);
  EXPECT_TRUE(support::wait_until([&] { return entries("/proc/self/task") == threads; }));
}

// Bits of SigBlk that may be 0: the faults. The kernel never shows KILL and STOP as blocked; 32 and 33 are glibc's own.
TEST(DriverUsage, TheThreadsBlockAllSignalsButFaults) {
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  Client client("no-such-host.invalid,127.0.0.1:1", [](auto& options) { options.worker_threads = 3; });
  ASSERT_TRUE(client.wait_connect_status(ARCA_CQL_NOT_CONNECTED));
  std::size_t seen = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (!name.starts_with("arca-cql-")) continue;
    ++seen;
    std::ifstream status(task.path() / "status");
    std::string line;
    while (std::getline(status, line) && !line.starts_with("SigBlk:")) continue;
    const auto blocked = std::stoull(line.substr(8), nullptr, 16);
    for (int signal = 1; signal <= 64; ++signal) {
      const bool is_blocked = (blocked >> (signal - 1) & 1) != 0;
      if (signal == SIGKILL || signal == SIGSTOP || signal == 32 || signal == 33) continue;
      const bool is_fault = signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL ||
                            signal == SIGTRAP || signal == SIGABRT;
      EXPECT_EQ(is_blocked, !is_fault) << name << " " << signal;
    }
  }
  EXPECT_GE(seen, 3U);
  sigset_t after;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int signal = 1; signal < 64; ++signal) {
    EXPECT_EQ(::sigismember(&before, signal), ::sigismember(&after, signal)) << signal;
  }
}

TEST(DriverUsage, OnlyTheInterfaceIsExportedAndItStaysLoaded) {
  const auto symbols =
      support::run_command({"nm", "--dynamic", "--defined-only", "--format=just-symbols", ARCA_CQL_LIBRARY});
  ASSERT_TRUE(symbols.has_value());
  std::istringstream lines(*symbols);
  std::string name;
  std::size_t count = 0;
  for (; std::getline(lines, name); ++count) EXPECT_TRUE(name.starts_with("arca_cql_")) << name;
  EXPECT_EQ(count, 16U);
  const auto dynamic = support::run_command({"readelf", "--dynamic", ARCA_CQL_LIBRARY});
  ASSERT_TRUE(dynamic.has_value());
  EXPECT_NE(dynamic->find("[libarca_cql.so.1]"), std::string::npos);
  EXPECT_NE(dynamic->find("NODELETE"), std::string::npos);
}

}  // namespace
}  // namespace arca::driver
