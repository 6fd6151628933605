// The prepared file holds what the source holds, whatever the number of ranks and the size of blocks.
#include "masksc/io/prepared.hpp"

#include <fstream>
#include <mutex>
#include <random>

#include "counts_files.hpp"
#include "masksc/io/prepared_rows.hpp"

namespace masksc {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PreparedTest : public ::testing::Test {
 protected:
  void prepare(const Counts& counts, const std::vector<double>& labels, std::int64_t block = default_block_bytes) {
    write_xy(folder_ / "source.h5", counts, labels);
    const auto reader = open_counts(folder_ / "source.h5", {"", labels.empty() ? "" : "Y"});
    report_ = write_prepared(*reader, path(), block);
  }
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "prepared.h5"; }
  [[nodiscard]] std::string fingerprint() const {
    const auto self = single_rank();
    return PreparedFile(path(), *self).fingerprint();
  }

  TemporaryFolder folder_;
  PreparationReport report_;
};

Counts random_counts(std::int64_t cells, std::int64_t genes) {
  Counts counts{cells, genes, {}};
  std::mt19937 random(7);
  for (std::int64_t i = 0; i < cells * genes; ++i)
    counts.values.push_back(random() % 4 == 0 ? static_cast<double>(random() % 50 * (random() % 9 == 0 ? 97 : 1))
                                              : 0.0);
  return counts;
}

TEST_F(PreparedTest, DropsEmptyCellsAndKeepsTheirPlace) {
  prepare(Counts{}, {3, 1, 2, 1, 3});
  EXPECT_EQ(report_.cells, 4);
  EXPECT_EQ(report_.empty_cells_dropped, 1);
  EXPECT_EQ(report_.genes_without_counts, 1);
  EXPECT_EQ(report_.nonzeros, 8);
  const auto self = single_rank();
  const PreparedFile file(path(), *self);
  EXPECT_EQ(file.cells(), 4);
  EXPECT_EQ(file.genes(), 6);
  EXPECT_THAT(file.original_rows(), ElementsAre(0, 1, 3, 4));
  EXPECT_THAT(file.cell_names({1, 4}), ElementsAre("1", "3", "4"));
  EXPECT_THAT(file.labels().codes, ElementsAre(2, 0, 0, 2));
  EXPECT_THAT(file.labels().names, ElementsAre("1", "2", "3"));
  EXPECT_EQ(file.label_column(), "Y");
  EXPECT_THAT(dense(file.read_rows({1, 3})), ElementsAre(0, 4, 0, 0, 0, 0, 5, 0, 0, 6, 0, 0));
  EXPECT_TRUE(file.highly_variable().empty());
  EXPECT_FALSE(file.reads_were_collective()) << "no MPI here";
}

TEST_F(PreparedTest, IsTheSameOnAnyNumberOfRanks) {
  const Counts counts = random_counts(23, 40);
  prepare(counts, {});
  ASSERT_EQ(report_.empty_cells_dropped, 0);
  for (const int ranks : {1, 2, 3, 5, 30}) {  // 30: some ranks have no cells
    std::vector<double> all(counts.values.size());
    std::mutex mutex;
    run_as_threads(ranks, [&](Collectives& world) {
      const PreparedFile file(path(), world);
      const RowRange mine = rows_of_rank(file.cells(), world.rank(), world.size());
      const std::vector<double> rows = dense(file.read_rows(mine));
      const std::vector<std::string> names = file.cell_names(mine);
      const std::scoped_lock lock(mutex);
      std::copy(rows.begin(), rows.end(), all.begin() + mine.begin * file.genes());
      ASSERT_EQ(static_cast<std::int64_t>(names.size()), mine.size());
      for (std::int64_t i = 0; i < mine.size(); ++i)
        EXPECT_EQ(names[static_cast<std::size_t>(i)], std::to_string(mine.begin + i));
    });
    EXPECT_EQ(all, counts.values) << ranks << " ranks";
  }
}

TEST_F(PreparedTest, FingerprintTellsContentNotStorage) {
  const Counts counts = random_counts(23, 40);
  prepare(counts, {});
  const std::string whole = fingerprint();
  EXPECT_EQ(whole.size(), 16U);
  for (const std::int64_t block : {1, 1000, 3000}) {
    prepare(counts, {}, block);
    EXPECT_EQ(fingerprint(), whole) << "blocks of " << block << " bytes";
  }
  prepare(counts, std::vector<double>(23, 1.0));
  EXPECT_EQ(fingerprint(), whole) << "labels are no part of it";
  const auto sparse = compress(counts, true);
  {
    ArrayFile file = ArrayFile::create(folder_ / "source.h5ad");
    for (const auto& [frame, count] : {std::pair<std::string, std::int64_t>{"obs", 23}, {"var", 40}}) {
      write_frame(file, frame, "", count);
    }
    write_sparse(file, "X", sparse, "csc_matrix", 23, 40);
    file.close();
  }
  write_prepared(*open_counts(folder_ / "source.h5ad", {}), path());
  EXPECT_EQ(fingerprint(), whole) << "the same counts and names in h5ad";
  Counts changed = counts;
  changed.values[500] += 1;
  prepare(changed, {});
  EXPECT_NE(fingerprint(), whole);
}

