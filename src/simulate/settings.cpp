#include <fmt/format.h>

#include "masksc/core/error.hpp"
#include "masksc/simulate/splatter.hpp"

namespace masksc {
namespace {

void require(bool holds, const char* option, const char* range, double value) {
  if (!holds) throw UserError(fmt::format("--{} needs {}, not {}", option, range, value));
}

void require_probability(const char* option, double value) {
  require(value >= 0 && value <= 1, option, "a probability from 0 to 1", value);
}

void require_rate(const char* option, double value) {
  require(value > 0 && value <= 1e6, option, "a number above 0, at most 1e6", value);
}

void require_scale(const char* option, double value) {
  require(value >= 0 && value <= 10, option, "a standard deviation from 0 to 10", value);
}

void require_location(const char* option, double value) {
  require(value >= -20 && value <= 16, option, "a logarithm from -20 to 16", value);
}

}  // namespace

void describe(OptionTable& table, SimulationSettings& settings) {
  table.begin_group("Simulation");
  table.add("cells", settings.cells, "cells to simulate");
  table.add("genes", settings.genes, "genes of a cell");
  table.add("groups", settings.groups, "number of equal groups, or sizes (500,300,200), or probabilities (0.5,0.3,0.2)",
            "N|LIST");
  table.add("seed", settings.seed, "seed of all draws");
  table.add("mean-shape", settings.mean_shape, "shape of the gamma distribution of the genes' means");
  table.add("mean-rate", settings.mean_rate, "rate of the gamma distribution of the genes' means");
  table.add("outlier-probability", settings.outlier_probability,
            "probability of a gene to be expressed far above others");
  table.add("outlier-location", settings.outlier_location, "mean log multiple of the median mean of such genes");
  table.add("outlier-scale", settings.outlier_scale, "standard deviation of that log multiple");
  table.add("library-location", settings.library_location, "mean log expected total counts of a cell");
  table.add("library-scale", settings.library_scale, "standard deviation of that log total");
  table.add("de-probability", settings.de_probability, "probability of a gene to differ in a group");
  table.add("de-down-probability", settings.de_down_probability, "probability of such a gene to be lower, not higher");
  table.add("de-location", settings.de_location, "mean log factor of differing genes");
  table.add("de-scale", settings.de_scale, "standard deviation of that log factor");
  table.add("bcv", settings.bcv, "biological coefficient of variation common to all genes");
  table.add("bcv-degrees", settings.bcv_degrees, "degrees of freedom of a gene's variation around its trend");
  table.add_choice("dropout", settings.dropout, {{"none", Dropout::none}, {"expression", Dropout::expression}},
                   "counts lost at random, more often the lower a gene is expressed");
  table.add("dropout-mid", settings.dropout_mid, "log expected count at which half of the counts are lost");
  table.add("dropout-shape", settings.dropout_shape,
            "slope of the logistic dropout curve; negative: low counts are lost");
}

void validate(const SimulationSettings& settings) {
  constexpr std::int64_t most = 1'000'000'000;
  if (settings.cells < 1 || settings.cells > most)
    throw UserError(fmt::format("--cells needs 1 to {}, not {}", most, settings.cells));
  if (settings.genes < 1 || settings.genes > 10'000'000)
    throw UserError(fmt::format("--genes needs 1 to 10000000, not {}", settings.genes));
  if (settings.seed < 0) throw UserError(fmt::format("--seed needs 0 or more, not {}", settings.seed));
  plan_groups(settings.groups, settings.cells);
  require_rate("mean-shape", settings.mean_shape);
  require_rate("mean-rate", settings.mean_rate);
  require_probability("outlier-probability", settings.outlier_probability);
  require_location("outlier-location", settings.outlier_location);
  require_scale("outlier-scale", settings.outlier_scale);
  require_location("library-location", settings.library_location);
  require_scale("library-scale", settings.library_scale);
  require_probability("de-probability", settings.de_probability);
  require_probability("de-down-probability", settings.de_down_probability);
  require_location("de-location", settings.de_location);
  require_scale("de-scale", settings.de_scale);
  require(settings.bcv >= 0 && settings.bcv <= 10, "bcv", "a coefficient from 0 to 10", settings.bcv);
  require_rate("bcv-degrees", settings.bcv_degrees);
  require(settings.dropout_mid >= -20 && settings.dropout_mid <= 20, "dropout-mid", "a logarithm from -20 to 20",
          settings.dropout_mid);
  require(settings.dropout_shape >= -100 && settings.dropout_shape <= 100, "dropout-shape", "a slope from -100 to 100",
          settings.dropout_shape);
}

}  // namespace masksc
