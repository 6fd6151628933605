#include "masksc/core/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

enum class Fruit { apple, pear };

struct Settings {
  std::int64_t epochs = 3;
  double rate = 1e-3;
  bool fast = false;
  Fruit fruit = Fruit::apple;
};

OptionTable table_of(Settings& s) {
  OptionTable table;
  table.begin_group("G");
  table.add("epochs", s.epochs, "passes");
  table.add("learning-rate", s.rate, "rate");
  table.add("fast", s.fast, "speed");
  table.add_choice("fruit", s.fruit, {{"apple", Fruit::apple}, {"pear", Fruit::pear}}, "kind");
  return table;
}

TEST(OptionTable, AnEmptyTextThatWouldComeBackAsTheDefaultIsRefused) {
  std::string kind = "all", name;
  OptionTable table;
  table.add("kind", kind, "");
  table.add("name", name, "");
  EXPECT_THROW(table.set("kind", "", "here"), UserError);
  EXPECT_NO_THROW(table.set("name", "", "here"));
  EXPECT_EQ(kind, "all");
}

TEST(OptionTable, SetsAndPrintsWhatItReadsBack) {
  Settings s;
  OptionTable table = table_of(s);
  table.set("epochs", "12", "here");
  table.set("learning-rate", "0.00025", "here");
  table.set("fast", "yes", "here");
  table.set("fruit", "pear", "here");
  EXPECT_EQ(s.epochs, 12);
  EXPECT_EQ(s.fruit, Fruit::pear);
  Settings copy;
  OptionTable other = table_of(copy);
  for (const Option& option : table.options()) other.set(option.name, option.get(), "copy");
  EXPECT_EQ(copy.epochs, 12);
  EXPECT_EQ(copy.rate, 0.00025);
  EXPECT_TRUE(copy.fast);
  EXPECT_EQ(copy.fruit, Fruit::pear);
}

TEST(OptionTable, NamesTheNearestOption) {
  Settings s;
  OptionTable table = table_of(s);
  EXPECT_THAT([&] { table.set("epoch", "1", "in 'x.ini'"); },
              ThrowsMessage<UserError>(::testing::AllOf(HasSubstr("'epochs'"), HasSubstr("x.ini"))));
}

TEST(OptionTable, RefusesValuesThatDoNotParse) {
  Settings s;
  OptionTable table = table_of(s);
  for (const auto& given : {std::pair{"epochs", "3.5"}, std::pair{"epochs", ""}, std::pair{"epochs", "9x"},
                            std::pair{"epochs", "99999999999999999999"}, std::pair{"learning-rate", "nan"},
                            std::pair{"learning-rate", "inf"}, std::pair{"fast", "maybe"}, std::pair{"fruit", "plum"}})
    EXPECT_THAT([&] { table.set(given.first, given.second, "here"); }, ThrowsMessage<UserError>(HasSubstr(given.first)))
        << given.second;
  EXPECT_EQ(s.epochs, 3);
}

/// What config.ini could not give back, and what JSON can't hold.
TEST(OptionTable, RefusesTextsThatCannotBeSaved) {
  std::string saved;
  std::string path;
  OptionTable table;
  table.begin_group("Result");
  table.add("layer", saved, "a name");
  table.begin_group("Paths", OptionRole::path);
  table.add("input", path, "a file");
  for (const char* value : {"a\nepochs = 5", "counts # raw", " a", "a\t", "caf\xE9"})
    EXPECT_THAT([&] { table.set("layer", value, "here"); },
                ThrowsMessage<UserError>(::testing::AllOf(HasSubstr("--layer"), HasSubstr("here"))))
        << value;
  EXPECT_EQ(saved, "");
  table.set("input", "a #1 ", "here");
  EXPECT_EQ(path, "a #1 ");
  EXPECT_THAT([&] { table.set("input", "caf\xE9.h5", "here"); }, ThrowsMessage<UserError>(HasSubstr("caf\\xe9.h5")));
}

TEST(NearestName, FindsTyposButNotStrangers) {
  const std::vector<std::string> known = {"celltype", "batch", "sample"};
  EXPECT_EQ(nearest_name("cell_type", known), "celltype");
  EXPECT_EQ(nearest_name("xyzzyplugh", known), "");
}

}  // namespace
}  // namespace masksc
