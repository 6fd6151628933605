// The methods by file; registry.cpp puts them in order.
#pragma once

#include "masksc/baselines/baseline.hpp"

namespace masksc {

Baseline kmeans_baseline();

}  // namespace masksc
