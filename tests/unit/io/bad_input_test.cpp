// What is wrong with an input is said in one message: file, value, place, remedy. No file crashes the reader.
#include <fstream>
#include <random>

#include "counts_files.hpp"
#include "masksc/io/prepared.hpp"

namespace masksc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class BadInput : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "counts.h5"; }
  [[nodiscard]] std::string message(const InputSettings& settings = {}) const {
    return user_error([&] { read_all(path(), settings); });
  }
  void write(const std::function<void(ArrayFile&)>& fill) { write_h5ad(path(), counts_, fill); }
  void write_csr(const Sparse& sparse, std::int64_t rows = 5, std::int64_t columns = 6) {
    write([&](ArrayFile& file) { write_sparse(file, "X", sparse, "csr_matrix", rows, columns); });
  }

  TemporaryFolder folder_;
  Counts counts_;
};

TEST_F(BadInput, BadCountsAreNamedInEveryLayout) {
  const std::vector<std::pair<double, const char*>> bad = {{-1, "negative"},
                                                           {std::nan(""), "NaN"},
                                                           {INFINITY, "infinite"},
                                                           {1e39, "infinite or beyond float32"},
                                                           {1.5, "--allow-noninteger"}};
  for (const auto& [value, word] : bad) {
    counts_.values[3 * 6 + 3] = value;
    counts_.values[4 * 6 + 0] = value;  // a later cell, though an earlier gene
    write_xy(path(), counts_, {});
    EXPECT_THAT(message(), AllOf(HasSubstr("cell 3 ('3'), gene 3 ('3')"), HasSubstr(word), HasSubstr("counts.h5")));
    if (value > 1e38) continue;  // float32 in the sparse files below
    for (const bool by_column : {false, true}) {
      write([&](ArrayFile& file) {
        write_sparse(file, "X", compress(counts_, by_column), by_column ? "csc_matrix" : "csr_matrix", 5, 6);
      });
      EXPECT_THAT(message(), AllOf(HasSubstr("cell 3 ('cell3'), gene 3 ('gene3')"), HasSubstr(word)));
    }
  }
}

TEST_F(BadInput, NormalisedDataIsAllowedOnRequestButNotNegative) {
  counts_.values[0] = 1.5;
  write_xy(path(), counts_, {});
  InputSettings settings;
  settings.allow_noninteger = true;
  EXPECT_EQ(read_all(path(), settings), counts_.values);
  counts_.values[0] = -1.5;
  write_xy(path(), counts_, {});
  EXPECT_THAT(message(settings), HasSubstr("negative"));
}

TEST_F(BadInput, FormatsThatAreNotReadSayWhatToDo) {
  const auto message_of = [&](const std::string& name) { return user_error([&] { read_all(folder_ / name); }); };
  for (const char* name : {"a.zarr", "b.zarr/"}) std::filesystem::create_directory(folder_ / name);
  std::ofstream(folder_ / "a.zarr" / "zarr.json") << "{}";
  std::ofstream(folder_ / "b.zarr" / ".zgroup") << "{}";
  for (const char* name : {"c.zarr.zip", "d.loom", "e.csv", "e.txt.gz", "f.rds"}) std::ofstream(folder_ / name) << "1";
  for (const char* name : {"a.zarr", "b.zarr/", "c.zarr.zip"})
    EXPECT_THAT(message_of(name), AllOf(HasSubstr("Zarr"), HasSubstr(std::string("read_zarr(\"") +
                                                                     (folder_ / name).string() + "\").write_h5ad")));
  EXPECT_THAT(message_of("d.loom"), HasSubstr("read_loom"));
  for (const char* name : {"e.csv", "e.txt.gz"}) EXPECT_THAT(message_of(name), HasSubstr("scanpy.read("));
  EXPECT_THAT(message_of("f.rds"), HasSubstr("writeH5AD"));
  {
    const std::vector<float> values = {1};
    ArrayFile file = ArrayFile::create(folder_ / "g.loom");
    file.write<float>("matrix", values, {1, 1});
  }
  EXPECT_THAT(message_of("g.loom"), HasSubstr("read_loom"));
  write_xy(folder_ / "h.csv", counts_, {});
  EXPECT_EQ(read_all(folder_ / "h.csv"), counts_.values) << "what can be read is, whatever its name";
  EXPECT_THAT(message_of("absent.csv"), HasSubstr("No such file"));
}

