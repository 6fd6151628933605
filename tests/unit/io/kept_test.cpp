// What is kept of inputs: columns of every name and kind, the categories that anndata 0.7 kept aside.
#include "../../../src/io/columns.hpp"
#include "../../../src/io/kept_input.hpp"
#include "../../../src/io/kept_obs.hpp"
#include "counts_files.hpp"
#include "masksc/io/h5ad_copy.hpp"
#include "masksc/io/h5ad_writer.hpp"

namespace masksc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Texts = std::vector<std::string>;

class KeptTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path(const char* name = "a.h5ad") const { return folder_ / name; }
  /// Five cells; `fill` adds to obs, whose columns are `order`.
  void write(const Texts& order, const std::function<void(ArrayFile&)>& fill, const char* name = "a.h5ad") const {
    const Counts counts;
    write_h5ad(path(name), counts, [&](ArrayFile& file) {
      file.write("X", view(counts.values), {5, 6});
      file.set_attribute("obs", "column-order", view(order));
      file.set_attribute("var", "column-order", view(Texts{}));
      fill(file);
    });
  }
  [[nodiscard]] ArrayFile keep(const std::vector<std::int64_t>& rows) const {
    EXPECT_THAT(keep_input(path(), {}, rows, path("kept.h5")), IsEmpty());
    return ArrayFile::open(path("kept.h5"));
  }
  /// What several inputs have in obs.
  [[nodiscard]] ArrayFile join(const Texts& names, std::int64_t cells) const {
    std::vector<std::filesystem::path> files;
    for (const std::string& name : names) files.push_back(path(name.c_str()));
    std::vector<std::int64_t> rows;
    for (std::int64_t row = 0; row < cells; ++row) rows.push_back(row);
    EXPECT_THAT(keep_obs(files, {}, rows, path("kept.h5")), IsEmpty());
    return ArrayFile::open(path("kept.h5"));
  }

  TemporaryFolder folder_;
};

TEST_F(KeptTest, CategoriesThatAnndata07KeptAside) {
  write({"q"}, [&](ArrayFile& file) {
    for (const char* frame : {"obs", "raw/var", "obsm/df", "varm/df", "uns/deep/df"}) {
      const std::int64_t rows = std::string(frame).find("var") == std::string::npos ? 5 : 6;
      if (frame != std::string("obs")) write_frame(file, frame, "row", rows);
      file.set_attribute(frame, "encoding-type", std::string("dataframe"));
      std::vector<std::int8_t> codes = {1, 0, -1, 0, 1};
      codes.resize(static_cast<std::size_t>(rows));
      file.write(frame + std::string("/q"), view(codes), {rows});
      file.write_text(frame + std::string("/__categories/q"), Texts{"u", "v"});
    }
    file.write("raw/X", view(Counts().values), {5, 6});
  });
  const auto check = [](const ArrayFile& file, const Texts& frames, const Texts& texts) {
    for (const std::string& frame : frames) {
      EXPECT_FALSE(file.exists(frame + "/__categories")) << frame;
      Texts found = texts_of(read_labels(file, frame + "/q", file.info(frame + "/q/codes").rows()));
      if (found.size() == 6) found.pop_back();
      EXPECT_EQ(found, file.info(frame + "/q/codes").rows() == 6 ? Texts({"v", "u", "", "u", "v"}) : texts) << frame;
    }
  };
  const Texts frames = {"obs", "raw/var", "obsm/df", "varm/df", "uns/deep/df"};
  check(keep({0, 1, 2, 3, 4}), frames, {"v", "u", "", "u", "v"});
  check(keep({0, 1, 4}), {"obs", "obsm/df"}, {"v", "u", "v"});
  check(keep({0, 1, 4}), {"raw/var", "varm/df", "uns/deep/df"}, {"v", "u", "", "u", "v"});
  copy_with_clusters(path(), path("copy.h5ad"), {"new", Labels{{0, 0, 1, 1, 1}, {"0", "1"}}, {}});
  check(ArrayFile::open(path("copy.h5ad")), frames, {"v", "u", "", "u", "v"});
}

