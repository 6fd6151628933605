// Body of add_distances, compiled once for each instruction set. No calls to the standard library here: an inline
// function compiled for AVX2 could be the copy that the linker keeps for all.
void add_distances(const double* group, const double* tile, const double* weights, std::int64_t tiles,
                   std::int64_t columns, double* sums) {
  typedef double Vector __attribute__((vector_size(32), aligned(8), may_alias));
  constexpr int vectors = tile_rows / 4;
  double lanes[group_rows][tile_rows] = {};
  for (std::int64_t t = 0; t < tiles; ++t) {
    Vector squared[group_rows][vectors] = {};
    const double* column = tile + t * columns * tile_rows;
    for (std::int64_t f = 0; f < columns; ++f, column += tile_rows) {
      for (int r = 0; r < group_rows; ++r) {
        for (int v = 0; v < vectors; ++v) {
          const Vector difference = *reinterpret_cast<const Vector*>(column + 4 * v) - group[f * group_rows + r];
          squared[r][v] += difference * difference;
        }
      }
    }
    double distances[group_rows * tile_rows];
    for (int r = 0; r < group_rows; ++r) {
      for (int v = 0; v < vectors; ++v) *reinterpret_cast<Vector*>(&distances[r * tile_rows + 4 * v]) = squared[r][v];
    }
    for (double& distance : distances) distance = __builtin_sqrt(distance);
    const double* weight = weights + t * tile_rows;
    for (int r = 0; r < group_rows; ++r) {
      for (int i = 0; i < tile_rows; ++i) lanes[r][i] += weight[i] * distances[r * tile_rows + i];
    }
  }
  for (int r = 0; r < group_rows; ++r) {
    for (int i = 0; i < tile_rows; ++i) sums[r] += lanes[r][i];
  }
}
