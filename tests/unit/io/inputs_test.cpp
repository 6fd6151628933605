// Several files as one input: genes by name, names of cells, labels, batches, lists of files.
#include "masksc/io/inputs.hpp"

#include <fstream>

#include "../../../src/io/columns.hpp"
#include "../../../src/io/gene_join.hpp"
#include "counts_files.hpp"
#include "masksc/io/prepared.hpp"

namespace masksc {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Names = std::vector<std::string>;

class InputsTest : public ::testing::Test {
 protected:
  /// A file of cells x genes whose counts are 1, 2, 3, ... with obs['kind'] and, unless empty, obs['donor'] and
  /// obs['stage'].
  std::filesystem::path write(const std::string& name, const Names& cells, const Names& genes, const Names& kinds,
                              const Names& donors = {}, const Labels& stages = {}) {
    std::vector<double> counts;
    for (std::size_t i = 0; i < cells.size() * genes.size(); ++i) counts.push_back(static_cast<double>(i + 1));
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    ArrayFile file = ArrayFile::create(path);
    for (const auto& [frame, names] : {std::pair("obs", &cells), std::pair("var", &genes)}) {
      file.create_group(frame);
      file.set_attribute(frame, "_index", std::string("names"));
      file.write_text(std::string(frame) + "/names", *names);
    }
    file.write_text("obs/kind", kinds);
    if (!donors.empty()) file.write_text("obs/donor", donors);
    if (!stages.empty()) write_categorical(file, "obs/stage", stages);
    file.write("X", view(counts), {static_cast<std::int64_t>(cells.size()), static_cast<std::int64_t>(genes.size())});
    file.close();
    return path;
  }
  [[nodiscard]] std::filesystem::path first() { return write("a.h5ad", {"c0", "c1"}, {"g0", "g1", "g2"}, {"T", "B"}); }
  [[nodiscard]] std::filesystem::path second() { return write("b.h5ad", {"d0"}, {"g3", "g2", "g0"}, {"NK"}); }

