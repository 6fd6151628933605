// Draws from the distributions of the simulation. Written out, because the standard library's differ between makers.
#pragma once

#include <cstdint>

#include "masksc/core/random.hpp"

namespace masksc {

/// Standard normal (Marsaglia's polar method).
double draw_normal(RandomStream& random);

/// exp of a normal with that mean and standard deviation.
double draw_log_normal(RandomStream& random, double location, double scale);

/// Gamma with mean shape (rate 1), shape > 0 (Marsaglia and Tsang 2000).
double draw_gamma(RandomStream& random, double shape);

double draw_chi_square(RandomStream& random, double degrees);

/// Poisson, mean >= 0 (by products of uniforms below 10, Hörmann's PTRS 1993 above).
std::int64_t draw_poisson(RandomStream& random, double mean);

/// Where `item` of 0 .. size-1 goes in a random order of them that `seed` names: a bijection, without storing it.
std::int64_t shuffled_position(std::int64_t item, std::int64_t size, std::uint64_t seed);

}  // namespace masksc
