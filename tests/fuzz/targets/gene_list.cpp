// Lists of genes against the names of an input.
#include "masksc/preprocess/gene_list.hpp"

#include <algorithm>
#include <vector>

#include "common.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::string> genes = {"gene1", "gene2", "Gata1", "MT-CO1", "twice", "twice", "", " ", "a b"};
  const std::string text(masksc::fuzz::text_of(data, size));
  std::vector<std::int64_t> found;
  if (!masksc::fuzz::accepts([&] { found = masksc::find_listed_genes(text, "genes.txt", genes); })) return 0;
  masksc::fuzz::require(!found.empty() &&
                        std::adjacent_find(found.begin(), found.end(), std::greater_equal<>()) == found.end());
  for (const std::int64_t gene : found) {
    masksc::fuzz::require(gene >= 0 && gene < static_cast<std::int64_t>(genes.size()));
    masksc::fuzz::require(text.find(genes[static_cast<std::size_t>(gene)]) != std::string::npos);
  }
  return 0;
}
