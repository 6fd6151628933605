#include "foreign_formats.hpp"

#include <fmt/format.h>

#include <array>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

/// The way, with the file's name in place of {}.
struct Format {
  const char* what;
  const char* way;
};
constexpr Format zarr = {"a Zarr store", "in Python by anndata.read_zarr(\"{}\").write_h5ad(\"counts.h5ad\")"};
constexpr Format loom = {"a loom file", "in Python by anndata.io.read_loom(\"{}\").write_h5ad(\"counts.h5ad\")"};
constexpr Format text = {"a table of text",
                         "in Python by scanpy.read(\"{}\").write_h5ad(\"counts.h5ad\"), with .T before .write_h5ad "
                         "where its rows are genes"};
constexpr Format r = {"an object of R", "in R by zellkonverter::writeH5AD of its SingleCellExperiment"};

constexpr Format mudata = {"a MuData file of several modalities",
                           "in Python by mudata.read_h5mu(\"{}\")[\"rna\"].write_h5ad(\"counts.h5ad\")"};

struct Ending {
  const char* name;
  const Format& format;
};
constexpr std::array<Ending, 10> endings = {Ending{".zarr.zip", zarr}, Ending{".loom", loom},  Ending{".csv", text},
                                            Ending{".tsv", text},      Ending{".txt", text},   Ending{".rds", r},
                                            Ending{".RDS", r},         Ending{".h5seurat", r}, Ending{".rda", r},
                                            Ending{".RData", r}};

[[noreturn]] void refuse(const fs::path& path, const Format& format) {
  throw UserError(fmt::format("'{}' is {}, which mask-sc does not read: write it as h5ad, {}", path.string(),
                              format.what, fmt::format(fmt::runtime(format.way), path.string())));
}

}  // namespace

void refuse_foreign(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return;  // which is the greater trouble
  if (fs::exists(path / ".zgroup", ignored) || fs::exists(path / "zarr.json", ignored)) refuse(path, zarr);
  std::string name = path.filename().string();
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  for (const Ending& ending : endings)
    if (name.ends_with(ending.name)) refuse(path, ending.format);
}

void refuse_mudata(const fs::path& path) { refuse(path, mudata); }

}  // namespace masksc
