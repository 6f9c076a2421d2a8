// GrpcServer: a real grpc++ server on 127.0.0.1 that takes any unary method and answers as the test's script says.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace arca::fakes {

struct GrpcCall {
  std::string method;
  std::multimap<std::string, std::string> metadata;
  std::string request;
};

struct GrpcAnswer {
  int status = 0;
  std::string message;
  std::string details;                   // binary google.rpc.Status
  std::string response;                  // sent with status 0 only
  std::function<void()> before = [] {};  // runs on a thread of the server; may wait
};

struct GrpcServerTls {
  std::string certificate;  // PEM texts
  std::string key;
  std::string client_ca;  // not empty: clients must show a certificate of this CA
};

// Thread-safe.
class GrpcServer {
 public:
  using Script = std::function<GrpcAnswer(const GrpcCall&)>;
  explicit GrpcServer(Script script, const GrpcServerTls* tls = nullptr, int port = 0);
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  [[nodiscard]] int port() const;
  [[nodiscard]] std::string host_and_port() const { return "127.0.0.1:" + std::to_string(port()); }

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace arca::fakes
