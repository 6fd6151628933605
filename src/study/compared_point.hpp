// A point of a comparison: one method with one seed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "masksc/baselines/baseline.hpp"
#include "masksc/study/comparison.hpp"
#include "masksc/study/comparison_table.hpp"
#include "method_run.hpp"

namespace masksc {

/// Reads what the last methods did not: the ranks take points in any order, mostly of one preparation.
class DataCache {
 public:
  DataCache(std::filesystem::path prepared, const PreparationSettings& shared);

  const ComparedData& shared();
  const ComparedData& published(const Baseline& baseline);
  [[nodiscard]] const std::filesystem::path& prepared() const { return prepared_; }

 private:
  std::filesystem::path prepared_;
  PreparationSettings shared_;
  std::optional<ComparedData> of_all_;
  std::optional<ComparedData> of_one_;
  std::string owner_;
};

/// The data set that scrna-nmf learns from.
struct NmfSource {
  ComparedData data;
  std::string fingerprint;
};

/// All that the runs of a comparison share.
struct Comparison {
  const RunOptions& options;
  const RunOptions& paper;
  const ComparisonSettings& settings;
  const RunPlace& place;
  DataCache& data;
  const ComparedCells& cells;
  std::string fingerprint;  // of the data
  const std::optional<NmfSource>& nmf_source;

  [[nodiscard]] bool published() const { return settings.preparation == ComparedPreparation::published; }
  [[nodiscard]] const char* preparation() const { return published() ? "published" : "shared"; }
  [[nodiscard]] const RunOptions& recipe(const std::string& method) const {
    return method == paper_name ? paper : options;
  }
};

/// A method's run as a point. `comparison` must outlive it.
Point point_of(const Comparison& comparison, const std::string& method, std::int64_t seed);

/// What came of it, for the tables.
ComparedPoint point_with(const std::string& method, std::int64_t seed, const PointOutcome& outcome);

}  // namespace masksc
