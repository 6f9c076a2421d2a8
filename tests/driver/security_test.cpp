// Passwords and certificates against real nodes: what is right connects, what is wrong is named as what it is.
#include <gtest/gtest.h>

#include <memory>

#include "driver/driver.hpp"
#include "driver/node.hpp"

namespace arca::driver {
namespace {

constexpr const char* select_name = "SELECT cluster_name FROM system.local WHERE key = 'local'";

// The texts that the options point to live as long as the test.
struct Certificates {
  std::string ca{};
  std::string certificate{};
  std::string key{};
  bool skip_host_name_check = false;
};

class Secured : public testing::Test {
 protected:
  static std::unique_ptr<Client> tls_client(const Node& node, const Certificates& files) {
    return std::make_unique<Client>(node.contact_points(), [&files](arca_cql_options& options) {
      options.use_tls = 1;
      options.ca_file = files.ca.c_str();
      options.client_certificate_file = files.certificate.c_str();
      options.client_key_file = files.key.c_str();
      options.skip_host_name_check = files.skip_host_name_check ? 1 : 0;
    });
  }
  static void expect_works(const Node& node, const Certificates& files) {
    const auto client = tls_client(node, files);
    ASSERT_TRUE(client->wait_connected()) << client->status().last_error;
    EXPECT_EQ(client->run(Send{.text = select_name, .consistency = ARCA_CQL_LOCAL_ONE}).status, ARCA_CQL_OK);
  }
  static void expect_refused_as_tls(const Node& node, const Certificates& files) {
    const auto client = tls_client(node, files);
    EXPECT_TRUE(client->wait_connect_status(ARCA_CQL_TLS))
        << client->status().last_connect_status << " " << client->status().last_error;
    EXPECT_EQ(client->run(select_name).status, ARCA_CQL_TLS);
  }
};

class DriverTls : public Secured {
 protected:
  static void SetUpTestSuite() { node_ = new Node({"--tls"}); }
  static void TearDownTestSuite() { delete node_; }
  static inline Node* node_ = nullptr;
};

TEST_F(DriverTls, ANodeOfTheRightAuthorityWithItsAddressInTheCertificateIsTrusted) {
  expect_works(*node_, {.ca = node_->certificate("ca.pem")});
}

TEST_F(DriverTls, ANodeOfAnotherAuthorityIsNot) {
  expect_refused_as_tls(*node_, {.ca = node_->certificate("foreign-ca.pem")});
}

TEST_F(DriverTls, TheSystemsAuthoritiesDoNotVouchForIt) { expect_refused_as_tls(*node_, {}); }

TEST_F(DriverTls, APlainClientDoesNotConnectToAPortWithTls) {
  Client client(node_->contact_points());
  EXPECT_TRUE(client.wait_connect_status(ARCA_CQL_NOT_CONNECTED));
}

class DriverMutualTls : public Secured {
 protected:
  static void SetUpTestSuite() { node_ = new Node({"--tls", "--client-auth"}); }
  static void TearDownTestSuite() { delete node_; }
  static inline Node* node_ = nullptr;
};

TEST_F(DriverMutualTls, AClientWithACertificateOfTheRightAuthorityConnects) {
  expect_works(*node_,
               {node_->certificate("ca.pem"), node_->certificate("client.pem"), node_->certificate("client.key")});
}

TEST_F(DriverMutualTls, AClientWithoutACertificateIsToldThatItIsTls) {
  expect_refused_as_tls(*node_, {.ca = node_->certificate("ca.pem")});
}

TEST_F(DriverMutualTls, AnExpiredOrForeignCertificateIsRefusedAsTls) {
  for (const std::string name : {"client-expired", "client-foreign"}) {
    expect_refused_as_tls(
        *node_, {node_->certificate("ca.pem"), node_->certificate(name + ".pem"), node_->certificate(name + ".key")});
  }
}

class DriverNodeCertificate : public Secured {};

TEST_F(DriverNodeCertificate, AnExpiredOneIsRefused) {
  const Node node({"--tls", "--node-certificate", "expired"});
  expect_refused_as_tls(node, {.ca = node.certificate("ca.pem")});
  expect_refused_as_tls(node, {.ca = node.certificate("ca.pem"), .skip_host_name_check = true});
}

// Signs the node's key again, for another address, and lets the node show that.
void move_elsewhere(Node& node) {
  const std::string script =
      "set -e; cd '" + node.directory() +
      "/tls'; printf 'subjectAltName=IP:127.0.0.2\n' > elsewhere.ext; "
      "openssl req -new -key node1.key -subj /CN=elsewhere -out elsewhere.csr; "
      "openssl x509 -req -in elsewhere.csr -CA ca.pem -CAkey ca.key -set_serial 4711 -days 30 -extfile elsewhere.ext "
      "-out elsewhere.pem; cat node1.key elsewhere.pem ca.pem > node1.chain";
  const auto done = support::run_command({"sh", "-c", script});
  ASSERT_TRUE(done.has_value()) << done.error().message();
  node.restart();
}

TEST_F(DriverNodeCertificate, OneForAnotherAddressIsRefusedUnlessThatIsNotAsked) {
  Node node({"--tls"});
  move_elsewhere(node);
  expect_refused_as_tls(node, {.ca = node.certificate("ca.pem")});
  expect_works(node, {.ca = node.certificate("ca.pem"), .skip_host_name_check = true});
  expect_refused_as_tls(node, {.ca = node.certificate("foreign-ca.pem"), .skip_host_name_check = true});
}

class DriverPassword : public Secured {
 protected:
  static void SetUpTestSuite() { node_ = new Node({"--auth"}); }
  static void TearDownTestSuite() { delete node_; }
  static std::unique_ptr<Client> client(const char* user, const char* password) {
    return std::make_unique<Client>(node_->contact_points(), [&](arca_cql_options& options) {
      options.user = user;
      options.password = password;
    });
  }
  static inline Node* node_ = nullptr;
};

TEST_F(DriverPassword, TheRightOneConnects) {
  const auto right = client("cassandra", "cassandra");
  ASSERT_TRUE(right->wait_connected()) << right->status().last_error;
  EXPECT_EQ(right->run(Send{.text = select_name, .consistency = ARCA_CQL_LOCAL_ONE}).status, ARCA_CQL_OK);
}

TEST_F(DriverPassword, AWrongOneIsAnAuthenticationFailureAndNowhereToBeRead) {
  const auto wrong = client("cassandra", "sesame-9b1f");
  ASSERT_TRUE(wrong->wait_connect_status(ARCA_CQL_AUTHENTICATION)) << wrong->status().last_error;
  const Answer answer = wrong->run(select_name);
  EXPECT_EQ(answer.status, ARCA_CQL_AUTHENTICATION);
  for (const std::string& text : {wrong->log().all(), answer.message, std::string(wrong->status().last_error)}) {
    EXPECT_EQ(text.find("sesame"), std::string::npos) << text;
  }
}

TEST_F(DriverPassword, NoneIsAnAuthenticationFailure) {
  Client none(node_->contact_points());
  EXPECT_TRUE(none.wait_connect_status(ARCA_CQL_AUTHENTICATION)) << none.status().last_error;
  EXPECT_EQ(none.run(select_name).status, ARCA_CQL_AUTHENTICATION);
}

TEST_F(DriverPassword, WhatTheUserMayNotDoIsAnAuthenticationFailure) {
  const auto root = client("cassandra", "cassandra");
  ASSERT_TRUE(root->wait_connected());
  for (const char* text :
       {"CREATE ROLE small WITH PASSWORD = 'small' AND LOGIN = true",
        "CREATE KEYSPACE closed WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE TABLE closed.rows (id text PRIMARY KEY)"}) {
    ASSERT_EQ(root->run(text, {}, 0).status, ARCA_CQL_OK) << text;
  }
  const auto small = client("small", "small");
  ASSERT_TRUE(small->wait_connected()) << small->status().last_error;
  const Answer answer = small->run("INSERT INTO closed.rows (id) VALUES (?)", {"x"});
  EXPECT_EQ(answer.status, ARCA_CQL_AUTHENTICATION) << answer.message;
  EXPECT_EQ(answer.server_code, 0x2100);
}

}  // namespace
}  // namespace arca::driver
