#include "masksc/study/design.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"
#include "masksc/study/points.hpp"

namespace masksc {
namespace {

Factor parse_factor(const std::string& text) {
  const auto refuse = [&](const char* why) -> Factor {
    throw UserError(
        fmt::format("--sweep '{}': {}; give OPTION=VALUE,VALUE..., e.g. mask-ratio=0.25,0.5", shown(text), why));
  };
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return refuse("no option and its values");
  Factor factor{text.substr(0, equals), {}};
  factor.name.erase(0, std::min(factor.name.find_first_not_of('-'), factor.name.size()));
  for (const std::string_view value : split(std::string_view(text).substr(equals + 1), ",")) {
    if (value.empty()) return refuse("an empty value");
    factor.values.emplace_back(value);
    assignments(factor.name, factor.values.back());
  }
  return factor;
}

void refuse_options_in_two_factors(const std::vector<Factor>& factors) {
  std::set<std::string> seen;
  for (const Factor& factor : factors)
    for (const std::string_view option : split(factor.name, "+"))
      if (!seen.emplace(option).second)
        throw UserError(fmt::format("--sweep: '{}' stands in two factors", shown(option)));
}

std::vector<std::string> unique(const std::vector<std::string>& values) {
  std::vector<std::string> once;
  for (const std::string& value : values)
    if (std::find(once.begin(), once.end(), value) == once.end()) once.push_back(value);
  return once;
}

std::vector<std::vector<std::string>> grid(const std::vector<Factor>& factors) {
  std::vector<std::vector<std::string>> combinations = {{}};
  for (const Factor& factor : factors) {
    std::vector<std::vector<std::string>> longer;
    for (const auto& combination : combinations)
      for (const std::string& value : unique(factor.values)) {
        longer.push_back(combination);
        longer.back().push_back(value);
      }
    combinations = std::move(longer);
  }
  return combinations;
}

/// "matrix=36x36", with what is between factors.
std::string name_of(const std::vector<Factor>& factors, const DesignPoint& point, DesignKind kind) {
  std::string name;
  for (std::size_t i = 0; i < factors.size(); ++i)
    if (kind == DesignKind::grid || factors[i].name == point.varied)
      name += fmt::format("{}{}={}", name.empty() ? "" : "_", factors[i].name, point.values[i]);
  if (name.empty()) name = "base";
  return file_name(fmt::format("{}_seed={}", name, point.seed));
}

}  // namespace

std::vector<Assignment> assignments(const std::string& factor, const std::string& value) {
  const auto names = split(factor, "+");
  if (names.size() == 1) return {{factor, value}};
  const auto values = split(value, "+");
  if (names.size() != values.size())
    throw UserError(fmt::format("--sweep {}: '{}' is not {} values with + between them", shown(factor), shown(value),
                                names.size()));
  std::vector<Assignment> all;
  for (std::size_t i = 0; i < names.size(); ++i) all.emplace_back(names[i], values[i]);
  return all;
}

std::vector<Factor> parse_factors(const std::vector<std::string>& texts) {
  std::vector<Factor> factors;
  for (const std::string& text : texts)
    for (const std::string_view part : split(text, " \t;")) {
      if (part.empty()) continue;
      Factor factor = parse_factor(std::string(part));
      const auto same =
          std::find_if(factors.begin(), factors.end(), [&](const Factor& f) { return f.name == factor.name; });
      if (same != factors.end())
        *same = std::move(factor);
      else
        factors.push_back(std::move(factor));
    }
  refuse_options_in_two_factors(factors);
  return factors;
}

std::vector<DesignPoint> expand(const std::vector<Factor>& factors, DesignKind kind,
                                const std::vector<std::string>& base, std::int64_t first_seed, std::int64_t seeds) {
  std::vector<DesignPoint> combinations;
  if (kind == DesignKind::grid) {
    for (auto& values : grid(factors)) combinations.push_back({.values = std::move(values), .varied = "", .name = ""});
  } else {
    combinations.push_back({.values = base, .varied = "", .name = ""});
    for (std::size_t i = 0; i < factors.size(); ++i)
      for (const std::string& value : unique(factors[i].values)) {
        if (value == base[i]) continue;
        combinations.push_back({.values = base, .varied = factors[i].name, .name = ""});
        combinations.back().values[i] = value;
      }
  }
  std::vector<DesignPoint> points;
  for (DesignPoint point : combinations)
    for (std::int64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
      point.seed = seed;
      point.name = name_of(factors, point, kind);
      points.push_back(point);
    }
  return points;
}

}  // namespace masksc
