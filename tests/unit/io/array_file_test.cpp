// Arrays and attributes come back as they went in, whatever their type and storage.
#include "masksc/io/array_file.hpp"

#include <fstream>
#include <numeric>

#include "counts_files.hpp"

namespace masksc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
class ArrayFileTypes : public ::testing::Test {};
using Types = ::testing::Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t,
                               std::int64_t, std::uint64_t, float, double>;
TYPED_TEST_SUITE(ArrayFileTypes, Types);

TYPED_TEST(ArrayFileTypes, ComeBackUnchanged) {
  const TemporaryFolder folder;
  const std::vector<TypeParam> values = {
      std::numeric_limits<TypeParam>::lowest(), TypeParam{0}, TypeParam{1}, TypeParam{7}, TypeParam{100},
      std::numeric_limits<TypeParam>::max()};
  {
    ArrayFile file = ArrayFile::create(folder / "a.h5");
    file.write("group/deep/values", view(values), {3, 2});
    file.close();
  }
  const ArrayFile file = ArrayFile::open(folder / "a.h5");
  const ArrayInfo info = file.info("group/deep/values");
  EXPECT_EQ(info.type, numeric_type<TypeParam>());
  EXPECT_THAT(info.shape, ElementsAre(3, 2));
  EXPECT_EQ(file.read<TypeParam>("group/deep/values"), values);
  EXPECT_THAT(file.read_rows<TypeParam>("group/deep/values", {1, 2}), ElementsAre(values[2], values[3]));
  EXPECT_TRUE(file.read_rows<TypeParam>("group/deep/values", {3, 3}).empty());
}

TEST(ArrayFile, KeepsTextsFlagsScalarsAndAttributes) {
  const TemporaryFolder folder;
  const std::vector<std::string> texts = {"plain", "", "naïve Zelle", "a,b\n"};
  const std::vector<std::uint8_t> flags = {1, 0, 1};
  const std::vector<std::int64_t> shape = {4, -7};
  const double pi = 3.25;
  {
    ArrayFile file = ArrayFile::create(folder / "a.h5");
    file.write_text("texts", texts);
    file.write_text_scalar("text", "one");
    file.write_flags("flags", flags, {3});
    file.write("number", std::span<const double>(&pi, 1), {});
    file.create_group("g");
    file.set_attribute("g", "text", std::string("csr"));
    file.set_attribute("g", "texts", view(texts));
    file.set_attribute("g", "none", std::span<const std::string>{});
    file.set_attribute("g", "shape", view(shape));
    file.set_flag_attribute("g", "ordered", true);
    file.close();
  }
  const ArrayFile file = ArrayFile::open(folder / "a.h5");
  EXPECT_THAT(file.children("/"), ElementsAre("flags", "g", "number", "text", "texts"));
  EXPECT_EQ(file.read_text("texts"), texts);
  EXPECT_EQ(file.read_text("text"), std::vector<std::string>{"one"});
  EXPECT_EQ(file.info("flags").kind, ArrayInfo::Kind::boolean);
  EXPECT_EQ(file.read<std::uint8_t>("flags"), flags);
  EXPECT_THAT(file.read<double>("number"), ElementsAre(3.25));
  EXPECT_TRUE(file.info("g").is_group());
  EXPECT_EQ(file.text_attribute("g", "text"), "csr");
  EXPECT_EQ(file.texts_attribute("g", "texts"), texts);
  EXPECT_TRUE(file.texts_attribute("g", "none").empty());
  EXPECT_EQ(file.integers_attribute("g", "shape"), shape);
  EXPECT_FALSE(file.text_attribute("g", "absent").has_value());
  EXPECT_FALSE(file.exists("g/absent/deeper"));
}

TEST(ArrayFile, GrowsByRows) {
  const TemporaryFolder folder;
  ArrayFile out = ArrayFile::create(folder / "a.h5");
  out.create_array("m", NumericType::i32, {3}, {4, 5});
  std::vector<std::int32_t> all(11 * 3);
  std::iota(all.begin(), all.end(), 0);
  for (const auto& [begin, end] : {std::pair<std::size_t, std::size_t>{0, 1}, {1, 1}, {1, 7}, {7, 11}})
    out.append_rows<std::int32_t>("m", std::span(all).subspan(begin * 3, (end - begin) * 3));
  out.close();
  const ArrayFile file = ArrayFile::open(folder / "a.h5");
  EXPECT_THAT(file.info("m").shape, ElementsAre(11, 3));
  EXPECT_EQ(file.read<std::int32_t>("m"), all);
}