TEST_F(PreparedTest, IsAnInputLikeAnyOther) {
  prepare(Counts{}, {3, 1, 2, 1, 3});
  const auto reader = open_counts(path(), {"", "Y"});
  EXPECT_EQ(reader->cells(), 4);
  EXPECT_THAT(reader->labels().codes, ElementsAre(2, 0, 0, 2));
  const PreparationReport again = write_prepared(*reader, folder_ / "again.h5");
  EXPECT_EQ(again.nonzeros, 8);
  EXPECT_THAT(user_error([&] { open_counts(path(), {"", "type"}); }), HasSubstr("prepared with the labels 'Y'"));
  prepare(Counts{}, {});
  EXPECT_THAT(user_error([&] { open_counts(path(), {"", "Y"}); }), HasSubstr("prepared without labels"));
}

TEST_F(PreparedTest, RepeatedNamesAreMadeUnique) {
  ArrayFile file = ArrayFile::create(folder_ / "source.h5ad");
  for (const char* frame : {"obs", "var"}) {
    file.create_group(frame);
    file.set_attribute(frame, "_index", std::string("names"));
  }
  // Cell 2 is empty; it takes part all the same, so that names do not depend on the counts.
  file.write_text("obs/names", std::vector<std::string>{"b", "a", "a", "a", "c"});
  file.write_text("var/names", std::vector<std::string>{"x", "x", "y", "x-1", "x", "z"});
  file.write("X", view(Counts{}.values), {5, 6});
  file.close();
  const PreparationReport report = write_prepared(*open_counts(folder_ / "source.h5ad", {}), path());
  EXPECT_EQ(report.cells_renamed, 2);
  EXPECT_EQ(report.genes_renamed, 2);
  EXPECT_THAT(warnings_of(report), ElementsAre(HasSubstr("1 cell without"), HasSubstr("2 cells had the name"),
                                               HasSubstr("2 genes had the name")));
  const auto self = single_rank();
  const PreparedFile prepared(path(), *self);
  EXPECT_THAT(prepared.cell_names({0, 4}), ElementsAre("b", "a", "a-2", "c"));
  EXPECT_THAT(prepared.gene_names(), ElementsAre("x", "x-2", "y", "x-1", "x-3", "z"));
  EXPECT_EQ(write_prepared(*open_counts(path(), {}), folder_ / "again.h5").genes_renamed, 0);
}

TEST_F(PreparedTest, ChoicesOfCountsBelongToThePreparation) {
  prepare(Counts{}, {});
  InputSettings settings;
  settings.genome = "mm10";
  EXPECT_THAT(user_error([&] { open_counts(path(), settings); }), HasSubstr("--genome 'mm10'"));
  settings = {"counts", ""};
  EXPECT_THAT(user_error([&] { open_counts(path(), settings); }), HasSubstr("--layer 'counts'"));
}

TEST_F(PreparedTest, IsRecognised) {
  prepare(Counts{}, {});
  EXPECT_TRUE(is_prepared(path()));
  EXPECT_FALSE(is_prepared(folder_ / "source.h5"));
  EXPECT_FALSE(is_prepared(folder_ / "absent"));
  EXPECT_FALSE(is_prepared(folder_.path()));
  const auto self = single_rank();
  EXPECT_THAT(user_error([&] { PreparedFile(folder_ / "source.h5", *self); }), HasSubstr("not a prepared file"));
}

TEST_F(PreparedTest, KeepsManyGenesAndFractions) {
  constexpr std::int64_t genes = 70000;  // more than 16 bits count
  Counts counts{3, genes, std::vector<double>(3 * genes)};
  counts.values[0] = 0.25;
  counts.values[65535] = 255;
  counts.values[65536] = 256;
  counts.values[genes - 1] = 1;
  counts.values[2 * genes + 69998] = 16777216;
  counts.values[3 * genes - 1] = 254.5;
  write_xy(folder_ / "source.h5", counts, {});
  InputSettings settings;
  settings.allow_noninteger = true;
  write_prepared(*open_counts(folder_ / "source.h5", settings), path());
  const auto self = single_rank();
  const PreparedFile file(path(), *self);
  const CsrMatrix rows = file.read_rows({0, 2});  // the empty cell is gone
  EXPECT_THAT(rows.indices, ElementsAre(0, 65535, 65536, 69999, 69998, 69999));
  EXPECT_THAT(rows.values, ElementsAre(0.25F, 255, 256, 1, 16777216, 254.5F));
  EXPECT_THAT(file.read_rows({1, 2}).values, ElementsAre(16777216, 254.5F));
  EXPECT_THAT(PreparedRows(path()).read({1, 2}).values, ElementsAre(16777216, 254.5F));
}

