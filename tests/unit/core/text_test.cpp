// Text of strangers: what is UTF-8, and what a terminal may be shown.
#include "masksc/core/text.hpp"

#include <gtest/gtest.h>

namespace masksc {
namespace {

TEST(Utf8, IsToldFromStrayBytes) {
  for (const char* good : {"", "plain", "M\xC3\xBCller", "\xE2\x82\xAC", "\xF0\x9F\xA7\xAC", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(is_utf8(good)) << good;
  // Latin-1, a lone continuation, cut off, overlong, a surrogate, beyond Unicode.
  for (const char* bad : {"M\xFCller", "\x80", "\xE2\x82", "\xC0\xAF", "\xE0\x80\xAF", "\xF0\x80\x80\xAF",
                          "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF"})
    EXPECT_FALSE(is_utf8(bad)) << printable(bad);
}

TEST(Printable, KeepsWritingAndSpellsOutTheRest) {
  EXPECT_EQ(printable("caf\xC3\xA9 \xF0\x9F\xA7\xAC"), "caf\xC3\xA9 \xF0\x9F\xA7\xAC");
  EXPECT_EQ(printable("\x1B[31mred\x07\n"), "\\x1b[31mred\\x07\\x0a");
  EXPECT_EQ(printable("a\nb\x1B", true), "a\nb\\x1b");
  EXPECT_EQ(printable("\xFC"), "\\xfc");
  EXPECT_EQ(printable("\xC2\x9B"), "\\xc2\\x9b") << "the 8-bit form of ESC [";
  EXPECT_EQ(printable("\xE2\x80\xAE"), "\\xe2\\x80\\xae") << "right-to-left override";
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Shown, CutsLongNamesAtWholeCharacters) {
  EXPECT_EQ(shown("gene"), "gene");
  EXPECT_EQ(shown(std::string(1000, 'x')), std::string(80, 'x') + "...");
  EXPECT_EQ(shown(std::string(79, 'x') + "\xE2\x82\xAC" + "yy"), std::string(79, 'x') + "...");
  EXPECT_EQ(shown(std::vector<std::string>{}), "none");
  EXPECT_EQ(shown(std::vector<std::string>{"a", "b\n"}), "a, b\\x0a");
  EXPECT_EQ(shown(std::vector<std::string>(21, "a")).substr(57), "a, ...");
}

TEST(Trimmed, LeavesBlanksWithin) {
  EXPECT_EQ(trimmed(" \t a b\r"), "a b");
  EXPECT_EQ(trimmed(" \r\t "), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(FirstCharacters, AreWhole) {
  EXPECT_EQ(first_characters("a\u00b5m", 2), "a\u00b5");
  EXPECT_EQ(first_characters("a\u00b5m", 3), "a\u00b5m");
  EXPECT_EQ(first_characters("a\u00b5m", 9), "a\u00b5m");
  EXPECT_EQ(first_characters("\u00b5", 0), "");
}

TEST(QuotedWord, IsWhatAShellTakesBack) {
  EXPECT_EQ(quoted_word("dim=16,32"), "dim=16,32");
  EXPECT_EQ(quoted_word("my cells.h5ad"), "'my cells.h5ad'");
  EXPECT_EQ(quoted_word("it's"), "'it'\\''s'");
  EXPECT_EQ(quoted_word(""), "''");
}

TEST(NearestName, IsNotAskedOfEndlessNames) {
  const std::vector<std::string> known = {std::string(1 << 20, 'a'), "label"};
  EXPECT_EQ(nearest_name("lebel", known), "label");
  EXPECT_EQ(nearest_name(std::string(1 << 20, 'b'), known), "");
}

}  // namespace
}  // namespace masksc
