// The groups of simulated cells: how many, how large, and which cell is in which.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace masksc {

struct GroupPlan {
  std::vector<std::int64_t> sizes;    // exact sizes, their sum is the number of cells; or empty
  std::vector<double> probabilities;  // of a cell to be in each group, when sizes are not given

  [[nodiscard]] std::int64_t groups() const {
    return static_cast<std::int64_t>(sizes.empty() ? probabilities.size() : sizes.size());
  }
};

/// `text` is a number of groups of equal size ("5"), sizes that add up to `cells` ("500,300,200"), or probabilities
/// that add up to 1 ("0.5,0.3,0.2"). Throws UserError for anything else.
GroupPlan plan_groups(const std::string& text, std::int64_t cells);

/// Group of a cell, 0-based: cells of groups with exact sizes are shuffled over the file.
std::int32_t group_of(const GroupPlan& plan, std::int64_t cell, std::int64_t cells, std::uint64_t seed);

}  // namespace masksc
