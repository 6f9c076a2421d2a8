// transport_bench: which client library should carry OTLP over gRPC? Measures, against a grpc++ generic server
// in another process that only counts: throughput and client CPU of (a) grpc++ GenericStub with static slices and
// (b) our GrpcTransport, which is libcurl speaking HTTP/2; and whether each survives fork. docs/decisions.md
// has the figures that decided. The last two rows are the same over TLS with a certificate made for the
// occasion by the program openssl. Usage: transport_bench [seconds per round] [rounds] [fork trials]
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "net/grpc_transport.hpp"

namespace {

using Clock = std::chrono::steady_clock;
constexpr const char* method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
constexpr int requests_in_flight = 4;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// One call of the counting server; restarts itself, so that there are always some waiting.
class ServerCall {
 public:
  ServerCall(grpc::AsyncGenericService& service, grpc::ServerCompletionQueue& queue)
      : service_(service), queue_(queue), stream_(&context_) {
    service_.RequestCall(&context_, &stream_, &queue_, &queue_, this);
  }
  void proceed(bool ok) {
    if (!ok) {
      delete this;
      return;
    }
    switch (step_++) {
      case 0:
        new ServerCall(service_, queue_);
        stream_.Read(&request_, this);
        break;
      case 1: {
        grpc::Slice empty;
        grpc::ByteBuffer answer(&empty, 1);
        stream_.WriteAndFinish(answer, grpc::WriteOptions(), grpc::Status::OK, this);
        break;
      }
      default:
        delete this;
    }
  }

 private:
  grpc::AsyncGenericService& service_;
  grpc::ServerCompletionQueue& queue_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  grpc::ByteBuffer request_;
  int step_ = 0;
};

// Where the server listens, and the certificate (its own authority) of the second port.
struct Endpoints {
  int plain = 0;
  int tls = 0;
  std::string directory;
  [[nodiscard]] std::string certificate() const { return directory + "/cert.pem"; }
  [[nodiscard]] std::string key() const { return directory + "/key.pem"; }
};

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool make_certificate(const Endpoints& endpoints) {
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 "
      "-addext subjectAltName=IP:127.0.0.1 -keyout " +
      endpoints.key() + " -out " + endpoints.certificate() + " 2>/dev/null";
  return std::system(command.c_str()) == 0;
}

[[noreturn]] void run_server(int port_pipe, const Endpoints& endpoints) {
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  int port[2] = {};
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port[0]);
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs.push_back({text_of(endpoints.key()), text_of(endpoints.certificate())});
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port[1]);
  builder.RegisterAsyncGenericService(&service);
  const auto queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (write(port_pipe, port, sizeof port) != sizeof port) _exit(1);
  for (int i = 0; i < 16; ++i) new ServerCall(service, *queue);
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<ServerCall*>(tag)->proceed(ok);
  _exit(0);
}

// A client that can deliver `count` requests (or until `until`), some in flight at a time.
class Client {
 public:
  virtual ~Client() = default;
  // Returns how many were answered with status 0.
  virtual std::uint64_t run(const std::vector<char>& body, std::uint64_t count, Clock::time_point until) = 0;
};