  TemporaryFolder folder_;
};

TEST_F(InputsTest, InnerJoinKeepsGenesOfAll) {
  const auto reader = open_inputs({first(), second()}, {});
  EXPECT_THAT(reader->gene_names(), ElementsAre("g0", "g2"));
  EXPECT_THAT(reader->cell_names(), ElementsAre("c0", "c1", "d0"));
  EXPECT_THAT(dense(reader->read_rows({0, 3})), ElementsAre(1, 3, 4, 6, 3, 2));
  EXPECT_THAT(dense(reader->read_rows({1, 3})), ElementsAre(4, 6, 3, 2)) << "rows of two files";
  EXPECT_THAT(dense(reader->read_rows({0, 1})), ElementsAre(1, 3)) << "back to a file that was left";
  EXPECT_TRUE(reader->labels().empty());
}

TEST_F(InputsTest, OuterJoinFillsWithZeros) {
  InputSettings settings;
  settings.join = GeneJoin::outer;
  const auto reader = open_inputs({first(), second()}, settings);
  EXPECT_THAT(reader->gene_names(), ElementsAre("g0", "g1", "g2", "g3"));
  EXPECT_THAT(dense(reader->read_rows({1, 3})), ElementsAre(4, 5, 6, 0, 3, 0, 2, 1));
  const CsrMatrix rows = reader->read_rows({2, 3});
  EXPECT_THAT(rows.indices, ElementsAre(0, 2, 3)) << "ascending, though the file has another order";
}

TEST_F(InputsTest, BatchesAreFilesWhereNoInputHasThem) {
  InputSettings settings;
  const auto by_default = open_inputs({first(), second()}, settings);
  EXPECT_EQ(by_default->batch_column(), "batch");
  EXPECT_THAT(by_default->batches().codes, ElementsAre(0, 0, 1));
  EXPECT_THAT(by_default->batches().names, ElementsAre("a", "b"));
  settings.batch_key = "sample";
  EXPECT_EQ(open_inputs({first(), second()}, settings)->batch_column(), "sample");
  EXPECT_THAT(user_error([&] { open_inputs({first()}, settings); }), AllOf(HasSubstr("'sample'"), HasSubstr("a.h5ad")));
  for (const char* bad : {"a/b", "masksc_x"}) {
    settings.batch_key = bad;
    EXPECT_THAT(user_error([&] { open_inputs({first()}, settings); }), HasSubstr(bad));
  }
}

TEST_F(InputsTest, BatchesComeFromObsWhereAllHaveThem) {
  InputSettings settings;
  settings.batch_key = "donor";
  const auto one = write("a.h5ad", {"c0", "c1"}, {"g0"}, {"T", "B"}, {"p1", "p2"});
  const auto two = write("b.h5ad", {"d0", "d1"}, {"g0"}, {"T", "B"}, {"p3", "p2"});
  const auto reader = open_inputs({one, two}, settings);
  EXPECT_EQ(reader->batch_column(), "donor");
  EXPECT_THAT(reader->batches().names, ElementsAre("p1", "p2", "p3"));
  EXPECT_THAT(reader->batches().codes, ElementsAre(0, 1, 2, 1));
  EXPECT_THAT(open_inputs({one}, settings)->batches().codes, ElementsAre(0, 1));
  EXPECT_TRUE(open_inputs({one}, {})->batches().empty()) << "nobody asked";
  const auto without = write("c.h5ad", {"e0"}, {"g0"}, {"T"});
  EXPECT_THAT(user_error([&] {
                open_inputs({one, without}, settings);
              }),
              AllOf(HasSubstr("1 of 2 inputs"), HasSubstr("c.h5ad")));
}

TEST_F(InputsTest, LabelsOfAllInOneOrder) {
  InputSettings settings;
  settings.labels = "kind";
  const auto reader = open_inputs({first(), second()}, settings);
  EXPECT_EQ(reader->label_column(), "kind");
  EXPECT_THAT(reader->labels().names, ElementsAre("B", "T", "NK"));
  EXPECT_THAT(reader->labels().codes, ElementsAre(1, 0, 2));
  settings.labels = "donor";
  const auto one = write("c.h5ad", {"c0"}, {"g0"}, {"T"}, {"p"});
  EXPECT_THAT(user_error([&] { open_inputs({one, second()}, settings); }), HasSubstr("b.h5ad"));
}

TEST_F(InputsTest, OrderedCategoriesStayOrderedWhereAllFilesHaveThemAlike) {
  const Names stages = {"late", "early"};
  const auto file = [&](const char* name, const Names& names, bool ordered) {
    const std::string cell = name;
    return write(cell + ".h5ad", {cell}, {"g0"}, {"T"}, {}, Labels{{0}, names, ordered});
  };
  const auto one = file("a", stages, true);
  for (const char* as : {"labels", "batches"}) {
    InputSettings settings;
    (std::string(as) == "labels" ? settings.labels : settings.batch_key) = "stage";
    const auto ordered = [&](const std::vector<std::filesystem::path>& paths) {
      const auto reader = open_inputs(paths, settings);
      return std::string(as) == "labels" ? reader->labels().ordered : reader->batches().ordered;
    };
    EXPECT_TRUE(ordered({one})) << as;
    EXPECT_TRUE(ordered({one, file("b", stages, true)})) << as;
    EXPECT_FALSE(ordered({one, file("b", stages, false)})) << as;
    EXPECT_FALSE(ordered({file("b", stages, false), one})) << as;
    EXPECT_FALSE(ordered({one, file("b", {"early", "late"}, true)})) << as;
    EXPECT_FALSE(ordered({file("b", stages, false)})) << as;
    write_prepared(*open_inputs({one}, settings), folder_ / "p.h5", 1);
    EXPECT_TRUE(ordered({folder_ / "p.h5"})) << as;
  }
}

TEST_F(InputsTest, CellsOfOneNameGetThatOfTheirFile) {
  const auto one = write("a.h5ad", {"c0", "c1"}, {"g0"}, {"T", "B"});
  const auto two = write("b.h5ad", {"c1"}, {"g0"}, {"T"});
  EXPECT_THAT(open_inputs({one, two}, {})->cell_names(), ElementsAre("c0-a", "c1-a", "c1-b"));
}

TEST_F(InputsTest, RefusesGenesThatDoNotFit) {
  const auto symbols = write("a.h5ad", {"c"}, {"CD3D", "CD4", "CD8A", "LYZ"}, {"T"});
  const auto identifiers = write("b.h5ad", {"d"}, {"ENSG1", "ENSG2"}, {"T"});
  for (const GeneJoin join : {GeneJoin::inner, GeneJoin::outer}) {
    InputSettings settings;
    settings.join = join;
    EXPECT_THAT(user_error([&] {
                  open_inputs({symbols, identifiers}, settings);
                }),
                AllOf(HasSubstr("'CD3D', 'CD4', 'CD8A', ..."), HasSubstr("'ENSG1', 'ENSG2'"), HasSubstr("b.h5ad")));
  }
  const std::vector<Names> chain = {{"a", "b"}, {"b", "c"}, {"c", "d"}};
  EXPECT_THAT(user_error([&] { join_genes(chain, GeneJoin::inner, {"1", "2", "3"}); }), HasSubstr("--join outer"));
  EXPECT_THAT(join_genes(chain, GeneJoin::outer, {"1", "2", "3"}).names, ElementsAre("a", "b", "c", "d"));
}

TEST_F(InputsTest, ThePreparedFileKeepsBatches) {
  write_prepared(*open_inputs({first(), second()}, {}), folder_ / "p.h5", 1);
  const auto self = single_rank();
  const PreparedFile file(folder_ / "p.h5", *self);
  EXPECT_EQ(file.batch_column(), "batch");
  EXPECT_THAT(file.batches().names, ElementsAre("a", "b"));
  EXPECT_THAT(file.batches().codes, ElementsAre(0, 0, 1));
  EXPECT_THAT(dense(file.read_rows({0, 3})), ElementsAre(1, 3, 4, 6, 3, 2));
  InputSettings settings;
  settings.batch_key = "batch";
  EXPECT_THAT(open_inputs({folder_ / "p.h5"}, settings)->batches().codes, ElementsAre(0, 0, 1));
  const auto joined = open_inputs({folder_ / "p.h5", write("c.h5ad", {"e"}, {"g2"}, {"T"})}, {});
  EXPECT_THAT(joined->batches().names, ElementsAre("p", "c")) << "files, as no key was given";
}

TEST_F(InputsTest, ListsOfFiles) {
  const auto one = first();
  const auto two = second();
  std::ofstream(folder_ / "list.txt") << "# mine\n a.h5ad \n\n" << two.string() << "\n";
  EXPECT_THAT(listed_inputs(Names{"@" + (folder_ / "list.txt").string()}), ElementsAre(folder_ / "a.h5ad", two));
  EXPECT_THAT(user_error([&] {
                listed_inputs(Names{one.string(), "@" + (folder_ / "list.txt").string()});
              }),
              HasSubstr("twice"));
  EXPECT_THAT(user_error([&] { listed_inputs(Names{"@" + (folder_ / "none.txt").string()}); }), HasSubstr("none.txt"));
  std::ofstream(folder_ / "empty.txt") << "# nothing\n";
  EXPECT_THAT(user_error([&] { listed_inputs(Names{"@" + (folder_ / "empty.txt").string()}); }),
              HasSubstr("names no file"));
}

TEST(ShortNames, TellFilesApart) {
  using Paths = std::vector<std::filesystem::path>;
  EXPECT_THAT(short_names(Paths{"/x/a.h5ad", "/y/b.h5ad"}), ElementsAre("a", "b"));
  EXPECT_THAT(short_names(Paths{"/x/s1/outs/matrix.h5", "/x/s2/outs/matrix.h5"}), ElementsAre("s1", "s2"));
  EXPECT_THAT(short_names(Paths{"/x/s1/m.h5", "/x/s2/m.h5", "/y/s1/m.h5"}),
              ElementsAre("/x/s1/m.h5", "/x/s2/m.h5", "/y/s1/m.h5"));
}

}  // namespace
}  // namespace masksc
