// How things end while something is under way: with a Cassandra that nobody answers at, and a Collector whose host
// drops what is sent to it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "integration/telemetry_fixture.hpp"
#include "support/process.hpp"

namespace arca::integration {
namespace {

constexpr seconds patience{60};  // the machine is busy with others

// A port of 127.0.0.1 that drops every SYN: its queue of connections is full, and nobody accepts. Not thread-safe.
class BlackHole {
 public:
  explicit BlackHole(int port) : port_(port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    const sockaddr_in address = this->address();
    is_there_ = ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                ::listen(listener_, 0) == 0;
    // The first that is left waiting shows that the queue is full. It goes, so that who waits later is somebody else.
    while (is_there_ && connects()) {
    }
  }
  ~BlackHole() {
    for (const int each : filling_) ::close(each);
    ::close(listener_);
  }
  BlackHole(const BlackHole&) = delete;
  BlackHole& operator=(const BlackHole&) = delete;

  [[nodiscard]] bool is_there() const { return is_there_; }
  // Whether somebody waits for a connection now, as the kernel lists it.
  [[nodiscard]] bool holds_somebody() const {
    char place[32];
    std::snprintf(place, sizeof place, "0100007F:%04X 02 ", static_cast<unsigned>(port_));  // 02: SYN_SENT
    std::ifstream table("/proc/net/tcp");
    std::string line;
    while (std::getline(table, line)) {
      if (line.find(place) != std::string::npos) return true;
    }
    return false;
  }

 private:
  [[nodiscard]] sockaddr_in address() const {
    sockaddr_in made{};
    made.sin_family = AF_INET;
    made.sin_port = htons(static_cast<std::uint16_t>(port_));
    made.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return made;
  }
  bool connects() {
    const int one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const sockaddr_in to = address();
    ::connect(one, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    pollfd waited{one, POLLOUT, 0};
    const bool connected = ::poll(&waited, 1, 300) == 1;
    if (connected) {
      filling_.push_back(one);
    } else {
      ::close(one);
    }
    return connected;
  }

  const int port_;
  int listener_ = -1;
  bool is_there_ = false;
  std::vector<int> filling_;
};

class CassandraAway : public TelemetryFixture {
 protected:
  // What a process that is gone has left on disk.
  void leave_spans(std::size_t count) {
    start_collector();
    ASSERT_TRUE(collector_->kill().has_value());
    start(config(grpc));
    record_spans(count);
    telemetry_->shutdown(milliseconds(500));
    telemetry_.reset();
  }
};

// The chunk that tries the Collector is still connecting when everything ends. It comes back as not sent and is then
// offered to Cassandra, through doors that must still be there: freed memory is filled with rubbish here.
TEST_F(CassandraAway, RecoverThatIsStoppedWhileItTriesTheCollectorEndsInOrder) {
  leave_spans(100);
  const int port = support::free_port();
  const BlackHole hole(port);
  ASSERT_TRUE(hole.is_there());
  support::ProcessOptions options;
  options.output_path = directory_ / "said";
  options.environment = {{"ARCA_CASSANDRA_CONTACT_POINTS", "127.0.0.1:1"},
                         {"ARCA_STATE_DIRECTORY", directory_ / "state"},
                         {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:" + std::to_string(port)},
                         {"OTEL_EXPORTER_OTLP_TIMEOUT", "2000"},
                         {"MALLOC_PERTURB_", "165"}};
  auto program = support::Process::start({ARCA_PROGRAM, "recover", "--watch"}, options);
  ASSERT_TRUE(program.has_value()) << program.error().message();
  // After the third attempt in vain the breaker is open; the fourth is the one that tries the Collector.
  for (int attempt = 1; attempt <= 4; ++attempt) {
    ASSERT_TRUE(support::wait_until([&] { return !hole.holds_somebody(); }, patience)) << attempt;
    ASSERT_TRUE(support::wait_until([&] { return hole.holds_somebody(); }, patience)) << attempt;
  }
  (*program)->send_signal(SIGINT);
  const auto ended = (*program)->wait(patience);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(*ended, (support::ExitStatus{})) << "signal " << ended->signal;
}

}  // namespace
}  // namespace arca::integration
