#include <fmt/format.h>

#include "masksc/core/error.hpp"
#include "methods.hpp"

namespace masksc {

const std::vector<Baseline>& baselines() {
  static const std::vector<Baseline> all = {
      // Classical methods.
      pca_kmeans_baseline(),
      pca_leiden_baseline(),
      residual_kmeans_baseline(),
      residual_leiden_baseline(),
      kmeans_baseline(),
      gmm_baseline(),
      gmm_diag_baseline(),
      gmm_tied_baseline(),
      cidr_baseline(),
      soup_baseline(),
      scrna_nmf_baseline(),
      // Those that train a network.
      dca_baseline(),
      scdeepcluster_baseline(),
      sczidesk_baseline(),
      contrastive_sc_baseline(),
      scmae_baseline(),
  };
  return all;
}

const Baseline& find_baseline(const std::string& name) {
  std::string known;
  for (const Baseline& baseline : baselines()) {
    if (baseline.name == name) return baseline;
    known += (known.empty() ? "" : ", ") + baseline.name;
  }
  throw UserError(fmt::format("there is no method '{}'; known: {}", name, known));
}

}  // namespace masksc
