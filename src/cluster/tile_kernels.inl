// Bodies of the kernels, compiled once for each instruction set. No calls to the standard library here: an inline
// function compiled for AVX2 could be the copy that the linker keeps for all.
typedef float Floats __attribute__((vector_size(32), aligned(4), may_alias));
typedef std::int32_t Integers __attribute__((vector_size(32), aligned(4), may_alias));
constexpr int lanes = 8;
constexpr int vectors = tile_rows / lanes;
constexpr int group = centre_group;

void nearest_centres(const float* tile, std::int64_t columns, std::int64_t groups, const float* centres,
                     const float* half_norms, std::int32_t* labels) {
  Floats best[vectors];
  Integers nearest[vectors];
  for (int v = 0; v < vectors; ++v) {
    best[v] = Floats{} - __builtin_inff();
    nearest[v] = Integers{};
  }
  for (std::int64_t g = 0; g < groups; ++g) {
    Floats score[group][vectors];
    for (int c = 0; c < group; ++c) {
      for (int v = 0; v < vectors; ++v) score[c][v] = Floats{} - half_norms[g * group + c];
    }
    const float* x = tile;
    const float* y = centres + g * columns * group;
    for (std::int64_t f = 0; f < columns; ++f, x += tile_rows, y += group) {
      Floats values[vectors];
      for (int v = 0; v < vectors; ++v) values[v] = *reinterpret_cast<const Floats*>(x + v * lanes);
      for (int c = 0; c < group; ++c) {
        for (int v = 0; v < vectors; ++v) score[c][v] += values[v] * y[c];
      }
    }
    for (int c = 0; c < group; ++c) {
      const std::int32_t number = static_cast<std::int32_t>(g) * group + c;
      for (int v = 0; v < vectors; ++v) {
        const Integers better = score[c][v] > best[v];
        nearest[v] = better ? Integers{} + number : nearest[v];
        best[v] = better ? score[c][v] : best[v];
      }
    }
  }
  for (int v = 0; v < vectors; ++v) *reinterpret_cast<Integers*>(labels + v * lanes) = nearest[v];
}

void squared_distances(const float* tile, std::int64_t columns, std::int64_t groups, const float* centres,
                       std::int64_t stride, float* squared) {
  constexpr int pair = 2;  // centres at once: a sum for each of all four would not stay in the registers
  for (std::int64_t first = 0; first < groups * group; first += pair) {
    Floats sum[pair][vectors] = {};
    const float* x = tile;
    const float* y = centres + first / group * columns * group + first % group;
    for (std::int64_t f = 0; f < columns; ++f, x += tile_rows, y += group) {
      for (int c = 0; c < pair; ++c) {
        for (int v = 0; v < vectors; ++v) {
          const Floats difference = *reinterpret_cast<const Floats*>(x + v * lanes) - y[c];
          sum[c][v] += difference * difference;
        }
      }
    }
    for (int c = 0; c < pair; ++c) {
      float* to = squared + (first + c) * stride;
      for (int v = 0; v < vectors; ++v) *reinterpret_cast<Floats*>(to + v * lanes) = sum[c][v];
    }
  }
}
