// The record of a point, NAME.json, and the folder in which groups tell each other what they have taken and ended.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "masksc/study/points.hpp"

namespace masksc {

std::filesystem::path points_folder(const std::filesystem::path& folder);
std::filesystem::path record_path(const std::filesystem::path& folder, const Point& point);

/// Throws EnvironmentError.
void write_record(const std::filesystem::path& folder, const Point& point, const PointOutcome& outcome);

/// Missing where there is no record, or one of another identity with `ignore_others`. Throws UserError for damage, and
/// for a record of another identity, whose first difference it names.
PointOutcome read_record(const std::filesystem::path& folder, const Point& point, bool ignore_others);

/// Names of all points that have a record, sorted.
std::set<std::string> recorded_names(const std::filesystem::path& folder);

/// The session of all points (`only` -1), or of a task of an array, which works on one: tasks share the folder.
std::string session_name(int only);

/// Empty files in a folder that all ranks see: each is made once, by one process. Throws EnvironmentError.
class PointSession {
 public:
  explicit PointSession(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Makes the folder, without what an earlier session left. On one rank, before the others look.
  void begin() const;
  void end() const noexcept;

  /// Whether this call made the mark: false where another process did before.
  [[nodiscard]] bool mark(const std::string& name) const;
  [[nodiscard]] bool marked(const std::string& name) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace masksc
