#include "support/cassandra.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <random>

#include "support/contents.hpp"

namespace arca::support {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

// Beyond the tool's own limits: only a tool that hangs meets it.
constexpr auto tool_patience = std::chrono::minutes(9);
// How much later than its own deadline the client may answer: it connects first, and a busy machine is slow.
constexpr auto client_grace = std::chrono::seconds(30);
constexpr int exit_not_installed = 3;

std::string last_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  const auto end = text.rfind('\n');
  return end == std::string::npos ? text : text.substr(end + 1);
}

pid_t parent_of(pid_t pid) {
  const auto stat = contents_of(fmt::format("/proc/{}/stat", pid));
  const auto name_end = stat.rfind(')');  // the name in brackets may contain anything
  if (name_end == std::string::npos || name_end + 4 >= stat.size()) return 0;
  return static_cast<pid_t>(std::atoi(stat.c_str() + name_end + 4));
}

// ctest runs every test in a process of its own: what they share belongs to it.
pid_t owner_of_shared_node() {
  pid_t ancestor = ::getppid();
  for (int generation = 0; generation < 4 && ancestor > 1; ++generation) {
    if (contents_of(fmt::format("/proc/{}/comm", ancestor)) == "ctest\n") return ancestor;
    ancestor = parent_of(ancestor);
  }
  return ::getpid();
}

// What the driver calls its failures, in our words.
ErrorCode code_of(const std::string& kind) {
  if (kind == "OperationTimedOut" || kind == "ReadTimeout" || kind == "WriteTimeout") return ErrorCode::timeout;
  if (kind == "NoHostAvailable" || kind == "Unavailable") return ErrorCode::unavailable;
  if (kind == "InvalidRequest" || kind == "SyntaxException") return ErrorCode::invalid_config;
  return ErrorCode::io;
}

}  // namespace

Result<std::string> run_cassandra_tool(const std::vector<std::string>& arguments) {
  const TemporaryDirectory directory;
  const auto output = directory / "output";
  const auto errors = directory / "errors";
  const int answers = ::open(output.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (answers < 0) return failure(ErrorCode::io, output + ": " + std::strerror(errno));
  std::vector<std::string> words = {ARCA_CASSANDRA_TOOL};
  words.insert(words.end(), arguments.begin(), arguments.end());
  auto process = Process::start(words, {.output_path = errors, .answer_descriptor = answers});
  ::close(answers);
  if (!process) return failure(process.error());
  const auto status = (*process)->wait(tool_patience);
  if (!status) return failure(ErrorCode::timeout, "tools/cassandra " + arguments.front() + " does not end");
  if (*status == ExitStatus{}) return last_line(contents_of(output));
  return failure(status->code == exit_not_installed ? ErrorCode::not_found : ErrorCode::unavailable,
                 fmt::format("tools/cassandra {} ended with code {}, signal {}: {}", arguments.front(), status->code,
                             status->signal, contents_of(errors)));
}

Cassandra::Cassandra(const json& description, bool is_shared)
    : is_shared_(is_shared),
      directory_(description.at("directory")),
      state_file_(description.at("state_file")),
      python_(description.at("python")),
      client_program_(description.at("client")),
      user_(description.value("user", "")),
      password_(description.value("password", "")),
      contact_points_(description.at("contact_points")),
      port_(description.at("port")) {}

Result<std::unique_ptr<Cassandra>> Cassandra::start(const CassandraOptions& options) {
  std::vector<std::string> arguments = {"start", std::to_string(options.nodes), "--owner", std::to_string(::getpid())};
  if (options.auth) arguments.push_back("--auth");
  if (options.tls) {
    arguments.insert(arguments.end(), {"--tls", "--node-certificate", options.node_certificate});
    if (options.client_auth) arguments.push_back("--client-auth");
  }
  if (options.heap_mib > 0) arguments.insert(arguments.end(), {"--heap", std::to_string(options.heap_mib)});
  const auto description = run_cassandra_tool(arguments);
  if (!description) return failure(description.error());
  return std::unique_ptr<Cassandra>(new Cassandra(json::parse(*description), false));
}

Result<Cassandra*> Cassandra::shared_node() {
  static std::unique_ptr<Cassandra> shared;
  if (!shared) {
    const auto description =
        run_cassandra_tool({"start", "1", "--shared", "--owner", std::to_string(owner_of_shared_node())});
    if (!description) return failure(description.error());
    shared.reset(new Cassandra(json::parse(*description), true));
  }
  return shared.get();
}

Cassandra::~Cassandra() {
  close_channel();
  client_.reset();
  // The owner's end does the rest where this fails.
  if (!is_shared_) (void)run_cassandra_tool({"stop", "--dir", directory_, "--now", "--remove"});
}

Result<void> Cassandra::command(const std::string& name, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {name, "--dir", directory_};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const auto done = run_cassandra_tool(words);
  if (!done) return failure(done.error());
  return {};
}

Result<void> Cassandra::kill(int node) { return command("kill", {std::to_string(node)}); }
Result<void> Cassandra::pause(int node) { return command("pause", {std::to_string(node)}); }
Result<void> Cassandra::resume(int node) { return command("resume", {std::to_string(node)}); }
Result<void> Cassandra::restart(int node) { return command("restart", {std::to_string(node)}); }
Result<void> Cassandra::stop() { return command("stop"); }
Result<void> Cassandra::restart_all() { return command("restart", {"all"}); }

CassandraCertificates Cassandra::certificates() const {
  const auto in = directory_ + "/tls/";
  return {in + "ca.pem",
          in + "client.pem",
          in + "client.key",
          in + "foreign-ca.pem",
          in + "client-expired.pem",
          in + "client-expired.key",
          in + "client-foreign.pem",
          in + "client-foreign.key"};
}

Result<std::string> Cassandra::make_keyspace(int replicas) {
  static std::atomic<unsigned> count{0};
  const auto name = fmt::format("test_{}_{}_{:08x}", ::getpid(), ++count, std::random_device{}());
  const auto made =
      cql(fmt::format("CREATE KEYSPACE {} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {}}}",
                      name, replicas),
          {.timeout = std::chrono::seconds(60)});
  if (!made) return failure(made.error());
  return name;
}

void Cassandra::close_channel() {
  if (channel_ >= 0) ::close(channel_);
  channel_ = -1;
}

Result<void> Cassandra::start_client() {
  close_channel();
  unread_.clear();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return failure(ErrorCode::io, std::strerror(errno));
  }
  channel_ = ends[0];
  auto started = Process::start(
      {python_, client_program_, state_file_},
      {.output_path = directory_ + "/client.log", .input_descriptor = ends[1], .answer_descriptor = ends[1]});
  ::close(ends[1]);
  if (!started) return failure(started.error());
  client_ = std::move(*started);
  return {};
}

