// A real Apache Cassandra (tools/cassandra) as a peer of the tests, of one or three nodes on loopback addresses of
// their own, and as their judge: cql() reads back through the Python driver, which shares no line with ours. Nodes are
// killed, paused and started again with the same data. Where Cassandra is not installed, start() fails and says what to
// do; tests must pass that failure on, never skip.
#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "arca/result.hpp"
#include "support/process.hpp"
#include "support/temporary_directory.hpp"

namespace arca::support {

struct CassandraOptions {
  int nodes = 1;  // or 3
  bool auth = false;
  bool tls = false;
  bool client_auth = false;               // with tls: clients must show a certificate
  std::string node_certificate = "node";  // with tls: what nodes show; "expired" and "foreign" are wrong
  unsigned heap_mib = 0;                  // of each node; 0: the tool's default
};

// PEM files of a cluster with tls. The last five must be refused.
struct CassandraCertificates {
  std::string ca_path, client_certificate_path, client_key_path;
  std::string foreign_ca_path, expired_client_certificate_path, expired_client_key_path;
  std::string foreign_client_certificate_path, foreign_client_key_path;
};

struct CqlOptions {
  std::string consistency = "QUORUM";
  std::chrono::milliseconds timeout{10'000};
};

// Not thread-safe: one test thread. The destructor ends all nodes; so does the end of the test program, however it
// ends.
class Cassandra {
 public:
  // Starts a cluster and waits until all nodes serve and see each other.
  static Result<std::unique_ptr<Cassandra>> start(const CassandraOptions& options = {});
  // One node without auth and TLS that all tests of a ctest run (or, without ctest, of this program) share: use a
  // keyspace of your own (make_keyspace), and neither kill nor pause it. Started by the first caller.
  static Result<Cassandra*> shared_node();
  ~Cassandra();
  Cassandra(const Cassandra&) = delete;
  Cassandra& operator=(const Cassandra&) = delete;

  // Nodes have the numbers 1 to 3. Each call returns when it is so.
  Result<void> kill(int node);     // SIGKILL
  Result<void> pause(int node);    // SIGSTOP: connections stay, nothing is answered
  Result<void> resume(int node);   // SIGCONT; all nodes that run serve and see each other again
  Result<void> restart(int node);  // also after kill(); all nodes that run serve and see each other again
  Result<void> stop();             // all; the data stay for restart_all()
  Result<void> restart_all();

  // The rows as an array of objects. A blob is "0x...", a timestamp its milliseconds, a uuid its text, a map an object.
  // ErrorCode::timeout: no answer in time; unavailable: too few nodes, or none; invalid_config: the statement is wrong.
  Result<nlohmann::json> cql(const std::string& statement, const CqlOptions& options = {});
  // A fresh keyspace with that many replicas; its name.
  Result<std::string> make_keyspace(int replicas = 1);

  [[nodiscard]] const std::vector<std::string>& contact_points() const noexcept { return contact_points_; }
  [[nodiscard]] int port() const noexcept { return port_; }
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }
  // With auth: of the superuser.
  [[nodiscard]] const std::string& user() const noexcept { return user_; }
  [[nodiscard]] const std::string& password() const noexcept { return password_; }
  [[nodiscard]] CassandraCertificates certificates() const;

 private:
  Cassandra(const nlohmann::json& description, bool is_shared);
  Result<void> command(const std::string& name, const std::vector<std::string>& arguments = {});
  Result<void> start_client();
  void close_channel();
  Result<std::string> exchange(const std::string& request, std::chrono::milliseconds timeout);

  bool is_shared_;
  std::string directory_, state_file_, python_, client_program_, user_, password_;
  std::vector<std::string> contact_points_;
  int port_ = 0;
  std::unique_ptr<Process> client_;  // the Python driver: asked line by line
  int channel_ = -1;                 // to and from it
  std::string unread_;
};

// Runs tools/cassandra to its end; what it printed as its last line. ErrorCode::not_found when something is not
// installed.
Result<std::string> run_cassandra_tool(const std::vector<std::string>& arguments);

}  // namespace arca::support
