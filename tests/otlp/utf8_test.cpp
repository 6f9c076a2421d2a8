// Laws of UTF-8 as the encoder needs them.
#include "otlp/utf8.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace arca;

TEST(Utf8, EverythingWellFormedIsTaken) {
  for (const std::string_view text :
       {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "0123456789abcde\xC3\xA9"}) {
    EXPECT_TRUE(otlp::is_utf8(text)) << text;
  }
  EXPECT_TRUE(otlp::is_utf8(std::string_view("a\0b", 3)));
}

TEST(Utf8, EverythingIllFormedIsRefused) {
  for (const std::string_view text : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF",
                                      "\xE2\x82", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF0\x90\x80",
                                      "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "0123456789abcdef\xFF"}) {
    EXPECT_FALSE(otlp::is_utf8(text)) << text;
  }
}

TEST(Utf8, EachMaximalIllFormedPartBecomesOneReplacement) {
  EXPECT_EQ(otlp::replace_ill_formed("a\xFF"
                                     "b"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(otlp::replace_ill_formed("\xE2\x82"), "\xEF\xBF\xBD");
  EXPECT_EQ(otlp::replace_ill_formed("\xE2\x82x"), "\xEF\xBF\xBDx");
  EXPECT_EQ(otlp::replace_ill_formed("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(otlp::replace_ill_formed("good \xC3\xA9"), "good \xC3\xA9");
}

TEST(Utf8, PrefixesCountCharactersNotBytes) {
  EXPECT_EQ(otlp::prefix_size("abc", 2), 2U);
  EXPECT_EQ(otlp::prefix_size("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 0), 0U);
  EXPECT_EQ(otlp::prefix_size("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 1), 2U);
  EXPECT_EQ(otlp::prefix_size("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 2), 5U);
  EXPECT_EQ(otlp::prefix_size("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9), 9U);
}

// Every size and every place of the one byte that is not ASCII; allocations of the exact size, so that a sanitizer
// sees a step outside.
TEST(Utf8, CopyTextCopiesEverySizeAndSeesEveryHighByte) {
  for (std::size_t size = 0; size < 80; ++size) {
    std::vector<char> text(size, 'x');
    std::vector<std::byte> copy(size);
    EXPECT_EQ(otlp::copy_text(copy.data(), {text.data(), size}), 0U);
    for (std::size_t i = 0; i < size; ++i) {
      text[i] = '\x80';
      EXPECT_NE(otlp::copy_text(copy.data(), {text.data(), size}), 0U) << size << " " << i;
      EXPECT_EQ(base::as_text(copy), std::string_view(text.data(), size));
      text[i] = 'x';
    }
  }
}

}  // namespace