// One line there, one line back.
Result<std::string> Cassandra::exchange(const std::string& request, milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const auto line = request + "\n";
  for (std::size_t written = 0; written < line.size();) {
    const auto count = ::send(channel_, line.data() + written, line.size() - written, MSG_NOSIGNAL);
    if (count < 0 && errno != EINTR) return failure(ErrorCode::io, std::string("the client: ") + std::strerror(errno));
    if (count > 0) written += static_cast<std::size_t>(count);
  }
  while (true) {
    const auto end = unread_.find('\n');
    if (end != std::string::npos) {
      auto answer = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return answer;
    }
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return failure(ErrorCode::timeout, "the check client does not answer");
    pollfd readable{channel_, POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(left.count())) <= 0) continue;
    char buffer[65536];
    const auto count = ::read(channel_, buffer, sizeof buffer);
    if (count == 0) return failure(ErrorCode::io, "the check client has ended: " + directory_ + "/client.log");
    if (count > 0) unread_.append(buffer, static_cast<std::size_t>(count));
  }
}

Result<json> Cassandra::cql(const std::string& statement, const CqlOptions& options) {
  if (!client_ || !client_->is_alive()) {
    const auto started = start_client();
    if (!started) return failure(started.error());
  }
  const json request = {{"statement", statement},
                        {"consistency", options.consistency},
                        {"timeout", static_cast<double>(options.timeout.count()) / 1000}};
  const auto line = exchange(request.dump(), options.timeout + client_grace);
  if (!line) {
    client_.reset();  // what it answers later belongs to no request any more
    return failure(line.error());
  }
  auto answer = json::parse(*line, nullptr, false);
  if (!answer.is_object()) return failure(ErrorCode::corrupt, "the check client answered: " + *line);
  if (answer.contains("error")) {
    const auto kind = answer.value("kind", "");
    return failure(code_of(kind), kind + ": " + answer.value("error", ""));
  }
  return answer.at("rows");
}

}  // namespace arca::support
