// What CIDR (Lin, Troup and Ho 2017) makes of counts before it clusters: which values may be dropouts, how likely a
// dropout is at a level of expression, and dissimilarities under implicit imputation (a header of this room).
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc::detail {

/// Tags of CIDR: log2(counts / total * 1e6 + 1). Cells without counts stay without values.
CsrMatrix log_tags(const CsrMatrix& counts, std::span<const float> totals);

/// Per cell: values below it are dropout candidates. Between the level of 3 counts and the mode of the density above 8
/// counts, the threshold is where the density is least. Up to 2000 cells each has its own, drawn in to the 10 % and
/// 90 % quantiles; of more, all have the median of the 2000 cells with the largest totals.
std::vector<double> dropout_thresholds(const CsrMatrix& tags, std::span<const float> totals,
                                       const std::function<void()>& poll);

/// P(u) = 1 / (1 + exp(slope (u - middle))): least squares over the genes, of the share of cells where a gene is a
/// candidate against its mean over the other cells.
struct DropoutCurve {
  double slope = 1;
  double middle = 0;  // the level u at which P is 1/2
};

/// Levenberg-Marquardt from slope 1 and the rounded median of the levels. `levels` and `rates`: one a gene.
DropoutCurve fit_dropout_curve(std::span<const double> levels, std::span<const double> rates);
DropoutCurve dropout_curve(const CsrMatrix& tags, std::span<const double> thresholds);

/// Squared dissimilarities [cells, cells]: over the genes, the squared differences, but 0 where one of two values may
/// be a dropout and both are at most `imputed_below` (it is imputed to be the other value). The time grows with the
/// number of pairs of values above zero of one gene.
Eigen::MatrixXd imputed_dissimilarities(const CsrMatrix& tags, std::span<const double> thresholds, double imputed_below,
                                        const std::function<void()>& poll);

}  // namespace masksc::detail
