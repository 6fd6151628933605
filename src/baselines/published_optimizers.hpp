// The optimizers besides Adam that the baselines were published with, over all of FlatParameters.
#pragma once

#include "masksc/model/parameters.hpp"

namespace masksc {

/// Tieleman & Hinton 2012, as Keras computes it: v = .9 v + .1 g^2; value -= rate g / (sqrt(v) + 1e-7).
class RmsProp {
 public:
  explicit RmsProp(const FlatParameters& parameters);
  /// One update by the gradients, each clipped to [-clip, clip].
  void step(const FlatParameters& parameters, double learning_rate, double clip);

 private:
  at::Tensor square_;
};

/// Zeiler 2012, with rate 1 and decay .95: the step is the gradient times the root mean square of the steps before over
/// that of the gradients.
class Adadelta {
 public:
  explicit Adadelta(const FlatParameters& parameters);
  void step(const FlatParameters& parameters);

 private:
  at::Tensor square_;
  at::Tensor steps_;
};

}  // namespace masksc
