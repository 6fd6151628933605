// The design of a sweep: which values of which options make its points.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace masksc {

enum class DesignKind {
  grid,  // every combination of values
  star,  // the base, and from it one factor at a time
};

/// An option that is swept, or several that change together: "target+guidance" with the values "contrastive+3",
/// "raw+0".
struct Factor {
  std::string name;
  std::vector<std::string> values;
};

/// Option and value, e.g. {"mask-ratio", "0.5"}.
using Assignment = std::pair<std::string, std::string>;

/// What a factor's value sets. Throws UserError unless names and values are as many.
std::vector<Assignment> assignments(const std::string& factor, const std::string& value);

/// "mask-ratio=0.1,0.5" a factor, several to a text between blanks or semicolons; a later factor takes the place of an
/// earlier one of its name. Throws UserError: a text of another form, an empty value, an option in two factors.
std::vector<Factor> parse_factors(const std::vector<std::string>& texts);

struct DesignPoint {
  std::vector<std::string> values;  // one a factor
  std::string varied;               // star: the factor whose value is not the base's; "" for the base, and in grids
  std::int64_t seed = 0;
  std::string name;  // "mask-ratio=0.5_matrix=36x36_seed=0", "base_seed=0"; fit for files
};

/// The points of `factors`, whose base values are `base` (one a factor; stars only). Values that are equal, to each
/// other or to the base, count once: values must be in the form that the option's `get` gives. Combinations in the
/// order of the factors, the last one fastest, then seeds first_seed .. first_seed + seeds - 1.
std::vector<DesignPoint> expand(const std::vector<Factor>& factors, DesignKind kind,
                                const std::vector<std::string>& base, std::int64_t first_seed, std::int64_t seeds);

}  // namespace masksc
