// Times the maps of a report (t-SNE and UMAP) of simulated features in 20 groups.
//
//   benchmark_maps CELLS THREADS
//
// Prints wall seconds of the maps, of the search for neighbours, which both share, and above 100,000 cells, of which so
// many are mapped, of placing all cells among those.
#include "masksc/report/maps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>

#include "masksc/cluster/neighbours.hpp"

namespace {

constexpr std::int64_t columns = 64;
constexpr std::int64_t groups = 20;

masksc::DenseMatrix simulate(std::int64_t cells) {
  std::mt19937 random(0);
  std::normal_distribution<float> normal;
  masksc::DenseMatrix centres(groups, columns), rows(cells, columns);
  for (float& v : centres.values) v = 1.2F * normal(random);
  for (std::int64_t i = 0; i < cells; ++i) {
    const auto centre = centres.row(static_cast<std::int64_t>(random() % groups));
    for (std::size_t f = 0; f < static_cast<std::size_t>(columns); ++f) rows.row(i)[f] = centre[f] + normal(random);
  }
  return rows;
}

template <typename Work>
double seconds_of(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: benchmark_maps CELLS THREADS\n");
    return 2;
  }
  const std::int64_t cells = std::stoll(argv[1]);
  const int threads = std::stoi(argv[2]);
  const masksc::DenseMatrix rows = simulate(cells);
  masksc::DenseMatrix mapped(std::min(cells, masksc::most_mapped_cells), columns);
  std::copy_n(rows.values.begin(), mapped.values.size(), mapped.values.begin());
  masksc::CellMaps maps;
  const double neighbours = seconds_of([&] { masksc::nearest_rows(mapped, mapped, 90, 0, threads); });
  const double both = seconds_of([&] { maps = masksc::map_cells(mapped, 0, threads); });
  const double placing =
      cells > mapped.rows ? seconds_of([&] { masksc::place_cells(rows, mapped, maps, threads); }) : 0;
  fmt::print(
      "{{\"cells\": {}, \"mapped\": {}, \"threads\": {}, \"neighbours_seconds\": {:.1f}, "
      "\"maps_seconds\": {:.1f}, \"placing_seconds\": {:.1f}}}\n",
      cells, mapped.rows, threads, neighbours, both, placing);
  return 0;
}
