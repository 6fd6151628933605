#include "gene_join.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

/// "'CD3D', 'CD4', 'CD8A', ...".
std::string first_names(const std::vector<std::string>& names) {
  constexpr std::size_t most = 3;
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < std::min(most, names.size()); ++i) parts.push_back(fmt::format("'{}'", shown(names[i])));
  if (names.size() > most) parts.emplace_back("...");
  return fmt::format("{}", fmt::join(parts, ", "));
}

[[noreturn]] void refuse(const std::vector<std::vector<std::string>>& genes, const std::vector<std::string>& files,
                         std::size_t file, const char* what, const char* remedy) {
  const std::size_t other = file == 0 ? 1 : 0;
  throw UserError(fmt::format("{}: '{}' has {}, '{}' has {}; {}", what, files[other], first_names(genes[other]),
                              files[file], first_names(genes[file]), remedy));
}

}  // namespace

JoinedGenes join_genes(const std::vector<std::vector<std::string>>& genes, GeneJoin join,
                       const std::vector<std::string>& files) {
  std::unordered_map<std::string_view, std::size_t> held_by;  // how many files have the gene
  for (const auto& names : genes)
    for (const std::string& name : names) ++held_by[name];
  for (std::size_t file = 0; file < genes.size(); ++file)
    if (std::none_of(genes[file].begin(), genes[file].end(), [&](const auto& name) { return held_by[name] > 1; }))
      refuse(genes, files, file, "the inputs share no gene",
             "give files whose genes have names of one kind (symbols, or identifiers of one annotation)");

  JoinedGenes joined;
  std::unordered_map<std::string_view, std::int32_t> place;
  joined.column.resize(genes.size());
  for (std::size_t file = 0; file < genes.size(); ++file)
    for (const std::string& name : genes[file]) {
      if (join == GeneJoin::inner && held_by[name] < genes.size()) {
        joined.column[file].push_back(-1);
        continue;
      }
      const auto [at, added] = place.emplace(name, static_cast<std::int32_t>(joined.names.size()));
      if (added) joined.names.push_back(name);
      joined.column[file].push_back(at->second);
    }
  if (joined.names.empty())
    refuse(genes, files, genes.size() - 1, "no gene is in all inputs",
           "leave out the input that differs, or take --join outer");
  if (joined.names.size() > INT32_MAX)
    throw UserError(fmt::format("the inputs have {} different genes, more than {}: take --join inner",
                                joined.names.size(), INT32_MAX));
  return joined;
}

}  // namespace masksc
