// Whose results a folder holds.
#include "masksc/run/output_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "message_of.hpp"
#include "temporary_folder.hpp"

namespace masksc {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

void add(const fs::path& file, const std::string& content = "{}") {
  fs::create_directories(file.parent_path());
  write_file(file, content);
}

TEST(OutputFolder, IsKnownByItsFiles) {
  const std::pair<const char*, FolderContent> known[] = {
      {"checkpoints/run.json", FolderContent::run},    {"model/model.json", FolderContent::run},
      {"metrics.json", FolderContent::embedding},      {"sweep.json", FolderContent::sweep},
      {"comparison.json", FolderContent::comparison},  {"notes.txt", FolderContent::none},
      {"points/dim=32.json.txt", FolderContent::none}, {"config.ini", FolderContent::none}};
  for (const auto& [file, content] : known) {
    const TemporaryFolder folder;
    add(folder / file);
    EXPECT_EQ(content_of(folder.path()), content) << file;
  }
  const TemporaryFolder folder;
  EXPECT_EQ(content_of(folder / "nowhere"), FolderContent::none);
  add(folder / "metrics.json");
  add(folder / "log.jsonl");
  EXPECT_EQ(content_of(folder.path()), FolderContent::run);
}

TEST(OutputFolder, WithoutTablesIsKnownByItsPoints) {
  for (const auto& [identity, content] :
       {std::pair(R"({"identity": {"method": "gmm"}})", FolderContent::comparison),
        std::pair(R"({"identity": {"dim": "32"}})", FolderContent::sweep),
        std::pair(R"({"identity": [1]})", FolderContent::none), std::pair(R"([1)", FolderContent::none)}) {
    const TemporaryFolder folder;
    add(folder / "points/.hidden.json", R"({"identity": {}})");
    add(folder / "points/a.json", identity);
    EXPECT_EQ(content_of(folder.path()), content) << identity;
  }
}

TEST(OutputFolder, IsHeldByProgramsOfItsKind) {
  const TemporaryFolder folder;
  const fs::path output = folder / "new/output";
  { const OutputLock nothing_written(output, FolderContent::sweep); }
  EXPECT_FALSE(fs::exists(output));
  const OutputLock held(output, FolderContent::sweep, Hold::shared);
  const OutputLock shared(output, FolderContent::sweep, Hold::shared);
  add(output / "sweep.json");
  EXPECT_NO_THROW(refuse_other_content(output, FolderContent::sweep));
  EXPECT_THAT(message_of([&] { const OutputLock other(output, FolderContent::comparison); }),
              AllOf(HasSubstr("holds a sweep"), HasSubstr("choose another --output")));
}

TEST(OutputFolder, IsNotMadeWhereALinkLeadsNowhere) {
  const TemporaryFolder folder;
  fs::create_symlink(folder / "gone", folder / "link");
  EXPECT_THAT(message_of([&] { make_output_folder(folder / "link"); }), HasSubstr("is a link to '"));
  fs::create_directory(folder / "gone");
  EXPECT_FALSE(make_output_folder(folder / "link"));
  EXPECT_TRUE(make_output_folder(folder / "gone" / "deeper"));
}

}  // namespace
}  // namespace masksc
