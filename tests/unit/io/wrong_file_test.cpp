// Files that hold no counts as they are: the message says how to come to them.
#include <array>
#include <fstream>

#include "counts_files.hpp"

namespace masksc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(WrongFile, PackedOnesAreToBeUnpacked) {
  const TemporaryFolder folder;
  const auto message_of = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder / name, std::ios::binary) << text;
    return user_error([&] { read_all(folder / name); });
  };
  for (const auto& [name, text, command] : {std::array<std::string, 3>{"a.h5ad.gz", "\x1F\x8B\x08", "gunzip"},
                                            {"a.tar.gz", "\x1F\x8B\x08", "tar -xzf"},
                                            {"a.zip", "PK\x03\x04", "unzip"}})
    EXPECT_THAT(message_of(name, text),
                HasSubstr("is packed: unpack it first (" + command + " " + (folder / name).string()));
  EXPECT_THAT(message_of("a.h5ad", "\x1F"), HasSubstr("is not an HDF5 file"));
  EXPECT_THAT(message_of("a.csv.gz", "\x1F\x8B"), HasSubstr("a table of text"));
}

TEST(WrongFile, WithoutTheMatrixAskedFor) {
  const TemporaryFolder folder;
  const Counts counts;
  const auto with = [&](const std::vector<std::string>& matrices, const InputSettings& settings) {
    write_h5ad(folder / "counts.h5", counts, [&](ArrayFile& file) {
      for (const std::string& name : matrices) file.write(name, view(counts.values), {5, 6});
    });
    return user_error([&] { read_all(folder / "counts.h5", settings); });
  };
  EXPECT_THAT(with({"mod/rna/X"}, {}), HasSubstr("counts.h5\")[\"rna\"].write_h5ad("));
  EXPECT_THAT(with({"mod/rna/X"}, {"raw", ""}), HasSubstr("MuData"));
  EXPECT_THAT(with({}, {}), AllOf(HasSubstr("holds no counts"), Not(HasSubstr("--layer"))));
  EXPECT_THAT(with({"X"}, {"counts", ""}), HasSubstr("leave the option out to read X"));
  EXPECT_THAT(with({"layers/log"}, {}), HasSubstr("has no X: choose counts with --layer; there are: log"));
  for (const char* X : {"X", "layers/log"})
    EXPECT_THAT(with({X, "raw/X"}, {"raw", ""}), AllOf(HasSubstr("no raw/var"), Not(HasSubstr("did you mean"))));
  EXPECT_THAT(with({"layers/log", "raw/X"}, {}), HasSubstr("there are: log"));
}

}  // namespace
}  // namespace masksc