class GrpcClient final : public Client {
 public:
  GrpcClient(const Endpoints& endpoints, bool tls) {
    grpc::ChannelArguments arguments;
    arguments.SetInt("grpc.use_local_subchannel_pool", 1);
    const std::string target = "127.0.0.1:" + std::to_string(tls ? endpoints.tls : endpoints.plain);
    const auto credentials =
        tls ? grpc::SslCredentials({text_of(endpoints.certificate()), {}, {}}) : grpc::InsecureChannelCredentials();
    stub_ = std::make_unique<grpc::GenericStub>(grpc::CreateCustomChannel(target, credentials, arguments));
  }
  ~GrpcClient() override {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }
  std::uint64_t run(const std::vector<char>& body, std::uint64_t count, Clock::time_point until) override {
    std::uint64_t started = 0, done = 0, answered = 0;
    const auto begin = [&] {
      auto* call = new Call;
      grpc::Slice slice(body.data(), body.size(), grpc::Slice::STATIC_SLICE);
      grpc::ByteBuffer request(&slice, 1);
      call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
      call->reader = stub_->PrepareUnaryCall(&call->context, method, request, &queue_);
      call->reader->StartCall();
      call->reader->Finish(&call->answer, &call->status, call);
      ++started;
    };
    while (started < count && started < requests_in_flight) begin();
    while (done < started) {
      void* tag = nullptr;
      bool ok = false;
      if (!queue_.Next(&tag, &ok)) break;
      const std::unique_ptr<Call> call(static_cast<Call*>(tag));
      ++done;
      if (ok && call->status.ok()) ++answered;
      if (started < count && Clock::now() < until) begin();
    }
    return answered;
  }

 private:
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer answer;
    grpc::Status status;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  };
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericStub> stub_;
};

// What the library ships: the same HTTP/2 by libcurl, with the transport's queue, thread and callbacks around it.
class ArcaClient final : public Client {
 public:
  ArcaClient(const Endpoints& endpoints, bool tls) {
    arca::net::TransportOptions options;
    options.target = "127.0.0.1:" + std::to_string(tls ? endpoints.tls : endpoints.plain);
    options.tls = tls;
    if (tls) options.tls_options.ca_file = endpoints.certificate();
    options.path = method;
    options.user_agent = "arca/bench";
    transport_ = std::move(arca::net::GrpcTransport::create(options, clock_).value());
  }
  std::uint64_t run(const std::vector<char>& body, std::uint64_t count, Clock::time_point until) override {
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(body.data()), body.size());
    const auto payload = arca::model::Payload::borrow({bytes}, nullptr);
    std::mutex mutex;
    std::condition_variable changed;
    std::uint64_t started = 0, done = 0, answered = 0;
    // The next request starts from the callback of the last one, as a dispatcher's window does.
    std::function<void()> begin = [&] {
      transport_->send(payload, {}, std::chrono::seconds(10), [&](arca::net::Response response) {
        bool again = false;
        {
          const std::scoped_lock lock(mutex);
          ++done;
          if (response.outcome == arca::net::Outcome::answered && response.status == 0) ++answered;
          again = started < count && Clock::now() < until;
          if (again) ++started;
          if (done == started) changed.notify_all();
        }
        if (again) begin();
      });
    };
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, requests_in_flight); ++i) {
      {
        const std::scoped_lock lock(mutex);
        ++started;
      }
      begin();
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done == started; });
    return answered;
  }

 private:
  arca::os::SystemClock clock_;
  std::unique_ptr<arca::net::GrpcTransport> transport_;
};

using Factory = std::function<std::unique_ptr<Client>()>;

// Each round in a process of its own, so that CPU is the client's alone and threads don't leak into the next.
struct Figures {
  double megabytes_per_s = 0;
  double cpu_s_per_gigabyte = 0;
};
Figures measure(const Factory& make, std::size_t size, double seconds) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) std::abort();
  const pid_t child = fork();
  if (child == 0) {
    const std::vector<char> body(size, 'x');
    auto client = make();
    client->run(body, 200, Clock::time_point::max());
    const auto begin = Clock::now();
    const double cpu = cpu_seconds();
    const auto until = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    const auto answered = client->run(body, UINT64_MAX, until);
    const std::chrono::duration<double> elapsed = Clock::now() - begin;
    const double bytes = static_cast<double>(answered) * static_cast<double>(size);
    const Figures figures{bytes / elapsed.count() * 1e-6, (cpu_seconds() - cpu) / (bytes * 1e-9)};
    if (write(pipe_ends[1], &figures, sizeof figures) != sizeof figures) _exit(1);
    _exit(0);
  }
  close(pipe_ends[1]);
  Figures figures;
  if (read(pipe_ends[0], &figures, sizeof figures) != sizeof figures) figures = {};
  close(pipe_ends[0]);
  waitpid(child, nullptr, 0);
  return figures;
}