/// Every rank throws the same error; none is left waiting for the others.
TEST_F(PreparedTest, DamageIsMetByAllRanks) {
  const Counts counts = random_counts(20, 30);
  prepare(counts, {});
  const auto damage = [&](const std::string& array, std::size_t at, auto value) {
    std::string bytes;
    {
      std::ifstream in(path(), std::ios::binary);
      bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    const ArrayFile file = ArrayFile::open(path());
    const auto before = array == "indices" ? file.read<std::uint16_t>(array) : std::vector<std::uint16_t>{};
    const auto starts = array == "row_start" ? file.read<std::int64_t>(array) : std::vector<std::int64_t>{};
    const std::string part = before.empty()
                                 ? std::string(reinterpret_cast<const char*>(starts.data()), starts.size() * 8)
                                 : std::string(reinterpret_cast<const char*>(before.data()), before.size() * 2);
    const std::size_t place = bytes.find(part);
    ASSERT_NE(place, std::string::npos);
    bytes.replace(place + at, sizeof(value), std::string(reinterpret_cast<const char*>(&value), sizeof(value)));
    std::ofstream(folder_ / "damaged.h5", std::ios::binary) << bytes;
  };
  const auto messages = [&] {
    std::vector<std::string> all(3);
    run_as_threads(3, [&](Collectives& world) {
      try {
        const PreparedFile file(folder_ / "damaged.h5", world);
        static_cast<void>(file.read_rows(rows_of_rank(file.cells(), world.rank(), 3)));
      } catch (const UserError& error) {
        all[static_cast<std::size_t>(world.rank())] = error.what();
      }
    });
    return all;
  };
  damage("indices", 0, std::uint16_t{30});
  EXPECT_THAT(messages(), ::testing::Each(HasSubstr("gene index 30")));
  damage("indices", 2, std::uint16_t{65534});
  EXPECT_THAT(messages(), ::testing::Each(HasSubstr("gene index 65534")));
  damage("row_start", 8 * 15, 1 << 30);
  EXPECT_THAT(messages(), ::testing::Each(HasSubstr("row_start")));
}

/// Not by masksc_prepare: counts that are none, texts that are no UTF-8, and compression, which ranks don't undo.
TEST_F(PreparedTest, StrangersPreparedFilesAreChecked) {
  Counts counts;
  counts.values[0] = 300;
  counts.values[7] = 256;
  counts.values[18] = 70000;
  prepare(counts, {3, 1, 2, 1, 3});
  const auto refused = [&](const std::string& array, const auto& values, const ArrayOptions& options = {}) {
    const ArrayFile from = ArrayFile::open(path());
    ArrayFile to = ArrayFile::create(folder_ / "strange.h5");
    const auto copy = [&]<typename T>(const std::string& name, T) {
      if (name != array) to.write(name, view(from.read<T>(name)), {from.info(name).rows()}, {64, 0});
    };
    to.write(array, view(values), {static_cast<std::int64_t>(values.size())}, options);
    for (const char* name :
         {"row_start", "large_start", "original_rows", "cell_names/start", "gene_names/start", "labels/names/start"})
      copy(name, std::int64_t{});
    for (const char* name : {"cell_names/bytes", "gene_names/bytes", "labels/names/bytes"}) copy(name, std::uint8_t{});
    copy("labels/codes", std::int32_t{});
    copy("indices", std::uint16_t{});
    copy("values", std::uint8_t{});
    copy("large", float{});
    const std::int64_t version = 2;
    to.set_attribute("/", "version", std::span<const std::int64_t>(&version, 1));
    to.set_attribute("/", "masksc", std::string("prepared counts"));
    to.set_attribute("/", "label_column", std::string("Y"));
    to.close();
    return user_error([&] {
      const auto self = single_rank();
      const PreparedFile file(folder_ / "strange.h5", *self);
      static_cast<void>(file.labels());
      static_cast<void>(file.read_rows({0, file.cells()}));
    });
  };
  const ArrayFile whole = ArrayFile::open(path());
  auto values = whole.read<std::uint8_t>("values");
  EXPECT_THAT(refused("values", values, {8, 1}), HasSubstr("'values' of the wrong kind"));
  ASSERT_THAT(whole.read<float>("large"), ::testing::ElementsAre(300, 256, 70000));
  for (const float bad : {std::nanf(""), INFINITY, -1.0F, 0.0F})
    EXPECT_THAT(refused("large", std::vector<float>{300, 256, bad}), HasSubstr("in cell 2")) << bad;
  EXPECT_THAT(refused("large", std::vector<float>{300, 256}), HasSubstr("large_start"));
  values[5] = 0;
  EXPECT_THAT(refused("values", values), HasSubstr("3 counts in 'large' where 4 belong"));
  auto bytes = ArrayFile::open(path()).read<std::uint8_t>("gene_names/bytes");
  bytes[0] = 0xFF;
  EXPECT_THAT(refused("gene_names/bytes", bytes), AllOf(HasSubstr("gene_names"), HasSubstr("'\\xff'")));
}

}  // namespace
}  // namespace masksc
