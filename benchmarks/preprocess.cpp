// Times preparation on one rank, from the file of counts to dense standardised rows; benchmarks/preprocess.py runs it.
//
//   benchmark_preprocess INPUT MATRIX [DUMP]     prints CPU seconds by stage as JSON; DUMP gets the rows as raw float32
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <fstream>

#include "masksc/core/log.hpp"
#include "masksc/data/densifier.hpp"
#include "masksc/io/counts_reader.hpp"
#include "masksc/preprocess/prepare.hpp"

namespace {

/// CPU seconds of this process: what one idle core would take, whatever else the machine does.
class Clock {
 public:
  double lap() {
    const std::clock_t now = std::clock();
    const double seconds = static_cast<double>(now - start_) / CLOCKS_PER_SEC;
    start_ = now;
    return seconds;
  }

 private:
  std::clock_t start_ = std::clock();
};

/// Dense rows in batches, as training takes them; all of them go to `dump` when it is open.
void densify(const masksc::Expression& expression, std::ofstream& dump) {
  constexpr std::int64_t batch_rows = 256;
  const masksc::Densifier densifier(expression);
  masksc::DenseMatrix batch(batch_rows, densifier.width());
  for (std::int64_t begin = 0; begin < expression.values.rows; begin += batch_rows) {
    const std::int64_t rows = std::min(batch_rows, expression.values.rows - begin);
    for (std::int64_t i = 0; i < rows; ++i)
      densifier.fill(expression.values.row_indices(begin + i), expression.values.row_values(begin + i), batch.row(i));
    if (dump.is_open())
      dump.write(reinterpret_cast<const char*>(batch.values.data()),
                 rows * batch.columns * static_cast<std::int64_t>(sizeof(float)));
  }
}

/// Gene of the file for each place of a dense row; every token of these matrices has genes.
std::vector<std::int64_t> genes_of_slots(const masksc::Expression& expression) {
  std::vector<std::int64_t> genes;
  for (const std::int32_t column : expression.layout.slot_to_column)
    genes.push_back(column < 0 ? -1 : expression.genes[static_cast<std::size_t>(column)]);
  return genes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: {} INPUT MATRIX [DUMP]\n", argv[0]);
    return 2;
  }
  masksc::log::configure(0, masksc::log::Level::warning);
  masksc::PreparationSettings settings;
  settings.matrix = argv[2];
  const auto ranks = masksc::single_rank();

  Clock clock;
  const auto reader = masksc::open_counts(argv[1], {});
  masksc::CsrMatrix counts = reader->read_rows({0, reader->cells()});
  const double read = clock.lap();
  const auto expression = masksc::prepare_expression(std::move(counts), reader->cells(), {0, reader->cells()},
                                                     reader->gene_names(), {}, settings, *ranks);
  const double prepare = clock.lap();
  std::ofstream dump;
  if (argc > 3) dump.open(argv[3], std::ios::binary);
  densify(expression, dump);
  const double densified = clock.lap();

  fmt::print(R"({{"read": {}, "prepare": {}, "densify": {}, "cells": {}, "genes": [{}]}})"
             "\n",
             read, prepare, densified, expression.values.rows, fmt::join(genes_of_slots(expression), ", "));
  return 0;
}
