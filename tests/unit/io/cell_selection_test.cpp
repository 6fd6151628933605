// Dropped cells are gone from arrays and sparse matrices that are larger than a block, by rows, by columns and by both.
#include "../../../src/io/cell_selection.hpp"

#include <random>

#include "../../../src/io/copy_tree.hpp"
#include "counts_files.hpp"

namespace masksc {
namespace {

constexpr std::int64_t cells = 1500;

class CellSelectionTest : public ::testing::Test {
 protected:
  CellSelectionTest() {
    std::mt19937 random(7);
    for (std::int64_t row = 0; row < cells; ++row)
      if (random() % 5 != 0) kept_.push_back(row);
    counts_ = {cells, cells, std::vector<double>(static_cast<std::size_t>(cells * cells))};
    for (double& value : counts_.values) value = random() % 3 == 0 ? static_cast<double>(random() % 100) : 0;
  }
  [[nodiscard]] std::vector<double> expected(bool rows, bool columns) const {
    std::vector<std::int64_t> all(cells);
    for (std::int64_t i = 0; i < cells; ++i) all[static_cast<std::size_t>(i)] = i;
    std::vector<double> values;
    for (const std::int64_t row : rows ? kept_ : all)
      for (const std::int64_t column : columns ? kept_ : all)
        values.push_back(counts_.values[static_cast<std::size_t>(row * cells + column)]);
    return values;
  }
  void write(const std::function<void(ArrayFile&)>& fill) const {
    ArrayFile file = ArrayFile::create(folder_ / "in.h5");
    fill(file);
    file.close();
  }
  /// What is left of "m", selected along `axes`.
  ArrayFile select(CellAxes axes) const {
    const ArrayFile in = ArrayFile::open(folder_ / "in.h5");
    const CellSelection selection(cells, kept_);
    EXPECT_TRUE(selection.can_select(in, "m", axes));
    ArrayFile out = ArrayFile::create(folder_ / "out.h5");
    selection.select(in, "m", out, "m", axes);
    out.close();
    return ArrayFile::open(folder_ / "out.h5");
  }
  /// Dense values of the sparse matrix "m".
  static std::vector<double> dense_of(const ArrayFile& file, bool by_row) {
    const auto shape = file.integers_attribute("m", "shape");
    const auto data = file.read<double>("m/data");
    const auto indices = file.read<std::int64_t>("m/indices");
    const auto starts = file.read<std::int64_t>("m/indptr");
    EXPECT_EQ(static_cast<std::int64_t>(starts.size()) - 1, by_row ? shape[0] : shape[1]);
    EXPECT_EQ(starts.back(), static_cast<std::int64_t>(data.size()));
    EXPECT_EQ(data.size(), indices.size());
    std::vector<double> values(static_cast<std::size_t>(shape[0] * shape[1]));
    for (std::size_t line = 0; line + 1 < starts.size(); ++line)
      for (auto i = static_cast<std::size_t>(starts[line]); i < static_cast<std::size_t>(starts[line + 1]); ++i) {
        const auto l = static_cast<std::int64_t>(line);
        values.at(static_cast<std::size_t>(by_row ? l * shape[1] + indices[i] : indices[i] * shape[1] + l)) = data[i];
      }
    return values;
  }