/// Streams of chunks small (HDF5's cache) and large (inflated piece by piece), in all orders.
TEST(ArrayFile, StreamsRowsOfAnyChunks) {
  const TemporaryFolder folder;
  constexpr std::int64_t rows = 2500;
  constexpr std::int64_t columns = 1000;
  std::vector<float> values(rows * columns);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 977 == 0 ? i % 4001 : 0);
  ArrayFile out = ArrayFile::create(folder / "a.h5");
  out.write("whole", view(values), {rows, columns}, {rows, 1});  // one chunk of 10 MB
  out.write("large", view(values), {rows, columns}, {1200, 1});  // three chunks, the last one not full
  out.write("small", view(values), {rows, columns}, {7, 1});
  out.write("plain", view(values), {rows, columns});
  out.close();
  const ArrayFile file = ArrayFile::open(folder / "a.h5");
  for (const char* name : {"whole", "large", "small", "plain"}) {
    const auto stream = file.stream_rows(name);
    ASSERT_EQ(stream->info().type, NumericType::f32);
    for (const RowRange range :
         {RowRange{0, 1}, {1, 1100}, {1100, 1101}, {1190, 1210}, {2400, 2500}, {3, 5}, {0, rows}}) {
      std::vector<float> block(static_cast<std::size_t>(range.size() * columns));
      stream->read(range, block.data());
      EXPECT_TRUE(std::equal(block.begin(), block.end(), values.begin() + range.begin * columns))
          << name << " rows " << range.begin << " to " << range.end;
    }
  }
}

TEST(ArrayFile, SaysWhyAFileCannotBeOpened) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& name) { return user_error([&] { ArrayFile::open(folder / name); }); };
  EXPECT_THAT(message("absent.h5"), AllOf(HasSubstr("absent.h5"), HasSubstr("No such file")));
  EXPECT_THAT(message(""), HasSubstr("is a folder"));
  std::ofstream(folder / "empty.h5").close();
  EXPECT_THAT(message("empty.h5"), HasSubstr("0 bytes"));
  std::ofstream(folder / "text.h5") << "cell,gene\n";
  EXPECT_THAT(message("text.h5"), HasSubstr("not an HDF5 file"));
}

TEST(ArrayFile, RefusesTruncatedFilesAtAnyLength) {
  const TemporaryFolder folder;
  const Counts counts;
  write_h5ad(folder / "whole.h5ad", counts, [&](ArrayFile& file) {
    write_sparse(file, "X", compress(counts, false), "csr_matrix", counts.cells, counts.genes);
  });
  const auto size = std::filesystem::file_size(folder / "whole.h5ad");
  for (std::uintmax_t length = 0; length < size; length += 97) {
    std::filesystem::copy_file(folder / "whole.h5ad", folder / "cut.h5ad",
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(folder / "cut.h5ad", length);
    EXPECT_THAT(user_error([&] { open_counts(folder / "cut.h5ad", {}); }), HasSubstr("cut.h5ad")) << length;
  }
}

/// A damaged header that claims 2^40 cells must not ask for the memory.
TEST(ArrayFile, RefusesAShapeThatTheStoredBytesCannotFill) {
  const TemporaryFolder folder;
  const Counts counts;
  write_xy(folder / "a.h5", counts, {});
  std::ifstream in(folder / "a.h5", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const std::vector<std::int64_t> shape = {counts.cells, counts.genes};
  const std::size_t at = bytes.find(std::string(reinterpret_cast<const char*>(shape.data()), 16));
  ASSERT_NE(at, std::string::npos);
  for (const std::size_t high_byte : {5U, 7U, 8U + 2U, 8U + 5U}) {
    std::string bad = bytes;
    bad[at + high_byte] = 1;
    std::ofstream(folder / "bad.h5", std::ios::binary) << bad;
    EXPECT_THAT(user_error([&] { open_counts(folder / "bad.h5", {}); }), HasSubstr("bad.h5")) << high_byte;
    const ArrayFile file = ArrayFile::open(folder / "bad.h5");
    EXPECT_THROW(static_cast<void>(file.read<double>("X")), UserError) << high_byte;
  }
}

}  // namespace
}  // namespace masksc
