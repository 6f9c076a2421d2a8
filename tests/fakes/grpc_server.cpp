#include "fakes/grpc_server.hpp"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <thread>
#include <vector>

namespace arca::fakes {
namespace {

std::string text_of(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (buffer.Dump(&slices).ok())
    for (const auto& slice : slices) text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return text;
}

class Reactor final : public grpc::ServerGenericBidiReactor {
 public:
  Reactor(const GrpcServer::Script& script, grpc::GenericCallbackServerContext* context)
      : script_(script), context_(context) {
    StartRead(&request_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status(grpc::StatusCode::INTERNAL, "no message"));
      return;
    }
    GrpcCall call{context_->method(), {}, text_of(request_)};
    for (const auto& [name, value] : context_->client_metadata())
      call.metadata.emplace(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
    const GrpcAnswer answer = script_(call);
    answer.before();
    if (answer.status != 0) {
      Finish(grpc::Status(static_cast<grpc::StatusCode>(answer.status), answer.message, answer.details));
      return;
    }
    grpc::Slice slice(answer.response);
    response_ = grpc::ByteBuffer(&slice, 1);
    StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
  }
  void OnDone() override { delete this; }

 private:
  const GrpcServer::Script& script_;
  grpc::GenericCallbackServerContext* context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
};

class Service final : public grpc::CallbackGenericService {
 public:
  explicit Service(GrpcServer::Script script) : script_(std::move(script)) {}
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    return new Reactor(script_, context);
  }

 private:
  const GrpcServer::Script script_;
};

std::shared_ptr<grpc::ServerCredentials> credentials(const GrpcServerTls* tls) {
  if (tls == nullptr) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(tls->client_ca.empty()
                                                ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                                : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = tls->client_ca;
  options.pem_key_cert_pairs.push_back({tls->key, tls->certificate});
  return grpc::SslServerCredentials(options);
}

}  // namespace

class GrpcServer::State {
 public:
  State(Script script, const GrpcServerTls* tls, int port) : service(std::move(script)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), credentials(tls), &bound_port);
    builder.RegisterCallbackGenericService(&service);
    builder.SetMaxReceiveMessageSize(64 << 20);
    server = builder.BuildAndStart();
  }
  Service service;
  int bound_port = 0;
  std::unique_ptr<grpc::Server> server;
};

GrpcServer::GrpcServer(Script script, const GrpcServerTls* tls, int port)
    : state_(std::make_unique<State>(std::move(script), tls, port)) {}

GrpcServer::~GrpcServer() {
  if (state_->server) state_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
}

int GrpcServer::port() const { return state_->bound_port; }

}  // namespace arca::fakes