  TemporaryFolder folder_;
  std::vector<std::int64_t> kept_;
  Counts counts_;
};

TEST_F(CellSelectionTest, Arrays) {
  for (const ArrayOptions& options : {ArrayOptions{}, ArrayOptions{7, 1}, ArrayOptions{cells, 1}}) {
    write([&](ArrayFile& file) {
      file.write("m", view(counts_.values), {cells, cells}, options);
      file.set_attribute("m", "encoding-type", std::string("array"));
    });
    const ArrayFile rows = select({true, false});
    EXPECT_EQ(rows.read<double>("m"), expected(true, false)) << options.chunk_rows;
    EXPECT_EQ(rows.text_attribute("m", "encoding-type"), "array");
    EXPECT_EQ(rows.info("m").compressed, options.compression > 0);
  }
  EXPECT_EQ(select({true, true}).read<double>("m"), expected(true, true));
}

TEST_F(CellSelectionTest, SparseMatrices) {
  for (const bool by_row : {true, false}) {
    write([&](ArrayFile& file) {
      write_sparse(file, "m", compress(counts_, !by_row), by_row ? "csr_matrix" : "csc_matrix", cells, cells);
    });
    for (const bool both : {false, true}) {
      const ArrayFile out = select({true, both});
      EXPECT_EQ(dense_of(out, by_row), expected(true, both)) << by_row << both;
      EXPECT_EQ(out.info("m/indices").type, NumericType::i32) << "as it was";
    }
  }
}

TEST_F(CellSelectionTest, TextsOfAnyLength) {
  std::vector<std::string> texts;
  std::vector<std::string> wanted;
  for (std::int64_t i = 0; i < cells; ++i) texts.push_back(std::string(static_cast<std::size_t>(i % 40), 'x'));
  for (const std::int64_t row : kept_) wanted.push_back(texts[static_cast<std::size_t>(row)]);
  write([&](ArrayFile& file) { file.write_text("m", texts); });
  EXPECT_EQ(select({}).read_text("m"), wanted);
}

TEST_F(CellSelectionTest, OnlyWhatHasOneEntryACell) {
  const CellSelection selection(cells, kept_);
  write([&](ArrayFile& file) {
    file.write("m", view(std::vector<double>(cells + 1)), {cells + 1});
    file.write("line", view(std::vector<double>(cells)), {cells});
    write_sparse(file, "sparse", Sparse{}, "csr_matrix", cells - 1, 3);
    file.create_group("group");
    file.set_attribute("group", "encoding-type", std::string("categorical"));
  });
  const ArrayFile in = ArrayFile::open(folder_ / "in.h5");
  for (const char* name : {"m", "sparse", "group", "absent"}) EXPECT_FALSE(selection.can_select(in, name)) << name;
  EXPECT_TRUE(selection.can_select(in, "line"));
  EXPECT_FALSE(selection.can_select(in, "line", {true, true}));
}

TEST_F(CellSelectionTest, DamagedIndicesAreRefused) {
  Sparse sparse = compress(counts_, true);
  sparse.indices[70000] = cells;
  write([&](ArrayFile& file) { write_sparse(file, "m", sparse, "csc_matrix", cells, cells); });
  EXPECT_THAT(user_error([&] { select({}); }), ::testing::HasSubstr("cell index 1500 of 1500 cells"));
}

TEST_F(CellSelectionTest, TreesAreCopiedWithTheirAttributes) {
  write([&](ArrayFile& file) {
    file.write("a/b/numbers", view(std::vector<float>{1, 2, 3}), {3}, {2, 1});
    file.write_text_scalar("a/text", "caf\u00e9");
    file.set_attribute("a", "order", std::vector<std::string>{"x", "y"});
    file.set_flag_attribute("a/b", "flag", true);
    file.create_group("a/empty");
  });
  const ArrayFile in = ArrayFile::open(folder_ / "in.h5");
  ArrayFile out = ArrayFile::create(folder_ / "out.h5");
  out.create_group("to");
  copy_tree(in, "a", out, "to/a");
  out.close();
  const ArrayFile back = ArrayFile::open(folder_ / "out.h5");
  EXPECT_EQ(back.read<float>("to/a/b/numbers"), std::vector<float>({1, 2, 3}));
  EXPECT_EQ(back.read_text("to/a/text"), std::vector<std::string>{"caf\u00e9"});
  EXPECT_EQ(back.texts_attribute("to/a", "order"), std::vector<std::string>({"x", "y"}));
  EXPECT_TRUE(back.info("to/a/empty").is_group());
}

}  // namespace
}  // namespace masksc