// Parent delivers, forks, the child makes a client of its own and delivers 100, the parent goes on. Returns how
// many trials were clean; a trial that hangs for 10 s is killed.
int fork_trials(const Factory& make, int trials) {
  int clean = 0;
  for (int i = 0; i < trials; ++i) {
    const pid_t trial = fork();
    if (trial == 0) {
      setpgid(0, 0);
      alarm(10);
      const std::vector<char> body(16384, 'x');
      auto parent = make();
      if (parent->run(body, 50, Clock::time_point::max()) != 50) _exit(1);
      // The parent's client is in the middle of its work on another thread when the fork happens.
      std::uint64_t more = 0;
      std::thread busy([&] { more = parent->run(body, 300, Clock::time_point::max()); });
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      const pid_t child = fork();
      if (child == 0) {
        alarm(8);
        auto own = make();
        _exit(own->run(body, 100, Clock::time_point::max()) == 100 ? 0 : 1);
      }
      busy.join();
      int status = 0;
      waitpid(child, &status, 0);
      _exit(more == 300 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1);
    }
    int status = 0;
    waitpid(trial, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) ++clean;
    kill(-trial, SIGKILL);
  }
  return clean;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2.0;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  const int trials = argc > 3 ? std::atoi(argv[3]) : 50;
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return 1;
  Endpoints endpoints;
  char directory[] = "/tmp/transport_bench.XXXXXX";
  if (mkdtemp(directory) == nullptr) return 1;
  endpoints.directory = directory;
  if (!make_certificate(endpoints)) return 1;
  const pid_t server = fork();
  if (server == 0) run_server(pipe_ends[1], endpoints);
  int port[2] = {};
  if (read(pipe_ends[0], port, sizeof port) != sizeof port) return 1;
  endpoints.plain = port[0];
  endpoints.tls = port[1];

  const std::pair<const char*, Factory> kinds[] = {
      {"grpc++ GenericStub", [&] { return std::make_unique<GrpcClient>(endpoints, false); }},
      {"arca (libcurl h2)", [&] { return std::make_unique<ArcaClient>(endpoints, false); }},
      {"grpc++, TLS", [&] { return std::make_unique<GrpcClient>(endpoints, true); }},
      {"arca, TLS", [&] { return std::make_unique<ArcaClient>(endpoints, true); }},
  };
  for (const std::size_t size : {std::size_t{128} << 10U, std::size_t{256} << 10U}) {
    std::vector<std::vector<double>> speed(std::size(kinds)), cost(std::size(kinds));
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t k = 0; k < std::size(kinds); ++k) {
        const Figures figures = measure(kinds[k].second, size, seconds);
        speed[k].push_back(figures.megabytes_per_s);
        cost[k].push_back(figures.cpu_s_per_gigabyte);
      }
    }
    for (std::size_t k = 0; k < std::size(kinds); ++k)
      std::printf("%-20s %4zu KiB  %7.0f MB/s (max %.0f)  %.3f CPU-s/GB (min %.3f)\n", kinds[k].first, size >> 10U,
                  median(speed[k]), *std::max_element(speed[k].begin(), speed[k].end()), median(cost[k]),
                  *std::min_element(cost[k].begin(), cost[k].end()));
    std::fflush(stdout);
  }
  for (const auto& [name, make] : kinds) {
    const bool is_ours = name == kinds[1].first || name == kinds[3].first;
    const int count = is_ours ? trials : std::min(trials, 5);  // a trial that hangs takes ten seconds
    std::printf("%-20s fork: %d of %d trials clean\n", name, fork_trials(make, count), count);
    std::fflush(stdout);
  }
  kill(server, SIGTERM);
  waitpid(server, nullptr, 0);
  std::filesystem::remove_all(endpoints.directory);
  return 0;
}
