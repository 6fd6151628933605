// Times Lloyd's iterations of K-means from a given start; benchmarks/kmeans.py runs it, beside scikit-learn and faiss.
//
//   [mpirun -np N] benchmark_kmeans ROWS COLUMNS START CLUSTERS ITERATIONS THREADS
//
// ROWS and START are raw float32 files, [rows, COLUMNS] and [CLUSTERS, COLUMNS]. Each rank reads its share. Prints wall
// seconds of the K-means (from rows in memory to labels; the slowest rank), iterations and inertia as JSON.
#include "masksc/cluster/kmeans.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "masksc/dist/runtime.hpp"

namespace {

masksc::DenseMatrix read_rows(const std::string& path, masksc::RowRange rows, std::int64_t columns) {
  masksc::DenseMatrix matrix(rows.size(), columns);
  std::ifstream file(path, std::ios::binary);
  file.seekg(rows.begin * columns * std::int64_t{sizeof(float)});
  file.read(reinterpret_cast<char*>(matrix.values.data()), std::ssize(matrix.values) * std::int64_t{sizeof(float)});
  if (!file) throw std::runtime_error("cannot read " + path);
  return matrix;
}

masksc::ExitCode run(masksc::Runtime& runtime, char** argv) {
  masksc::Collectives& ranks = runtime.world();
  const std::int64_t columns = std::stoll(argv[2]);
  const auto cells =
      static_cast<std::int64_t>(std::filesystem::file_size(argv[1])) / (columns * std::int64_t{sizeof(float)});
  const masksc::KMeansSettings settings = {.clusters = std::stoll(argv[4]),
                                           .max_iterations = std::stoll(argv[5]),
                                           .tolerance = 0,
                                           .threads = std::stoi(argv[6])};
  const masksc::RowRange rows = masksc::rows_of_rank(cells, ranks.rank(), ranks.size());
  const masksc::DenseMatrix local = read_rows(argv[1], rows, columns);
  const masksc::DenseMatrix start = read_rows(argv[3], {0, settings.clusters}, columns);
  ranks.barrier();
  const auto begin = std::chrono::steady_clock::now();
  const masksc::KMeansResult result = masksc::kmeans_from(start, {local, rows, cells}, settings, ranks);
  const std::chrono::duration<double> mine = std::chrono::steady_clock::now() - begin;
  const double seconds = ranks.all_reduce(mine.count(), masksc::ReduceOp::max);
  if (ranks.is_root())
    fmt::print("{{\"seconds\": {}, \"iterations\": {}, \"inertia\": {:.17g}}}\n", seconds, result.iterations,
               result.inertia);
  return masksc::ExitCode::done;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    fmt::print(stderr, "usage: benchmark_kmeans ROWS COLUMNS START CLUSTERS ITERATIONS THREADS\n");
    return 2;
  }
  return masksc::run_program(
      argc, argv, [](bool) { return false; }, [&](masksc::Runtime& runtime) { return run(runtime, argv); });
}
