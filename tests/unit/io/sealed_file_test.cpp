// Sealed files: written by any number of ranks, read back whole, and no damage goes unnoticed.
#include "masksc/io/sealed_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "masksc/core/files.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/io/array_file.hpp"
#include "temporary_folder.hpp"

namespace masksc {
namespace {

std::vector<float> numbers(std::size_t count, float first) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

/// A file whose arrays are dealt out over `ranks`: 7 of different sizes, one of them empty.
void write_example(const std::filesystem::path& path, Collectives& ranks, bool background = false) {
  std::vector<std::vector<float>> keep;
  std::vector<ArraySource> own;
  for (int i = ranks.rank(); i < 7; i += ranks.size()) {
    keep.push_back(numbers(static_cast<std::size_t>(i * i * 40), static_cast<float>(i)));
    own.push_back({"group/array" + std::to_string(i), {i, i * 40}, std::span<const float>(keep.back()), nullptr});
  }
  SealedWrite write(path, "example", {{"answer", 42}}, own, ranks, background);
  write.finish();
  EXPECT_TRUE(write.written());
}

void expect_example(const std::filesystem::path& path) {
  const Seal seal = open_sealed(path, "example");
  EXPECT_EQ(seal.header.at("answer"), 42);
  for (int i = 0; i < 7; ++i) {
    std::vector<float> values(static_cast<std::size_t>(i * i * 40));
    read_array(seal, "group/array" + std::to_string(i), {i, i * 40}, values);
    EXPECT_EQ(values, numbers(values.size(), static_cast<float>(i)));
  }
}

TEST(SealedFile, ComesBackFromAnyNumberOfRanks) {
  const TemporaryFolder folder;
  for (const int size : {1, 2, 3, 5, 9})
    for (const bool background : {false, true}) {
      const auto path = folder / ("x" + std::to_string(size) + ".h5");
      run_as_threads(size, [&](Collectives& ranks) { write_example(path, ranks, background); });
      expect_example(path);
    }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 5);  // no staging files
}

TEST(SealedFile, Hdf5ReadsItToo) {
  const TemporaryFolder folder;
  write_example(folder / "x.h5", *single_rank());
  const ArrayFile file = ArrayFile::open(folder / "x.h5");
  EXPECT_EQ(file.read<float>("group/array3"), numbers(360, 3));
  EXPECT_EQ(parse_json(file.read_text("header").at(0)).at("answer"), 42);
}

TEST(SealedFile, NothingIsLeftOfOneThatWasNotFinished) {
  const TemporaryFolder folder;
  run_as_threads(2, [&](Collectives& ranks) {
    const std::vector<float> values = numbers(1000, 0);
    const SealedWrite write(folder / "x.h5", "example", {},
                            {{"a" + std::to_string(ranks.rank()), {1000}, values, nullptr}}, ranks, true);
  });
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(SealedFile, OfAnotherKindOrShapeIsRefused) {
  const TemporaryFolder folder;
  write_example(folder / "x.h5", *single_rank());
  EXPECT_THROW(open_sealed(folder / "x.h5", "checkpoint"), UserError);
  EXPECT_THROW(open_sealed(folder / "none.h5", ""), UserError);
  EXPECT_THROW(open_sealed(folder.path(), ""), UserError);
  const Seal seal = open_sealed(folder / "x.h5", "");
  std::vector<float> values(360);
  EXPECT_THROW(read_array(seal, "group/array3", {360}, values), UserError);
  EXPECT_THROW(read_array(seal, "group/array8", {3, 120}, values), UserError);
}

/// Whether the damaged bytes are told apart from good ones.
void expect_damaged(const std::filesystem::path& path, const std::string& bytes, const std::string& what) {
  write_file(path, bytes);
  EXPECT_THROW(open_sealed(path, "example"), DamagedFile) << what;
}

TEST(SealedFile, EveryDamagedByteIsFound) {
  const TemporaryFolder folder;
  write_example(folder / "good.h5", *single_rank());
  const std::string good = read_file(folder / "good.h5");
  const auto path = folder / "bad.h5";
  std::mt19937 random(7);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same damage every time
  for (int i = 0; i < 200; ++i) {
    std::string bad = good;
    const std::size_t at = random() % bad.size();
    bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
    expect_damaged(path, bad, "a bit of byte " + std::to_string(at));
  }
  for (std::size_t i = 0; i < 40; ++i) {  // the seal itself, byte by byte
    std::string bad = good;
    bad[bad.size() - 1 - i] = static_cast<char>(bad[bad.size() - 1 - i] ^ 0xFF);
    expect_damaged(path, bad, "byte " + std::to_string(i) + " from the end");
  }
  for (int i = 0; i < 40; ++i) {
    const std::size_t length = random() % good.size();
    expect_damaged(path, good.substr(0, length), "cut off at " + std::to_string(length));
    expect_damaged(path, good.substr(0, length) + std::string(good.size() - length, '\0'), "zeros from there");
  }
  expect_damaged(path, good + "x", "a byte more");
  expect_damaged(path, good + good, "twice");
  expect_damaged(path, "", "empty");
  expect_damaged(path, std::string(4096, '\0'), "zeros");
  write_file(path, good);
  expect_example(path);
}

TEST(SealedFile, AForgedManifestIsNoWayOutOfTheFile) {
  // The checksums agree, but the places are nonsense.
  const TemporaryFolder folder;
  write_example(folder / "good.h5", *single_rank());
  const std::string good = read_file(folder / "good.h5");
  const auto begin = good.rfind("{\"format\"");
  ASSERT_NE(begin, std::string::npos);
  const Json manifest = parse_json(good.substr(begin, good.size() - 24 - begin));
  const auto forge = [&](const Json& forged) {
    std::string text = forged.dump();
    Hasher hasher;
    hasher.add(text);
    const std::uint64_t numbers_of[2] = {hasher.value(), text.size()};
    text.append(reinterpret_cast<const char*>(numbers_of), 16);
    return good.substr(0, begin) + text + "MASKSC-S";
  };
  write_file(folder / "same.h5", forge(manifest));
  expect_example(folder / "same.h5");
  const std::vector<std::pair<const char*, Json>> changes = {
      {"offset", -1},         {"offset", std::int64_t{1} << 62},
      {"bytes", -4},          {"bytes", std::int64_t{1} << 62},
      {"shape", {-1, 40}},    {"shape", {std::int64_t{1} << 40, std::int64_t{1} << 40}},
      {"offset", "here"},     {"name", 3},
      {"xxh3", Json::array()}};
  for (const auto& [field, value] : changes) {
    Json forged = manifest;
    forged["arrays"][2][field] = value;
    expect_damaged(folder / "bad.h5", forge(forged), std::string(field) + " = " + value.dump());
  }
  for (const Json& forged : {Json(3), Json::array(), Json::object(), Json("text")})
    expect_damaged(folder / "bad.h5", forge(forged), forged.dump());
  Json newer = manifest;
  newer["format"] = sealed_format + 1;
  write_file(folder / "newer.h5", forge(newer));
  try {
    open_sealed(folder / "newer.h5", "");
    ADD_FAILURE() << "a newer format is refused";
  } catch (const DamagedFile&) {
    ADD_FAILURE() << "a newer format is not damage";
  } catch (const UserError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("newer"));
  }
}

}  // namespace
}  // namespace masksc
