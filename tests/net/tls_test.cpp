// TLS: whom we trust, who trusts us, and what is said when it does not work.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "fakes/answers.hpp"
#include "fakes/grpc_server.hpp"
#include "net/transports.hpp"

namespace arca::net {
namespace {

using fakes::ask;
using fakes::GrpcAnswer;
using fakes::GrpcCall;
using fakes::GrpcServer;
using fakes::GrpcServerTls;

// A CA, a stranger's CA, and certificates made by the openssl program, once for all tests.
class Certificates {
 public:
  Certificates() {
    char name[] = "/tmp/arca_tls_XXXXXX";
    directory_ = ::mkdtemp(name);
    make_ca("ca");
    make_ca("stranger");
    make("server", "ca", "subjectAltName=IP:127.0.0.1", "-days 30");
    make("wrong_host", "ca", "subjectAltName=DNS:elsewhere.example", "-days 30");
    make("expired", "ca", "subjectAltName=IP:127.0.0.1", "-days -1");
    make("client", "ca", "extendedKeyUsage=clientAuth", "-days 30");
  }
  ~Certificates() { std::filesystem::remove_all(directory_); }
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  [[nodiscard]] std::string path(const std::string& file) const { return directory_ + "/" + file; }
  [[nodiscard]] std::string text(const std::string& file) const {
    std::ifstream in(path(file));
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  [[nodiscard]] GrpcServerTls server(const std::string& name, bool mutual = false) const {
    return {text(name + ".pem"), text(name + ".key"), mutual ? text("ca.pem") : ""};
  }

 private:
  void run(const std::string& arguments) const {
    const std::string command = "cd " + directory_ + " && openssl " + arguments + " 2>>openssl.log";
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command + "\n" + text("openssl.log"));
  }
  void make_ca(const std::string& name) const {
    run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=" + name + " -keyout " + name +
        ".key -out " + name + ".pem");
  }
  void make(const std::string& name, const std::string& ca, const std::string& extension,
            const std::string& days) const {
    std::ofstream(path(name + ".ext")) << extension << "\n";
    run("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name + " -keyout " + name + ".key -out " +
        name + ".csr");
    run("x509 -req -in " + name + ".csr -CA " + ca + ".pem -CAkey " + ca + ".key -CAcreateserial -extfile " + name +
        ".ext " + days + " -out " + name + ".pem");
  }
  std::string directory_;
};

const Certificates& certificates() {
  static const Certificates made;
  return made;
}

Response ask_over_tls(const GrpcServerTls& server_tls, const TlsOptions& tls) {
  GrpcServer server([](const GrpcCall&) { return GrpcAnswer{}; }, &server_tls);
  auto transport = grpc_to(server.host_and_port(), false, &tls);
  return ask(*transport, payload_of(std::string(300000, 'x')), std::chrono::seconds(5));
}

TEST(Tls, ATrustedServerIsSpokenTo) {
  const Response response = ask_over_tls(certificates().server("server"), {certificates().path("ca.pem"), "", ""});
  EXPECT_EQ(response.outcome, Outcome::answered) << response.message;
  EXPECT_EQ(response.status, 0);
}

TEST(Tls, ManyRequestsShareOneTlsConnection) {
  const GrpcServerTls server_tls = certificates().server("server");
  GrpcServer server([](const GrpcCall&) { return GrpcAnswer{}; }, &server_tls);
  const TlsOptions tls{certificates().path("ca.pem"), "", ""};
  auto transport = grpc_to(server.host_and_port(), false, &tls);
  fakes::Answers answers;
  for (int i = 0; i < 200; ++i)
    transport->send(payload_of(std::string(20000, 'x')), {}, std::chrono::seconds(10), answers.take());
  for (const auto& response : answers.wait(200)) EXPECT_EQ(response.outcome, Outcome::answered) << response.message;
}

TEST(Tls, AStrangerAnExpiredAndAMisnamedServerGetNothing) {
  const TlsOptions tls{certificates().path("ca.pem"), "", ""};
  const TlsOptions wrong_ca{certificates().path("stranger.pem"), "", ""};
  const Response strange = ask_over_tls(certificates().server("server"), wrong_ca);
  EXPECT_EQ(strange.outcome, Outcome::not_sent);
  EXPECT_NE(strange.message.find("stranger.pem"), std::string::npos) << strange.message;
  const Response expired = ask_over_tls(certificates().server("expired"), tls);
  EXPECT_EQ(expired.outcome, Outcome::not_sent);
  EXPECT_NE(expired.message.find("expired"), std::string::npos) << expired.message;
  const Response misnamed = ask_over_tls(certificates().server("wrong_host"), tls);
  EXPECT_EQ(misnamed.outcome, Outcome::not_sent);
  EXPECT_NE(misnamed.message.find("127.0.0.1"), std::string::npos) << misnamed.message;
}

TEST(Tls, AClientCertificateIsShownWhereOneIsWanted) {
  const std::string ca = certificates().path("ca.pem");
  const TlsOptions with{ca, certificates().path("client.pem"), certificates().path("client.key")};
  EXPECT_EQ(ask_over_tls(certificates().server("server", true), with).outcome, Outcome::answered);
  EXPECT_NE(ask_over_tls(certificates().server("server", true), {ca, "", ""}).outcome, Outcome::answered);
}

TEST(Tls, UnreadableFilesAreNamed) {
  const std::string ca = certificates().path("ca.pem");
  const GrpcServerTls server_tls = certificates().server("server");
  const Response no_ca = ask_over_tls(server_tls, {"/no/such/ca.pem", "", ""});
  EXPECT_EQ(no_ca.outcome, Outcome::not_sent);
  EXPECT_NE(no_ca.message.find("'/no/such/ca.pem'"), std::string::npos) << no_ca.message;
  const Response no_certificate = ask_over_tls(server_tls, {ca, "/no/client.pem", "/no/client.key"});
  EXPECT_EQ(no_certificate.outcome, Outcome::not_sent);
  EXPECT_NE(no_certificate.message.find("'/no/client.pem'"), std::string::npos) << no_certificate.message;
  const Response rubbish = ask_over_tls(server_tls, {certificates().path("server.ext"), "", ""});
  EXPECT_EQ(rubbish.outcome, Outcome::not_sent);
  EXPECT_NE(rubbish.message.find("server.ext"), std::string::npos) << rubbish.message;
}

}  // namespace
}  // namespace arca::net
