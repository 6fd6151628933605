// What obs says beside counts: numbers as they are, columns of every name.
#include "masksc/io/annotations.hpp"

#include "counts_files.hpp"

namespace masksc {
namespace {

using ::testing::ElementsAre;

TEST(Annotations, NumbersAreReadAsTheyAre) {
  const TemporaryFolder folder;
  constexpr std::int64_t cells = 40;
  std::vector<double> small;
  std::vector<std::uint64_t> large;
  for (std::int64_t i = 0; i < cells; ++i) {
    small.push_back(1e-310 * static_cast<double>(i));  // below the least normal number
    large.push_back(UINT64_MAX - static_cast<std::uint64_t>(i) * 4096);
  }
  small[3] = std::nan("");
  std::vector<std::uint8_t> mask(cells, 0);
  mask[5] = 1;
  write_h5ad(folder / "a.h5ad", {cells, 2, {}}, [&](ArrayFile& file) {
    file.write("obs/small", view(small), {cells});
    file.write("obs/large/values", view(large), {cells});
    file.write_flags("obs/large/mask", mask, {cells});
  });
  const std::vector<ObsColumn> columns = read_obs(folder / "a.h5ad");
  ASSERT_EQ(columns.size(), 2U);
  ASSERT_EQ(columns[0].numbers.size(), static_cast<std::size_t>(cells));
  EXPECT_TRUE(std::isnan(columns[0].numbers[5])) << "missing";
  EXPECT_EQ(columns[0].numbers[1], static_cast<double>(large[1]));
  EXPECT_EQ(columns[1].numbers[2], small[2]);
  EXPECT_TRUE(std::isnan(columns[1].numbers[3]));
}

TEST(Annotations, ColumnsWithASlashInTheirName) {
  const TemporaryFolder folder;
  const std::vector<std::string> order = {"b/c", "kind", "b/d/e", "gone/x", "b//c", "kind/codes"};
  write_h5ad(folder / "a.h5ad", {}, [&](ArrayFile& file) {
    for (const char* name : {"obs/kind", "obs/b/c", "obs/b/d/e", "obs/b/unnamed"})
      file.write_text(name, std::vector<std::string>{"x", "y", "x", "y", "y"});
    file.set_attribute("obs", "column-order", view(order));
  });
  std::vector<std::string> names;
  for (const ObsColumn& column : read_obs(folder / "a.h5ad")) names.push_back(column.name);
  EXPECT_THAT(names, ElementsAre("b/c", "b/d/e", "kind"));
  EXPECT_TRUE(has_obs_column(folder / "a.h5ad", "b/c"));
  EXPECT_FALSE(has_obs_column(folder / "a.h5ad", "bc"));
  EXPECT_THROW(has_obs_column(folder / "a.h5ad", "b"), UserError) << "a group of b/c lies there";
  EXPECT_THAT(read_obs_labels(folder / "a.h5ad", "b/d/e").codes, ElementsAre(0, 1, 0, 1, 1));
}

}  // namespace
}  // namespace masksc