TEST_F(KeptTest, ColumnsWithASlashInTheirName) {
  const Texts values = {"s", "t", "s", "t", "t"};
  write({"masksc/x", "n/m", "plain"}, [&](ArrayFile& file) {
    for (const char* name : {"obs/plain", "obs/n/m", "obs/masksc/x"}) file.write_text(name, values);
  });
  for (const std::vector<std::int64_t>& rows : {std::vector<std::int64_t>{0, 1, 2, 3, 4}, {1, 2}}) {
    const ArrayFile kept = keep(rows);
    EXPECT_THAT(kept.texts_attribute("obs", "column-order"), ElementsAre("masksc/x", "n/m", "plain"));
    EXPECT_EQ(kept.read_text("obs/n/m").size(), rows.size());
  }
  static_cast<void>(keep({0, 1, 2, 3, 4}));
  H5adWriter writer(path("r.h5ad"), Texts(5, "c"), Texts(6, "g"));
  writer.keep(path("kept.h5"), {"obs/masksc"});
  writer.add_obs("masksc", Labels{{0, 0, 1, 1, 1}, {"0", "1"}});
  writer.add_obs("o/p", Labels{{0, 0, 1, 1, 1}, {"0", "1"}});
  writer.add_obs("masksc/codes", Labels{{0, 0, 1, 1, 1}, {"0", "1"}});
  writer.finish();
  EXPECT_THAT(ordered_columns(ArrayFile::open(path("r.h5ad")), "obs"),
              ElementsAre("n/m", "plain", "masksc", "o/p", "masksc_codes"));
  copy_with_clusters(path(), path("copy.h5ad"), {"new", Labels{{0, 0, 1, 1, 1}, {"0", "1"}}, {}});
  const ArrayFile copy = ArrayFile::open(path("copy.h5ad"));
  EXPECT_THAT(copy.texts_attribute("obs", "column-order"), ElementsAre("masksc/x", "n/m", "plain", "new"));
  EXPECT_EQ(copy.read_text("obs/n/m"), values);
  std::filesystem::copy(path(), path("b.h5ad"));
  EXPECT_EQ(texts_of(read_labels(join({"a.h5ad", "b.h5ad"}, 10), "obs/n/m", 10)).back(), "t");
}

TEST_F(KeptTest, IntegersOfSeveralInputsStayWhatTheyAre) {
  constexpr std::int64_t large = (std::int64_t{1} << 60) + 1;
  const std::vector<std::int64_t> integers = {large, 1, -2, 3, 4};
  const std::vector<std::uint64_t> naturals = {UINT64_MAX, UINT64_MAX - 1, 2, 3, 4};
  const std::vector<std::uint64_t> small = {0, 1, 2, 3, 4};
  const std::vector<double> halves = {0.5, 1, 2, 3, 4};
  const std::vector<std::uint8_t> mask = {0, 1, 0, 0, 0};
  const Texts order = {"both", "few", "halves", "masked", "mixed", "natural", "some"};
  for (const bool first : {true, false})
    write(
        order,
        [&](ArrayFile& file) {
          file.write("obs/natural", view(naturals), {5});
          if (first)
            file.write("obs/both", view(integers), {5});
          else
            file.write("obs/both", view(small), {5});
          if (first)
            file.write("obs/mixed", view(integers), {5});
          else
            file.write("obs/mixed", view(naturals), {5});
          file.write("obs/masked/values", view(integers), {5});
          file.write("obs/some/values", view(small), {5});
          for (const char* name : {"obs/masked/mask", "obs/some/mask"}) file.write_flags(name, mask, {5});
          if (first)
            file.write("obs/halves", view(halves), {5});
          else
            file.write("obs/halves", view(integers), {5});
          if (first)
            file.write("obs/few", view(halves), {5});
          else
            file.write("obs/few", view(small), {5});
        },
        first ? "a.h5ad" : "b.h5ad");
  const ArrayFile kept = join({"a.h5ad", "b.h5ad"}, 10);
  EXPECT_EQ(kept.info("obs/natural").type, NumericType::u64);
  EXPECT_EQ(kept.read<std::uint64_t>("obs/natural")[6], UINT64_MAX - 1);
  EXPECT_EQ(kept.info("obs/both").type, NumericType::i64);
  EXPECT_EQ(kept.read<std::int64_t>("obs/both")[0], large);
  EXPECT_EQ(kept.info("obs/some").type, NumericType::f64);
  EXPECT_TRUE(std::isnan(kept.read<double>("obs/some")[1]));
  EXPECT_EQ(kept.info("obs/few").type, NumericType::f64);
  const std::string text = "1152921504606846977";
  EXPECT_EQ(read_texts(kept, "obs/masked")[0], text);
  EXPECT_EQ(read_texts(kept, "obs/masked")[1], "");
  EXPECT_EQ(read_texts(kept, "obs/halves")[5], text);
  EXPECT_EQ(read_texts(kept, "obs/mixed")[0], text);
  EXPECT_EQ(read_texts(kept, "obs/mixed")[5], "18446744073709551615");
}

}  // namespace
}  // namespace masksc
