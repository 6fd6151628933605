#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "masksc/baselines/baseline.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"
#include "masksc/study/comparison.hpp"
#include "method_run.hpp"

namespace masksc {

std::vector<ComparedMethod> compared_methods() {
  std::vector<ComparedMethod> methods;
  for (const Baseline& baseline : baselines()) methods.push_back({baseline.name, baseline.title, baseline.source});
  methods.push_back(
      {our_name, "masked modelling with one recipe for all data (the defaults of masksc_train)", "this program"});
  methods.push_back({paper_name, "masked modelling as published (configs/paper.ini); needs a GPU",
                     "Masked Modeling for Single-cell Clustering, NeurIPS 2024"});
  return methods;
}

std::vector<ComparedMethod> choose_methods(const std::string& methods) {
  const std::vector<ComparedMethod> all = compared_methods();
  std::vector<std::string> names;
  for (const ComparedMethod& method : all) names.push_back(method.name);
  std::vector<ComparedMethod> chosen;
  if (methods == "all") {
    std::copy_if(all.begin(), all.end(), std::back_inserter(chosen),
                 [](const ComparedMethod& method) { return method.name != paper_name; });
    return chosen;
  }
  std::set<std::string> seen;
  for (const std::string_view part : split(methods, ",")) {
    const std::string name(part);
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
      throw UserError(
          fmt::format("--methods: there is no method '{}'{}; see --list", printable(name), suggestion(name, names)));
    if (!seen.insert(name).second) throw UserError(fmt::format("--methods names '{}' twice", name));
    chosen.push_back(all[static_cast<std::size_t>(found - names.begin())]);
  }
  return chosen;
}

}  // namespace masksc
