#include "masksc/io/event_file.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "temporary_folder.hpp"

namespace masksc {
namespace {

using ::testing::StartsWith;

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

TEST(EventFile, ChecksumsAreCastagnolis) {
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);              // the check value of the CRC catalogue
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);    // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);  // RFC 3720, B.4
}

// The bytes are those of the Python packages google-crc32c and tensorboard (tests/golden/events.py).
TEST(EventFile, RecordsAreFramedAsTensorFlowDoes) {
  EXPECT_EQ(hex(tfrecord("")), "000000000000000029039807d8ea82a2");
  EXPECT_EQ(hex(tfrecord("masksc")), "06000000000000007369d5376d61736b73635c092901");
}

TEST(EventFile, EventsAreEncodedAsProtobufDoes) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(hex(encode_event({.seconds = 1.5e9, .step = 300, .values = {{"train/loss", 0.25F}, {"x", -infinity}}})),
            "09000000c00b5ad64110ac022a1d0a110a0a747261696e2f6c6f7373150000803e0a080a017815000080ff");
  EXPECT_EQ(hex(encode_event({.seconds = 0.5, .step = 0, .values = {{"a", 1e-3F}}})),
            "09000000000000e03f2a0a0a080a0161156f12833a");
}

TEST(EventFile, LaterFilesSortAfterEarlierOnes) {
  const TemporaryFolder folder;
  const EventFile first(folder / "events");
  EventFile second(folder / "events");
  EXPECT_LT(first.path(), second.path());
  EXPECT_TRUE(is_event_file(first.path()));
  EXPECT_FALSE(is_event_file(folder / "log.jsonl"));
}

TEST(EventFile, AppendsWholeRecords) {
  const TemporaryFolder folder;
  EventFile file(folder / "events");
  const std::string before = read_file(file.path());
  const std::vector<ScalarEvent> events = {{.seconds = 1, .step = 1, .values = {{"a", 1}}},
                                           {.seconds = 2, .step = 2, .values = {{"a", 2}}}};
  file.append(events);
  EXPECT_EQ(read_file(file.path()), before + tfrecord(encode_event(events[0])) + tfrecord(encode_event(events[1])));
}

TEST(EventFile, SaysWhereItCannotWrite) {
  const TemporaryFolder folder;
  write_file(folder / "taken", "a file");
  try {
    EventFile(folder / "taken");
    FAIL();
  } catch (const EnvironmentError& e) {
    EXPECT_THAT(e.what(), StartsWith(fmt::format("cannot make the folder '{}'", (folder / "taken").string())));
  }
}

}  // namespace
}  // namespace masksc
