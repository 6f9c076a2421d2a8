// The end of the process: a host keeps its telemetry in a global variable, which dies after the exit handlers of
// libraries that were initialised later.
#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <cstdlib>

#include "fakes/answers.hpp"
#include "fakes/raw_server.hpp"
#include "net/transports.hpp"

namespace arca::net {
namespace {

using fakes::ask;
using fakes::RawConnection;
using fakes::RawServer;

HttpTransport* leaked_transport = nullptr;

// As the destructor of a global variable: sends once more, on a new connection, and ends.
void end_transport() {
  const Response response = ask(*leaked_transport, payload_of("x"), std::chrono::milliseconds(500));
  delete leaked_transport;
  std::_Exit(response.outcome == Outcome::answered ? 3 : 0);
}

[[noreturn]] void live_and_exit(const std::string& scheme, bool host_uses_openssl_first) {
  static RawServer* const server = new RawServer([](RawConnection& connection) { connection.stay_silent(); });
  test_clock();  // made before the handler is installed, so that it dies after it
  std::atexit(&end_transport);
  if (host_uses_openssl_first) OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS, nullptr);
  const TlsOptions tls;
  const std::string url = scheme + "://" + server->host_and_port() + "/v1/traces";
  leaked_transport = http_to(url, false, scheme == "https" ? &tls : nullptr).release();
  ask(*leaked_transport, payload_of("x"), std::chrono::milliseconds(200));
  std::exit(2);  // end_transport decides
}

using Way = std::pair<std::string, bool>;  // the scheme; whether the host uses OpenSSL before us

class ProcessEnd : public ::testing::TestWithParam<Way> {
 protected:
  // A process of its own for each: what was initialised first decides.
  ProcessEnd() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_P(ProcessEnd, ATransportMayBeUsedAndDestroyedAfterOpenSslIsGone) {
  const auto [scheme, host_first] = GetParam();
  EXPECT_EXIT(live_and_exit(scheme, host_first), ::testing::ExitedWithCode(0), "");
}

INSTANTIATE_TEST_SUITE_P(Ways, ProcessEnd,
                         ::testing::Values(Way("http", false), Way("https", false), Way("http", true),
                                           Way("https", true)));

}  // namespace
}  // namespace arca::net
