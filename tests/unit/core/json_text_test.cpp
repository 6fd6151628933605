// JSON of strangers: what is no JSON, too deep or of another kind is the user's error, whatever it is.
#include "masksc/core/json_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace masksc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(ParseJson, TakesWhatIsSound) {
  EXPECT_EQ(parse_json(R"({"b": [1, 2.5, "x"], "a": {}})", "'f'").dump(), R"({"b":[1,2.5,"x"],"a":{}})");
  const std::string deep = std::string(30, '[') + std::string(30, ']');
  EXPECT_EQ(parse_json(deep, "'f'").dump(), deep);
}

TEST(ParseJson, NamesTheFile) {
  for (const std::string& text : {std::string(), std::string("{"), std::string("{\"a\": \"\x1B\"}"), std::string("nul"),
                                  std::string("\"\xFF\""), std::string("[1] x"), std::string("1e999999")})
    EXPECT_THAT([&] { parse_json(text, "'run.json'"); },
                ThrowsMessage<UserError>(AllOf(HasSubstr("'run.json' is damaged"), ::testing::Not(HasSubstr("\x1B")))));
  EXPECT_THAT([] { parse_json(std::string(1000000, '['), "'f'"); }, ThrowsMessage<UserError>(HasSubstr("deep")));
  std::string objects;
  for (int i = 0; i < 1000; ++i) objects += "{\"a\":";
  EXPECT_THAT([&] { parse_json(objects + "1" + std::string(1000, '}'), "'f'"); },
              ThrowsMessage<UserError>(HasSubstr("deep")));
}

TEST(ReadJson, NamesTheFile) {
  const Json json = parse_json(R"({"epochs": "three"})", "'f'");
  EXPECT_EQ(read_json("'f'", [&] { return json.at("epochs").get<std::string>(); }), "three");
  EXPECT_THAT([&] { read_json("'f'", [&] { return json.at("epochs").get<int>(); }); },
              ThrowsMessage<UserError>(HasSubstr("'f' is damaged")));
  EXPECT_THAT([&] { read_json("'f'", [&] { return json.at("steps").get<int>(); }); },
              ThrowsMessage<UserError>(HasSubstr("steps")));
}

TEST(ReadJson, RefusesNumbersThatAreNoIntegersOfThatSize) {
  const Json json = parse_json(R"({"huge": 144444444444444444444444, "big": 9223372036854775808, "far": 5000000000,
                                   "minus": -1, "half": 2.5, "most": 9223372036854775807})",
                               "'f'");
  const auto refused = ThrowsMessage<UserError>(AllOf(HasSubstr("'f' is damaged"), HasSubstr("number too large")));
  for (const char* key : {"huge", "big"})
    EXPECT_THAT([&] { read_json("'f'", [&] { return json.at(key).get<std::int64_t>(); }); }, refused) << key;
  EXPECT_THAT([&] { read_json("'f'", [&] { return json.value("huge", 3); }); }, refused);
  EXPECT_THAT([&] { read_json("'f'", [&] { return json.at("far").get<int>(); }); }, refused);
  EXPECT_THAT([&] { read_json("'f'", [&] { return json.at("minus").get<std::uint64_t>(); }); }, refused);
  EXPECT_EQ(json.at("half").get<int>(), 2);
  EXPECT_EQ(json.at("far").get<std::int64_t>(), 5000000000);
  EXPECT_EQ(json.at("most").get<std::int64_t>(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(json.at("big").get<std::uint64_t>(), std::uint64_t{1} << 63U);
}

}  // namespace
}  // namespace masksc
