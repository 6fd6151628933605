// Times what brings a prepared file to dense normalised batches on one rank; benchmarks/loader.py runs it.
//
//   benchmark_loader PREPARED MATRIX PATCH BATCH held|streamed BLOCK BUFFER     prints seconds by stage as JSON
#include "masksc/data/loader.hpp"

#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <string>

#include "masksc/core/log.hpp"
#include "masksc/core/memory.hpp"
#include "masksc/io/prepared.hpp"
#include "masksc/io/prepared_rows.hpp"
#include "masksc/preprocess/prepare.hpp"

namespace {

/// Seconds that went by, and processor seconds of all threads.
class Clock {
 public:
  std::string lap() {
    const auto now = std::chrono::steady_clock::now();
    const std::clock_t cpu = std::clock();
    std::string text = fmt::format(R"({{"wall": {}, "cpu": {}}})", std::chrono::duration<double>(now - start_).count(),
                                   static_cast<double>(cpu - cpu_) / CLOCKS_PER_SEC);
    start_ = now;
    cpu_ = cpu;
    return text;
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::clock_t cpu_ = std::clock();
};

masksc::Expression expression_of(const char* path, const char* matrix, const char* patch, bool streamed,
                                 masksc::Collectives& ranks) {
  masksc::PreparationSettings settings;
  settings.matrix = matrix;
  settings.patch = patch;
  const masksc::PreparedFile file(path, ranks);
  const masksc::RowRange all{0, file.cells()};
  if (!streamed)
    return prepare_expression(file.read_rows(all), file.cells(), all, file.gene_names(), {}, settings, ranks);
  const auto rows = std::make_shared<const masksc::PreparedRows>(path);
  return prepare_streamed([rows](masksc::RowRange range) { return rows->read(range); }, 8192, file.cells(), all,
                          file.gene_names(), {}, settings, ranks);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    fmt::print(stderr, "usage: {} PREPARED MATRIX PATCH BATCH held|streamed BLOCK BUFFER\n", argv[0]);
    return 2;
  }
  masksc::keep_freed_memory();  // as the programs do
  masksc::log::configure(0, masksc::log::Level::warning);
  const auto ranks = masksc::single_rank();
  Clock clock;
  const masksc::Expression expression =
      expression_of(argv[1], argv[2], argv[3], std::string(argv[5]) == "streamed", *ranks);
  const std::string prepared = clock.lap();
  masksc::Loader loader(expression, std::stol(argv[4]), 0, masksc::ShuffleStream::training, *ranks,
                        {.shuffle = {std::stol(argv[6]), std::stol(argv[7])}});
  std::string epochs;
  std::int64_t cells = 0;
  double sum = 0;  // of one value a cell: batches are used
  for (std::uint32_t epoch = 0; epoch < 3; ++epoch) {
    loader.start_epoch(epoch);
    for (std::int64_t step = 0; step < loader.plan().steps; ++step) {
      const masksc::Batch batch = loader.batch(step);
      cells += batch.real;
      for (std::int64_t row = 0; row < batch.real; ++row)
        sum += static_cast<double>(batch.values[static_cast<std::size_t>(row * loader.densifier().width() + row)]);
    }
    epochs += fmt::format("{}{}", epoch > 0 ? ", " : "", clock.lap());
  }
  fmt::print(R"({{"prepare": {}, "epochs": [{}], "cells": {}, "width": {}, "sum": {}}})"
             "\n",
             prepared, epochs, cells / 3, loader.densifier().width(), sum);
  return 0;
}