TEST_F(BadInput, UnknownLayoutsListWhatIsThere) {
  ArrayFile file = ArrayFile::create(path());
  file.write("expression", view(counts_.values), {5, 6});
  file.create_group("meta");
  file.close();
  EXPECT_THAT(message(),
              AllOf(HasSubstr("expression (array 5 x 6)"), HasSubstr("meta (group)"), HasSubstr("expected X")));
  ArrayFile other = ArrayFile::create(path());
  other.write("X", view(counts_.values), {30});
  other.close();
  EXPECT_THAT(message(), HasSubstr("has the shape 30"));
  ArrayFile texts = ArrayFile::create(path());
  texts.write_text("X", std::vector<std::string>{"a"});
  texts.close();
  EXPECT_THAT(message(), HasSubstr("holds no numbers"));
}

TEST_F(BadInput, NoCellsOrNoGenes) {
  counts_ = {0, 6, {}};
  write_xy(path(), counts_, {});
  EXPECT_THAT(message(), HasSubstr("no cells"));
  counts_ = {5, 0, {}};
  write_xy(path(), counts_, {});
  EXPECT_THAT(message(), HasSubstr("no genes"));
  counts_ = {2, 2, {0, 0, 0, 0}};
  write_xy(path(), counts_, {});
  const auto reader = open_counts(path(), {});
  EXPECT_THAT(user_error([&] { write_prepared(*reader, folder_ / "p.h5"); }), HasSubstr("none of the 2 cells"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "p.h5"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / ".p.h5.partial"));
}

TEST_F(BadInput, LabelsOfXY) {
  write_xy(path(), counts_, {1, 2, 3});
  EXPECT_THAT(message({"", "Y"}), AllOf(HasSubstr("3 labels for 5 cells"), HasSubstr("counts.h5")));
  EXPECT_THAT(message({"", "type"}), AllOf(HasSubstr("'type'"), HasSubstr("--labels Y")));
  write_xy(path(), counts_, {});
  EXPECT_THAT(message({"", "yes"}), HasSubstr("holds no labels"));
  EXPECT_THAT(message({"counts", ""}), HasSubstr("no layers"));
}

TEST_F(BadInput, ColumnsAndLayersOfH5adThatAreNotThere) {
  write([&](ArrayFile& file) {
    write_sparse(file, "X", compress(counts_, false), "csr_matrix", 5, 6);
    file.write("layers/counts", view(counts_.values), {5, 6});
    file.write_text("obs/cell_type", std::vector<std::string>(5, "a"));
    file.write_text("obs/short", std::vector<std::string>(4, "a"));
    file.write_text("obs/nothing", std::vector<std::string>(5, ""));
  });
  EXPECT_THAT(message({"", "celltype"}), AllOf(HasSubstr("did you mean 'cell_type'"), HasSubstr("nothing, short")));
  EXPECT_THAT(message({"count", ""}), AllOf(HasSubstr("'count'"), HasSubstr("did you mean 'counts'")));
  EXPECT_THAT(message({"raw", ""}), HasSubstr("there are: counts"));
  EXPECT_THAT(message({"", "short"}), HasSubstr("4 labels for 5 cells"));
  EXPECT_THAT(message({"", "nothing"}), HasSubstr("missing"));
}

TEST_F(BadInput, DamagedSparseMatrices) {
  Sparse sparse = compress(counts_, false);
  const Sparse good = sparse;
  sparse.indices[4] = 6;
  write_csr(sparse);
  EXPECT_THAT(message(), AllOf(HasSubstr("cell3"), HasSubstr("gene index 6 of 6")));
  sparse.indices[4] = -1;
  write_csr(sparse);
  EXPECT_THAT(message(), HasSubstr("gene index -1"));
  sparse = good;
  sparse.indptr[2] = 1;
  write_csr(sparse);
  EXPECT_THAT(message(), HasSubstr("falls from 3 to 1"));
  sparse = good;
  sparse.indptr.back() = 99;
  write_csr(sparse);
  EXPECT_THAT(message(), HasSubstr("ends at 99"));
  sparse = good;
  sparse.indptr[0] = -5;
  write_csr(sparse);
  EXPECT_THAT(message(), HasSubstr("starts at -5"));
  sparse = good;
  sparse.data.pop_back();
  write_csr(sparse);
  EXPECT_THAT(message(), HasSubstr("indptr"));
  write_csr(good, 4, 6);
  EXPECT_THAT(message(), HasSubstr("5 names"));
  write_csr(good, std::int64_t{1} << 60, 6);
  EXPECT_THAT(message(), HasSubstr("damaged"));
  write([&](ArrayFile& file) {
    Sparse columns = compress(counts_, true);
    columns.indices[0] = 5;
    write_sparse(file, "X", columns, "csc_matrix", 5, 6);
  });
  EXPECT_THAT(message(), AllOf(HasSubstr("gene0"), HasSubstr("cell index 5 of 5")));
  write([&](ArrayFile& file) { write_sparse(file, "X", good, "coo_matrix", 5, 6); });
  EXPECT_THAT(message(), HasSubstr("coo_matrix"));
  write([&](ArrayFile& file) {
    write_sparse(file, "X", good, "csr_matrix", 5, 6);
    file.write("obs/kind/codes", view(std::vector<std::int8_t>{0, 1, 2, 7, 0}), {5});
    file.write_text("obs/kind/categories", std::vector<std::string>{"a", "b", "c"});
  });
  EXPECT_THAT(message({"", "kind"}), HasSubstr("code 7 of 3"));
}

