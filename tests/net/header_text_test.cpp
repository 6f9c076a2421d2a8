#include "net/header_text.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "net/endpoint.hpp"

namespace arca::net {
namespace {

std::string decoded(std::string_view text) {
  const auto bytes = decode_base64(text);
  return bytes ? std::string(base::as_text(*bytes)) : "(no)";
}

TEST(HeaderText, Base64IsReadWithAndWithoutPadding) {
  EXPECT_EQ(decoded(""), "");
  EXPECT_EQ(decoded("YQ=="), "a");
  EXPECT_EQ(decoded("YQ"), "a");
  EXPECT_EQ(decoded("YWI="), "ab");
  EXPECT_EQ(decoded("YWJj"), "abc");
  EXPECT_EQ(decoded("-_8"), "\xFB\xFF");
  EXPECT_EQ(decoded("YWJjZ"), "(no)");
  EXPECT_EQ(decoded("Y*Jj"), "(no)");
}

TEST(HeaderText, PercentEscapesAreDecodedAndStrayPercentsStay) {
  EXPECT_EQ(decode_percent("a%20b%C3%A9"), "a b\xC3\xA9");
  EXPECT_EQ(decode_percent("100%"), "100%");
  EXPECT_EQ(decode_percent("%2"), "%2");
  EXPECT_EQ(decode_percent("%zz%41"), "%zzA");
}

TEST(Endpoint, FollowsTheSpecification) {
  const auto url = [](std::string_view text, Protocol protocol, bool insecure = false) {
    const auto endpoint = parse_endpoint(text, protocol, insecure);
    return endpoint ? endpoint->url() : "refused";
  };
  EXPECT_EQ(url("http://localhost", Protocol::grpc), "http://localhost:4317");
  EXPECT_EQ(url("https://c.example:1234/", Protocol::grpc), "https://c.example:1234");
  EXPECT_EQ(url("c.example:1234", Protocol::grpc), "https://c.example:1234");
  EXPECT_EQ(url("c.example", Protocol::grpc, true), "http://c.example:4317");
  EXPECT_EQ(url("HTTP://[::1]:99", Protocol::grpc), "http://[::1]:99");
  EXPECT_EQ(url("http://localhost", Protocol::http), "http://localhost:4318/");
  EXPECT_EQ(url("https://h/a/b?x=1", Protocol::http), "https://h:4318/a/b?x=1");
  for (const auto* bad : {"", "h:1", "ftp://h", "http://", "http://:1", "http://h:0", "http://h:65536", "http://h:1x",
                          "http://h h", "http://u:p@h", "http://::1", "http://[::1", "http://[h]", "http://h#f"})
    EXPECT_EQ(url(bad, Protocol::http), "refused") << bad;
  EXPECT_EQ(url("http://h/path", Protocol::grpc), "refused");
}

TEST(Endpoint, ErrorsSayWhatIsAllowed) {
  const auto refused = parse_endpoint("collector:4318", Protocol::http);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message().find("'collector:4318'"), std::string::npos);
  EXPECT_NE(refused.error().message().find("http://host[:port][/path]"), std::string::npos);
}

TEST(Endpoint, ABaseUrlGetsTheSignalsPath) {
  const auto with_path = [](std::string_view base) {
    return with_signal_path(parse_endpoint(base, Protocol::http).value(), "v1/traces").url();
  };
  EXPECT_EQ(with_path("http://h"), "http://h:4318/v1/traces");
  EXPECT_EQ(with_path("http://h/"), "http://h:4318/v1/traces");
  EXPECT_EQ(with_path("http://h/otlp"), "http://h:4318/otlp/v1/traces");
  EXPECT_EQ(with_path("http://h/otlp/?k=1"), "http://h:4318/otlp/v1/traces?k=1");
}

}  // namespace
}  // namespace arca::net
