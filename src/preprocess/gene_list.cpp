#include "masksc/preprocess/gene_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

constexpr std::size_t kNamesShown = 3;
constexpr std::size_t longest_list = std::size_t{1} << 26;

struct ListedGene {
  std::string name;
  std::int64_t line = 0;
};

std::vector<ListedGene> parse_list(std::string_view text) {
  std::vector<ListedGene> listed;
  std::int64_t line = 0;
  while (!text.empty()) {
    ++line;
    std::string_view name = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), name.size() + 1));
    name = trimmed(name);
    if (name.empty()) continue;
    listed.push_back({std::string(name), line});
  }
  return listed;
}

[[noreturn]] void reject_unknown(const std::string& path, const std::vector<const ListedGene*>& unknown,
                                 std::span<const std::string> gene_names) {
  std::string message =
      fmt::format("{}: {} gene name{} not in the input:", path, unknown.size(), unknown.size() == 1 ? " is" : "s are");
  for (std::size_t i = 0; i < std::min(kNamesShown, unknown.size()); ++i)
    message += fmt::format("{} '{}' (line {}{})", i == 0 ? "" : ",", shown(unknown[i]->name), unknown[i]->line,
                           suggestion(unknown[i]->name, gene_names));
  if (unknown.size() > kNamesShown) message += ", ...";
  throw UserError(message);
}

struct KnownGene {
  std::int64_t index = 0;
  std::int64_t columns = 0;      // how many genes of the input bear the name
  std::int64_t listed_line = 0;  // where the list has it, 0 if not yet
};

std::vector<std::int64_t> find_genes(const std::string& path, const std::vector<ListedGene>& listed,
                                     std::span<const std::string> gene_names) {
  if (listed.empty()) throw UserError(fmt::format("{} lists no genes; it needs one name a line", path));
  std::unordered_map<std::string_view, KnownGene> known;
  for (std::size_t i = 0; i < gene_names.size(); ++i) {
    KnownGene& gene = known[gene_names[i]];
    gene.index = static_cast<std::int64_t>(i);
    ++gene.columns;
  }
  std::vector<std::int64_t> genes;
  std::vector<const ListedGene*> unknown;
  for (const ListedGene& entry : listed) {
    const auto at = known.find(entry.name);
    if (at == known.end()) {
      unknown.push_back(&entry);
      continue;
    }
    KnownGene& gene = at->second;
    if (gene.columns > 1)
      throw UserError(fmt::format("{} line {}: {} genes of the input are named '{}'; make its gene names unique", path,
                                  entry.line, gene.columns, shown(entry.name)));
    if (gene.listed_line > 0)
      throw UserError(fmt::format("{}: gene '{}' is listed twice, in lines {} and {}; remove one", path,
                                  shown(entry.name), gene.listed_line, entry.line));
    gene.listed_line = entry.line;
    genes.push_back(gene.index);
  }
  if (!unknown.empty()) reject_unknown(path, unknown, gene_names);
  std::sort(genes.begin(), genes.end());
  return genes;
}

}  // namespace

std::vector<std::int64_t> read_gene_list(const std::string& path, std::span<const std::string> gene_names,
                                         Collectives& ranks) {
  return find_listed_genes(of_root(ranks, [&] { return read_file(path, longest_list); }), path, gene_names);
}

std::vector<std::int64_t> find_listed_genes(const std::string& text, const std::string& path,
                                            std::span<const std::string> gene_names) {
  return find_genes(path, parse_list(text), gene_names);
}

}  // namespace masksc