TEST_F(BadInput, DataFramesWithoutAnIndex) {
  ArrayFile file = ArrayFile::create(path());
  file.create_group("obs");
  file.create_group("var");
  file.write("X", view(counts_.values), {5, 6});
  file.close();
  EXPECT_THAT(message(), HasSubstr("_index"));
}

TEST_F(BadInput, NamesOfStrangersAreFitToPrint) {
  const auto fill = [&](const std::string& name) {
    ArrayFile file = ArrayFile::create(path());
    write_frame(file, "obs", name, counts_.cells);
    write_frame(file, "var", "gene", counts_.genes);
    counts_.values[0] = -1;
    file.write("X", view(counts_.values), {5, 6});
    file.create_group("layers");
    file.write("layers/" + name, view(counts_.values), {5, 6});
    file.close();
  };
  fill("\x1B[31mred\n");
  EXPECT_THAT(message(), HasSubstr("('\\x1b[31mred\\x0a0')"));
  EXPECT_THAT(message({"red", ""}), HasSubstr("there are: \\x1b[31mred\\x0a"));
  fill("M\xFCller");
  EXPECT_THAT(message(), AllOf(HasSubstr("text 0 of 'obs/names'"), HasSubstr("M\\xfcller"), HasSubstr("UTF-8")));
  fill(std::string(5000, 'x'));
  EXPECT_LT(message().size(), 600U);
}

/// HDF5 1.10 itself follows such a reference out of bounds.
TEST_F(BadInput, TextsThatPointNowhere) {
  write([&](ArrayFile& file) { write_sparse(file, "X", compress(counts_, false), "csr_matrix", 5, 6); });
  std::string bytes;
  {
    std::ifstream in(path(), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  // References are (uint32 length, uint64 heap, uint32 index): two names are neighbours in one heap.
  std::size_t at = 0;
  const auto number = [&](std::size_t from) { return static_cast<unsigned char>(bytes[from]); };
  while (at + 32 < bytes.size() &&
         !(number(at) == 5 && number(at + 16) == 5 && number(at + 12) + 1 == number(at + 28) &&
           bytes.compare(at + 1, 11, bytes, at + 17, 11) == 0))
    ++at;
  ASSERT_LT(at + 32, bytes.size());
  for (const std::size_t byte : {at + 13, at + 14, at + 5, at + 9, at + 2}) {
    std::string bad = bytes;
    bad[byte] = 0x55;
    std::ofstream(path(), std::ios::binary) << bad;
    EXPECT_THAT(message(), AllOf(HasSubstr("obs/names"), HasSubstr("of 5 pointing nowhere"))) << byte - at;
  }
}

/// Any bytes changed: an error or counts, never a crash (the sanitizer run watches).
TEST_F(BadInput, SurvivesFlippedBytes) {
  write([&](ArrayFile& file) {
    write_sparse(file, "X", compress(counts_, false), "csr_matrix", 5, 6);
    file.write("obs/kind/codes", view(std::vector<std::int8_t>{0, 1, 1, 0, 0}), {5});
    file.write_text("obs/kind/categories", std::vector<std::string>{"a", "b"});
  });
  std::ifstream in(path(), std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  const auto sparse = compress(counts_, false);
  const std::string data(reinterpret_cast<const char*>(sparse.data.data()), sparse.data.size() * sizeof(float));
  const std::string indptr(reinterpret_cast<const char*>(sparse.indptr.data()), sparse.indptr.size() * 8);
  std::mt19937 random(1);
  int refused = 0;
  for (const std::string& part : {data, indptr}) {
    const std::size_t at = good.find(part);
    ASSERT_NE(at, std::string::npos);
    for (int trial = 0; trial < 100; ++trial) {
      std::string bad = good;
      bad[at + random() % part.size()] ^= static_cast<char>(1U << (random() % 8));
      std::ofstream(path(), std::ios::binary) << bad;
      try {
        read_all(path(), {"", "kind"});
      } catch (const UserError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 50);
}

}  // namespace
}  // namespace masksc
