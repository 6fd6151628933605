// Sums by a fixed binary tree: the order of additions, and the same bits however the terms are spread over ranks.
#include "masksc/dist/tree_sum.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "masksc/core/random.hpp"

namespace masksc {
namespace {

TEST(TreeSum, AddsNeighboursFirst) {
  std::vector<std::string> terms = {"a", "b", "c", "d", "e", "f", "g", "h"};
  for_each_tree_addition(8, [&](std::int64_t to, std::int64_t from) {
    std::string& into = terms[static_cast<std::size_t>(to)];
    into = "(" + into + terms[static_cast<std::size_t>(from)] + ")";
  });
  EXPECT_EQ(terms[0], "(((ab)(cd))((ef)(gh)))");
}

TEST(TreeSum, RefusesOtherNumbersOfTerms) {
  for (const std::int64_t terms : {0, 3, 6, 12})
    EXPECT_THROW(for_each_tree_addition(terms, [](std::int64_t, std::int64_t) {}), InvariantError) << terms;
  EXPECT_EQ(tree_sum({5}), 5);
}

/// Terms of very different sizes, so that the order of additions shows.
template <typename T>
std::vector<T> term(int number, std::size_t width) {
  RandomStream random(5, Purpose::simulate, 0, static_cast<std::uint64_t>(number));
  std::vector<T> values(width);
  for (T& value : values) value = static_cast<T>((random.uniform() - 0.5) * std::exp(10 * random.uniform()));
  return values;
}

/// Each rank adds up its share of eight terms by the tree, then ranks do.
template <typename T>
std::vector<T> sum_on(int size, std::size_t width) {
  std::vector<T> result;
  run_as_threads(size, [&](Collectives& ranks) {
    const int mine = 8 / size;
    std::vector<std::vector<T>> terms;
    for (int i = 0; i < mine; ++i) terms.push_back(term<T>(ranks.rank() * mine + i, width));
    for_each_tree_addition(mine, [&](std::int64_t to, std::int64_t from) {
      for (std::size_t i = 0; i < width; ++i)
        terms[static_cast<std::size_t>(to)][i] += terms[static_cast<std::size_t>(from)][i];
    });
    tree_all_reduce(ranks, std::span<T>(terms[0]));
    if (ranks.rank() == size - 1) result = terms[0];
  });
  return result;
}

template <typename T>
void check(std::size_t width) {
  const std::vector<T> alone = sum_on<T>(1, width);
  for (const int size : {2, 4, 8})
    EXPECT_EQ(sum_on<T>(size, width), alone) << width << " elements, " << size << " ranks";
}

TEST(TreeSum, AnyNumberOfRanksGivesTheSameBits) {
  for (const std::size_t width : {1, 5, 4096, 4097, 10001}) {  // gathered whole, and cut into slices
    check<float>(width);
    check<double>(width);
  }
}

TEST(TreeSum, OneAfterTheOtherIsAnotherSum) {
  const std::vector<float> tree = sum_on<float>(1, 100);
  std::vector<float> in_turn(100, 0.0F);
  for (int number = 0; number < 8; ++number) {
    const std::vector<float> added = term<float>(number, 100);
    for (std::size_t i = 0; i < added.size(); ++i) in_turn[i] += added[i];
  }
  EXPECT_NE(tree, in_turn) << "else the test above tells nothing";
  for (std::size_t i = 0; i < tree.size(); ++i) EXPECT_NEAR(tree[i], in_turn[i], 1e-1);
}

}  // namespace
}  // namespace masksc
